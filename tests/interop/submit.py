#!/usr/bin/env python3
"""Submission and MX rules: swaks with STARTTLS and AUTH, nodemailer, who may send what where."""
import base64
import os
import subprocess
import sys
import time

from lib import imap, smtp, target
from lib.report import Checks, want
from lib.smtp import Smtp, SmtpError

USER = target.account("submit")


def swaks(*argv, code=0):
    done = subprocess.run(["swaks", "--server", target.HOST, "--from", USER, "--to", USER, "--silent", "1", "--timeout", "20", *argv],
                          capture_output=True, text=True, stdin=subprocess.DEVNULL)
    want((done.returncode == 0) == (code == 0), f"swaks {' '.join(argv)}: code {done.returncode}\n{done.stdout[-300:]}{done.stderr[-300:]}")


def refused(call, *codes):
    """The reply of a command that must be refused with one of the codes."""
    try:
        call()
    except SmtpError as problem:
        want(problem.code in codes, f"wanted {codes}, got {problem}")
        return problem
    want(False, "accepted")


def arrived(subject, count=1):
    end = time.monotonic() + 60
    while True:
        conn = imap.login(USER, mailbox="INBOX")
        found = imap.ok(conn.search(None, "SUBJECT", f'"{subject}"'))[0].split()
        conn.logout()
        if len(found) == count:
            return
        want(time.monotonic() < end, f"{len(found)} of {count} arrived: {subject}")
        time.sleep(0.2)


def by_swaks(checks):
    auth = ("--auth-user", USER, "--auth-password", target.PASSWORD)
    for how in ("PLAIN", "LOGIN"):
        with checks.check(f"swaks: STARTTLS, AUTH {how}"):
            swaks("--port", str(target.port("submission")), "--tls", "--auth", how, *auth, "--header", f"Subject: swaks-{how}")
            arrived(f"swaks-{how}")
    with checks.check("swaks: implicit TLS"):
        swaks("--port", str(target.port("submissions")), "--tls-on-connect", "--auth", "PLAIN", *auth, "--header", "Subject: swaks-implicit")
        arrived("swaks-implicit")
    with checks.check("swaks: STARTTLS on the MX port, no AUTH, local recipient"):
        swaks("--port", str(target.port("smtp")), "--tls", "--header", "Subject: swaks-mx")
        arrived("swaks-mx")
    with checks.check("swaks: LMTP"):
        swaks("--port", str(target.port("lmtp")), "--protocol", "LMTP", "--header", "Subject: swaks-lmtp")
        arrived("swaks-lmtp")
    with checks.check("a wrong password is refused"):
        swaks("--port", str(target.port("submission")), "--tls", "--auth", "PLAIN", "--auth-user", USER, "--auth-password", "wrong", code=1)


def rules(checks):
    with checks.check("EHLO keywords on the MX port"):
        with Smtp("smtp") as client:
            lacking = {"PIPELINING", "SIZE", "8BITMIME", "ENHANCEDSTATUSCODES", "STARTTLS", "CHUNKING", "SMTPUTF8", "DSN"} - set(client.hello().keywords)
            want(not lacking, f"not offered: {sorted(lacking)}")
            want("AUTH" not in client.keywords, "AUTH on the MX port")
    with checks.check("LHLO keywords"):
        with Smtp("lmtp") as client:
            lacking = {"PIPELINING", "8BITMIME", "ENHANCEDSTATUSCODES"} - set(client.hello().keywords)
            want(not lacking, f"not offered: {sorted(lacking)}")
    with checks.check("unknown recipient: 550 5.1.1 by SMTP and LMTP; the next one is taken"):
        for protocol in ("lmtp", "smtp") if target.IS_POSTHOUSE else ("lmtp",):
            with Smtp(protocol) as client:
                client.hello().command("MAIL FROM:<a@load.test>")
                problem = refused(lambda: client.command(f"RCPT TO:<nobody@{target.DOMAIN}>"), 550)
                want(problem.text.startswith("5.1.1"), f"{protocol}: {problem.text}")
                client.command(f"RCPT TO:<{USER}>")
                client.command("RSET")
    with checks.check("relaying is refused on the MX port"):
        with Smtp("smtp") as client:
            client.hello().command("MAIL FROM:<a@load.test>")
            refused(lambda: client.command("RCPT TO:<a@elsewhere.test>"), 550, 551, 553, 554)
    with checks.check("submission without AUTH is refused"):
        with Smtp("submission", tls=False) as client:
            client.hello().starttls()

            def send():
                client.command(f"MAIL FROM:<{USER}>")
                client.command(f"RCPT TO:<{USER}>")
            refused(send, 530, 550, 554)
    with checks.check("AUTH LOGIN and PLAIN without initial response; * cancels; broken base64 is 501"):
        with Smtp("submission") as client:
            client.hello().starttls()
            client.command("AUTH LOGIN", 334)
            refused(lambda: client.command("*", 235), 501)
            client.command("AUTH PLAIN", 334)
            refused(lambda: client.command("!!!not base64", 235), 501, 535)
            client.command("AUTH LOGIN", 334)
            client.command(base64.b64encode(USER.encode()), 334)
            client.command(base64.b64encode(target.PASSWORD.encode()), 235)
    with checks.check("commands out of order: 503; VRFY, HELP, NOOP, RSET answer"):
        with Smtp("smtp") as client:
            client.hello()
            refused(lambda: client.command(f"RCPT TO:<{USER}>"), 503)
            refused(lambda: client.command("DATA", 354), 503, 554)
            client.command("NOOP")
            client.command("RSET")
            refused(lambda: client.command("VRFY someone"), 252, 502, 550, 554)
            refused(lambda: client.command("XYZZY"), 500, 502)


def transports(checks):
    with checks.check("PIPELINING: a whole mail in one write"):
        with Smtp("smtp") as client:
            client.hello()
            client.send(f"MAIL FROM:<a@load.test>\r\nRCPT TO:<{USER}>\r\nDATA\r\n".encode())
            for code in (250, 250, 354):
                client.expect(code)
            client.send(b"Subject: pipelined\r\n\r\nx\r\n.\r\nNOOP\r\n")
            client.expect(250)
            client.expect(250)
        arrived("pipelined")
    with checks.check("CHUNKING: BDAT in three pieces, line ends and dots inside"):
        with Smtp("smtp") as client:
            client.hello().command("MAIL FROM:<a@load.test>")
            client.command(f"RCPT TO:<{USER}>")
            mail = target.marked("bdat", b"Subject: chunked\r\n\r\n.\r\n..\r\nend\r\n")
            for piece, last in ((mail[:10], ""), (mail[10:60], ""), (mail[60:], " LAST")):
                client.send(f"BDAT {len(piece)}{last}\r\n".encode() + piece)
                client.expect(250)
        arrived("chunked")
        conn = imap.login(USER, mailbox="INBOX")
        number = imap.ok(conn.search(None, "SUBJECT", "chunked"))[0].decode()
        (body,) = [b for *_, b in imap.bodies(conn, number)]
        want(target.split_trace(body)[2] == mail, repr(body[-60:]))
    with checks.check("DSN and SIZE and SMTPUTF8 parameters are taken"):
        with Smtp("smtp") as client:
            client.hello().command("MAIL FROM:<a@load.test> SIZE=100 BODY=8BITMIME RET=HDRS ENVID=QQ314159 SMTPUTF8")
            client.command(f"RCPT TO:<{USER}> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;{USER}")
            client.command("RSET")


def by_nodemailer(checks):
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "submit_node.mjs")
    with checks.check("nodemailer: STARTTLS, AUTH, attachment, UTF-8 subject"):
        done = subprocess.run(["node", script, USER], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60)
        want(done.returncode == 0, done.stderr[-400:])
        arrived("nodemailer")


def main():
    checks = Checks("submit")
    by_swaks(checks)
    rules(checks)
    transports(checks)
    by_nodemailer(checks)
    checks.finish()


if __name__ == "__main__":
    sys.exit(main())
