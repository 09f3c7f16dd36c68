#!/usr/bin/env python3
"""Exim as the host at the other end: it sends to Posthouse and takes from it, with STARTTLS, PIPELINING, BDAT, DSN and SMTPUTF8; nothing changes on the way.

Starts both servers itself.
"""
import base64
import os
import sys

from lib import imap, procs, smtp, target
from lib.exim import Exim
from lib.report import Checks, want
from lib.servers import PASSWORD, OwnDomain, free_ports

HOME, FAR = OwnDomain.domain, "exim.test"
RUNTIME = os.environ.get("PH_RUNTIME", "auto")
ANN, LI = f"ann@{HOME}", f"李雷@{HOME}"
CHINESE = "邮件：中文正文，八比特。\r\n.\r\n一行\r\n".encode()


class Home(OwnDomain):
    def users(self):
        return [ANN, LI]

    def submit(self, rcpt, raw, options="", params=""):
        with smtp.Smtp("submission") as client:
            client.hello().starttls()
            client.command("AUTH PLAIN " + base64.b64encode(f"\0{ANN}\0{PASSWORD}".encode()).decode(), 235)
            client.command(f"MAIL FROM:<{ANN}> BODY=8BITMIME{options}".encode())
            client.command(f"RCPT TO:<{rcpt}>{params}".encode())
            client.command("DATA", 354)
            client.send(smtp.stuff(raw) + b".\r\n")
            client.expect(250)


def letter(ident, body=b"Hello.\r\n", subject="exim"):
    head = f"From: Ann <{ANN}>\r\nTo: <somebody@{FAR}>\r\nSubject: {subject}\r\nDate: Thu, 26 Nov 2026 10:00:00 +0000\r\nMessage-ID: <{ident}@{HOME}>\r\n"
    mime = "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    return target.marked(ident, (head + mime).encode() + body)


def big():
    return b"".join(b"%06d %s\r\n" % (n, b"x" * 70) for n in range(100_000))


def to_exim(client, rcpt, raw, options="", params=""):
    """Hands a mail to Exim as a host that has nothing to do with either."""
    client.command(f"MAIL FROM:<eve@elsewhere.test> BODY=8BITMIME{options}".encode())
    client.command(f"RCPT TO:<{rcpt}>{params}".encode())
    client.command("DATA", 354)
    client.send(smtp.stuff(raw) + b".\r\n")
    client.expect(250)


def arrived(user, text, seconds=60):
    """The one mail of a mailbox that holds the text."""
    found = []

    def there():
        conn = imap.connect()
        # LOGIN takes no UTF-8.
        imap.ok(conn.authenticate("PLAIN", lambda _: f"\0{user}\0{PASSWORD}".encode()))
        imap.ok(conn.select("INBOX"))
        numbers = imap.ok(conn.search(None, "TEXT", f'"{text}"'))[0].split()
        found[:] = [imap.ok(conn.fetch(number, "(BODY.PEEK[])"))[0][1] for number in numbers]
        conn.logout()
        return found
    procs.wait_until(there, seconds, f"a mail with {text}")
    want(len(found) == 1, f"{len(found)} mails with {text}")
    return found[0]


def same(sent, got):
    """Byte for byte from the mark on."""
    at = got.find(target.MARK)
    want(at >= 0 and got[at:] == sent, target.difference(sent, got[max(at, 0):]))


def inward(checks, home, exim):
    """Exim to Posthouse."""
    os.environ["PH_SMTP_PORT"] = str(exim.ports["smtp"])
    with smtp.Smtp("smtp") as client:
        client.hello()
        with checks.check("from Exim: STARTTLS, CHUNKING, PIPELINING, a Chinese 8-bit mail"):
            sent = letter("in-zh", CHINESE)
            to_exim(client, ANN, sent)
            same(sent, arrived(ANN, "in-zh"))
            line = exim.wait_line(f"=> {ANN}", "C=\"250")
            want(" K " in line and " X=TLS1" in line and " L " in line, line)
        with checks.check("from Exim: 8 MB"):
            sent = letter("in-big", big())
            to_exim(client, ANN, sent)
            same(sent, arrived(ANN, "in-big"))
        with checks.check("from Exim: SMTPUTF8"):
            sent = letter("in-utf8", CHINESE, "中文")
            to_exim(client, LI, sent, " SMTPUTF8")
            same(sent, arrived(LI, "in-utf8"))
        with checks.check("from Exim: NOTIFY and ORCPT come with it, and a full stop is final"):
            to_exim(client, f"nobody@{HOME}", letter("in-no"), " RET=HDRS ENVID=env1", " NOTIFY=FAILURE ORCPT=rfc822;x@elsewhere.test")
            line = exim.wait_line(f"** nobody@{HOME}")
            want("550 5.1.1 " in line, line)


def outward(checks, home, exim):
    """Posthouse to Exim."""
    def got(ident):
        return next((mail for mail in exim.mails() if ident.encode() in mail), None)

    def same_there(sent, ident):
        procs.wait_until(lambda: got(ident), 60, f"{ident} at Exim")
        same(sent, got(ident))
    with checks.check("to Exim: STARTTLS, a Chinese 8-bit mail"):
        sent = letter("out-zh", CHINESE)
        home.submit(f"somebody@{FAR}", sent)
        same_there(sent, "out-zh")
        line = exim.wait_line(f"<= {ANN}")
        want(" X=TLS1" in line and " L " in line and "M8S=8" in line, line)
    with checks.check("to Exim: 8 MB"):
        sent = letter("out-big", big())
        home.submit(f"somebody@{FAR}", sent)
        same_there(sent, "out-big")
    with checks.check("to Exim: SMTPUTF8"):
        sent = letter("out-utf8", CHINESE, "中文")
        home.submit(f"韩梅梅@{FAR}", sent, " SMTPUTF8")
        same_there(sent, "out-utf8")
    with checks.check("to Exim: its report of a delivery comes back"):
        home.submit(f"told@{FAR}", letter("out-dsn"), " RET=HDRS ENVID=env2", f" NOTIFY=SUCCESS ORCPT=rfc822;first@{FAR}")
        report = arrived(ANN, f"Mailer-Daemon@{FAR}").decode().replace("; ", ";")
        for part in ("Action: delivered", f"Original-Recipient: rfc822;first@{FAR}", "Original-Envelope-Id: env2"):
            want(part.lower() in report.lower(), f"{part} in {report[-900:]}")
    with checks.check("nothing waits at either end"):
        procs.wait_until(lambda: "[]" in home.cli("queue", "list", "--json"), 60, "an empty queue")
        want(not exim.lines(" == "), exim.lines(" == "))


def main():
    checks = Checks("exim")
    home = Home("exim", runtime=RUNTIME)
    port = free_ports(len(home.ports) + 1)[-1]
    home.toml = f"""
hostname = "mail.{HOME}"
[outbound]
retry_first_seconds = 1
[[outbound.route]]
domain = "{FAR}"
relay = "127.0.0.1:{port}"
tls = "required"
"""
    os.environ.update({f"PH_{p.upper()}_PORT": str(home.ports[p]) for p in home.ports} | {"PH_PASSWORD": PASSWORD})
    with home, Exim(port, home.ports["smtp"]) as exim:
        outward(checks, home, exim)
        inward(checks, home, exim)
    checks.finish()


if __name__ == "__main__":
    sys.exit(main())
