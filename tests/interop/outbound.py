#!/usr/bin/env python3
"""Mail to other hosts: a real Postfix, smtp-sink and hosts that misbehave on loopback addresses, behind a name server of their own.

Starts all servers itself. MX hosts differ by their loopback address and share one port.
"""
import collections
import glob
import json
import os
import re
import socketserver
import subprocess
import sys
import threading
import time

from lib import imap, names, procs, smtp, target
from lib.names import A, CNAME, MX, SERVFAIL
from lib.peers import Peers
from lib.report import Checks, want
from lib.servers import PASSWORD, OwnDomain, free_ports
from lib.sink import Sink

HOME = OwnDomain.domain
RUNTIME = os.environ.get("PH_RUNTIME", "auto")
# The corpus mails to Postfix, and the messages of the kill -9 run.
MAILS = int(os.environ.get("PH_MAILS", "40"))
KILLED = 500


class Sender(OwnDomain):
    """Posthouse with members of its own domain; mail to others goes by `lib.names`."""

    def users(self):
        return [f"u{n}@{HOME}" for n in range(self.accounts)]

    def use(self):
        """Makes the clients of `lib` talk to this server."""
        os.environ.update({f"PH_{p.upper()}_PORT": str(self.ports[p]) for p in self.ports})

    def queue(self, *filters):
        return json.loads(self.cli("queue", "list", "--json", *filters))

    def submit(self, rcpts, raw, sender=0, options="", params=""):
        with smtp.Smtp("submission") as client:
            client.hello().starttls()
            login(client, self.users()[sender])
            client.command(f"MAIL FROM:<{self.users()[sender]}>{options}")
            for rcpt in rcpts:
                client.command(f"RCPT TO:<{rcpt}>{params}")
            client.command("DATA", 354)
            client.send(smtp.stuff(raw) + b".\r\n")
            client.expect(250)

    def submit_bytes(self, rcpts, raw):
        with smtp.Smtp("submission") as client:
            client.hello().starttls()
            login(client, self.users()[0])
            client.command(f"MAIL FROM:<{self.users()[0]}> BODY=BINARYMIME")
            for rcpt in rcpts:
                client.command(f"RCPT TO:<{rcpt}>")
            client.send(b"BDAT %d LAST\r\n" % len(raw) + raw)
            client.expect(250)


def login(client, user):
    import base64
    secret = base64.b64encode(f"\0{user}\0{PASSWORD}".encode()).decode()
    client.command(f"AUTH PLAIN {secret}", 235)


def toml(port, dns, more=""):
    return f"""
hostname = "mail.{HOME}"
[outbound]
port = {port}
resolver = ["127.0.0.1:{dns}"]
retry_first_seconds = 2
retry_max_seconds = 4
{more}
"""


def mail(subject, body="x\r\n"):
    return f"Subject: {subject}\r\nMessage-ID: <{subject}@{HOME}>\r\n\r\n{body}".encode()


def until(check, what, seconds=40):
    procs.wait_until(check, seconds, what)


def inbox(user, subject):
    """The mails in a member's INBOX whose text contains the subject."""
    conn = imap.login(user, mailbox="INBOX")
    found = imap.ok(conn.search(None, "TEXT", f'"{subject}"'))[0].decode().replace(" ", ",")
    mails = [body for *_, body in imap.bodies(conn, found)] if found else []
    conn.logout()
    return mails


def bounced(user, subject, *parts):
    until(lambda: inbox(user, subject), f"a report about {subject}")
    (report,) = inbox(user, subject)
    for part in parts:
        want(part.encode() in report, f"{part!r} is not in\n{report.decode('utf-8', 'replace')}")


def to_postfix(checks, server, peer):
    with checks.check(f"{MAILS} corpus mails reach Postfix as they are, over TLS, on few connections"):
        sent = dict(list(target.corpus(limit=MAILS)))
        # From other senders, so by a group: members write in their own names only.
        server.cli("group", "add", f"relay@{HOME}", "--member", "u1@bench.test")
        with smtp.Smtp("smtp") as client:
            client.hello()
            for raw in sent.values():
                client.deliver(raw, [f"relay@{HOME}"])
        until(lambda: not server.queue(), "an empty queue", 120)
        before = dict(os.environ)
        os.environ.update(peer.env())
        try:
            def arrived():
                conn = imap.login("u1@bench.test", mailbox="INBOX")
                count = int(imap.ok(conn.select("INBOX"))[0])
                conn.logout()
                return count >= len(sent)
            until(arrived, "all mails in Postfix's mailboxes", 60)
            conn = imap.login("u1@bench.test", mailbox="INBOX")
            stored = [body for *_, body in imap.bodies(conn, "1:*")]
            conn.logout()
        finally:
            os.environ.clear()
            os.environ.update(before)
        want(len(stored) == len(sent), f"{len(stored)} of {len(sent)}")
        for body in stored:
            ident, trace, rest = target.split_trace(body)
            as_sent = target.without_path(sent[ident])
            want(rest == as_sent, target.difference(as_sent, rest))
            want(b"(Postfix) with ESMTPS id" in trace, f"not over TLS: {trace.decode()}")
        log = open(server.log, errors="replace").read()
        want(re.search(r"tls=\W?TLSv1.3 \S+ unverified", re.sub(r"\x1b\[[0-9;]*m", "", log)), "the log names the TLS")
    with checks.check("a domain that Postfix does not serve: 5xx, the sender gets a report"):
        server.submit(["someone@refused.test"], mail("postfix-refuses"))
        bounced("u0@" + HOME, "postfix-refuses", "Action: failed", "Final-Recipient: rfc822; someone@refused.test",
                "Remote-MTA: dns; mx.bench.test", "Relay access denied")


def replies(checks, server, sink):
    with checks.check("greylisting: 4xx, deferred, then taken once"):
        server.submit(["greylist@sink.test", "other@sink.test"], mail("grey"))
        until(lambda: len(sink.of("grey")) == 2, "both recipients' copies")
        until(lambda: not server.queue(), "an empty queue")
        want(sink.tried["greylist@sink.test"] == 2 and sink.tried["other@sink.test"] == 1, f"tried {sink.tried}")
    for name, subject, status in (("never", "at-rcpt", "5.1.1"), ("full", "after-data", "5.2.2")):
        with checks.check(f"5xx {'at RCPT' if name == 'never' else 'after the data'}: a report in the sender's INBOX"):
            server.submit([f"{name}@sink.test"], mail(subject))
            bounced("u0@" + HOME, subject, f"Status: {status}", f"Final-Recipient: rfc822; {name}@sink.test", "Return-Path: <>")
    with checks.check("names: NXDOMAIN and null MX return at once, SERVFAIL waits, CNAME and no MX at all are followed"):
        server.submit(["a@nowhere.test"], mail("no-domain"))
        bounced("u0@" + HOME, "no-domain", "Status: 5.1.2")
        server.submit(["a@null.test"], mail("null-mx"))
        bounced("u0@" + HOME, "null-mx", "Status: 5.1.10")
        server.submit(["a@fails.test"], mail("servfail"))
        until(lambda: [row["reply"][:5] for row in server.queue("--domain", "fails.test")] == ["4.4.3"], "a deferred message")
        server.cli("queue", "remove", "--domain", "fails.test")
        server.submit(["a@alias.test", "a@host.test"], mail("by-name"))
        until(lambda: len(sink.of("by-name")) == 2, "both copies")
    with checks.check("mail whose best MX is this host does not come back"):
        server.submit(["a@ours.test"], mail("a-loop"))
        bounced("u0@" + HOME, "a-loop", "Status: 5.4.6")
    with checks.check("one message for a member here and somebody there: Return-Path only here"):
        server.submit(["u1@" + HOME, "b@sink.test"], mail("both", ".dot\r\nend\r\n"))
        until(lambda: sink.of("both") and inbox("u1@" + HOME, "both"), "both copies")
        (_, _, there), = sink.of("both")
        (here,) = inbox("u1@" + HOME, "both")
        want(here.startswith(b"Return-Path: <u0@home.test>\r\n") and there.startswith(b"Received: "), repr(there[:60]))
        want(here.split(b"\r\n", 1)[1] == there, "otherwise the same bytes")
    with checks.check("the case of a local part there is kept; NOTIFY=SUCCESS is answered for a host without DSN"):
        server.submit(["MiXed@Sink.test"], mail("success"), params=" NOTIFY=SUCCESS")
        until(lambda: any("<MiXed@sink.test>" in rcpts[0] for _, rcpts, _ in sink.of("success")), "the copy")
        bounced("u0@" + HOME, "success", "Action: relayed")
    with checks.check("a host whose STARTTLS is broken gets its mail in plain text"):
        server.submit(["a@broken.test"], mail("broken-tls"))
        until(lambda: BROKEN.of("broken-tls"), "the copy")


def commands(checks, server, sink):
    with checks.check("queue: list with filters, show, hold, release, retry, remove; status counts"):
        for number in range(3):
            server.submit(["later@sink.test"], mail(f"slow-{number}"), sender=number % 2)
        until(lambda: len(server.queue("--state", "deferred")) == 3, "three deferred messages")
        row = server.queue("--sender", "u1@")[0]
        shown = json.loads(server.cli("queue", "show", str(row["id"]), "--json"))
        want(shown["progress"][0]["reply"] == "450 4.2.0 greylisted, come again", str(shown))
        want("1 message on hold" in server.cli("queue", "hold", str(row["id"])), "held")
        want([held["id"] for held in server.queue("--state", "hold")] == [row["id"]], "the one on hold")
        status = json.loads(server.cli("status", "--json"))
        want(status["queued"] == 3 and status["queue"]["hold"] == 1, str(status["queue"]))
        tried = sink.tried["later@sink.test"]
        want("2 messages to be tried now" in server.cli("queue", "flush"), "flushed")
        until(lambda: sink.tried["later@sink.test"] >= tried + 2, "both tried again")
        want(server.queue("--older-than", "1h") == [], "nothing is that old")
        want("1 message released" in server.cli("queue", "release", "--state", "hold"), "released")
    with checks.check("a restart keeps the queue and its attempts; the commands work offline too"):
        attempts = sorted(row["attempts"] for row in server.queue())
        server.stop()
        again = sorted(row["attempts"] for row in server.queue())
        want(len(again) == 3 and all(b >= a for a, b in zip(attempts, again)), f"{attempts} {again}")
        want("3 messages removed" in server.cli("queue", "remove", "--recipient", "LATER@"), "removed")
        server.start()
        want(server.queue() == [], "an empty queue")
    with checks.check("HOLDFOR: held over a restart and a flush, for a member here and somebody there, then sent at its time"):
        begun = time.time()
        server.submit(["u1@" + HOME, "b@sink.test"], mail("held"), options=" HOLDFOR=12")
        submitted = time.time()
        server.stop()
        server.start()
        server.cli("queue", "flush")
        rows = server.queue()
        early = inbox("u1@" + HOME, "held") or sink.of("held")
        # A machine that takes as long as the message is held has shown nothing so far.
        if time.time() < begun + 11:
            (row,) = rows
            want(row["state"] == "deferred" and row["attempts"] == 0 and begun + 11 <= row["next_try"] <= submitted + 13, str(row))
            want(not early, "sent before its time")
        until(lambda: inbox("u1@" + HOME, "held") and sink.of("held"), "both copies")
        want(time.time() > begun + 11, "sent before its time")
    with checks.check("BINARYMIME: bytes in a mailbox here by IMAP's BINARY, lines to a host that takes only these"):
        raw = b"Subject: bytes\r\nMIME-Version: 1.0\r\nContent-Type: application/x-b\r\nContent-Transfer-Encoding: binary\r\n\r\n\0\n\xff\r"
        server.submit_bytes(["u1@" + HOME, "b@sink.test"], raw)
        until(lambda: sink.of("bytes") and inbox("u1@" + HOME, "bytes"), "both copies")
        (_, _, there), = sink.of("bytes")
        want(there.endswith(b"Content-Transfer-Encoding: base64\r\n\r\nAAr/DQ==\r\n"), repr(there[-120:]))
        conn = imap.login("u1@" + HOME, mailbox="INBOX")
        (number,) = imap.ok(conn.search(None, "SUBJECT", "bytes"))[0].split()
        _, _, lines = imap.raw(conn, b"FETCH " + number + b" (BINARY.PEEK[1])")
        want(any(b"~{4}\r\n\0\n\xff\r)" in line for line in lines), repr(lines))
        conn.logout()


def numbers_in(folder):
    """How often each X-Number is in the dumps of smtp-sink."""
    found = collections.Counter()
    for path in glob.glob(os.path.join(folder, "*")):
        try:
            with open(path, errors="replace") as file:
                found.update(re.findall(r"^X-Number: (\d+)", file.read(), re.M))
        except FileNotFoundError:
            # smtp-sink takes the file of a mail away whose connection was cut.
            continue
    return found


def killed(checks, port, dns):
    with checks.check(f"kill -9 amid {KILLED} messages: each arrives, hardly any twice"):
        server = Sender("killed", runtime=RUNTIME, accounts=2, toml=toml(port, dns, "enabled = false"))
        server.start()
        server.use()
        with smtp.Smtp("submission") as client:
            client.hello().starttls()
            login(client, server.users()[0])
            for number in range(KILLED):
                raw = f"Subject: n\r\nX-Number: {number}\r\n\r\nx\r\n".encode()
                client.deliver(raw, [f"r{number % 7}@smtpsink.test"], sender=server.users()[0])
        want(len(server.queue()) == KILLED, "all are queued")
        server.stop()
        dumps = os.path.join(server.folder, "dumps")
        os.makedirs(dumps)
        os.chmod(dumps, 0o777)
        as_user = ["-u", "nobody"] if os.getuid() == 0 else []
        sink = subprocess.Popen(["smtp-sink", *as_user, "-d", f"{dumps}/%H%M%S.", f"127.0.0.2:{port}", "100"],
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=dumps)
        try:
            server.toml = toml(port, dns)
            kills = 0
            while True:
                before = len(numbers_in(dumps))
                server.start()
                if kills < 3:
                    until(lambda: len(numbers_in(dumps)) >= min(KILLED, before + 60), "some more", 60)
                    server.kill()
                    kills += 1
                    continue
                until(lambda: not server.queue(), "an empty queue", 120)
                break
            server.stop()
            found = numbers_in(dumps)
            missing = [n for n in range(KILLED) if str(n) not in found]
            twice = sum(count - 1 for count in found.values())
            want(not missing, f"{len(missing)} are missing: {missing[:9]}")
            # At most what each connection of each killed server had under way.
            want(twice <= kills * 20, f"{twice} arrived more than once")
            print(f"        {twice} of {KILLED} arrived twice after {kills} kills", flush=True)
        finally:
            sink.kill()
            sink.wait()


class Busy(socketserver.StreamRequestHandler):
    """Greets everybody and takes nothing."""

    def handle(self):
        self.server.connections += 1
        self.wfile.write(b"220 busy.test ESMTP\r\n")
        while line := self.rfile.readline(4096):
            is_mail = line.upper().startswith(b"MAIL")
            self.wfile.write(b"421 4.3.2 too busy\r\n" if is_mail else b"250 busy.test\r\n")
            if is_mail:
                return


class Narrow(socketserver.StreamRequestHandler):
    """Takes two recipients at a time."""

    def handle(self):
        self.wfile.write(b"220 narrow.test ESMTP\r\n")
        rcpts = []
        while line := self.rfile.readline(4096):
            verb = line[:4].upper()
            if verb == b"RCPT" and len(rcpts) == 2:
                self.wfile.write(b"452 4.5.3 too many recipients\r\n")
            elif verb == b"DATA":
                self.wfile.write(b"354 go\r\n")
                while self.rfile.readline(4096) not in (b".\r\n", b""):
                    pass
                self.server.taken.append(rcpts)
                self.wfile.write(b"250 taken\r\n")
            else:
                rcpts = [] if verb == b"MAIL" else rcpts + [line] if verb == b"RCPT" else rcpts
                self.wfile.write(b"250 narrow.test\r\n")


def others(checks, server, sink, port):
    narrow = socketserver.ThreadingTCPServer(("127.0.0.6", port), Narrow)
    narrow.daemon_threads, narrow.taken = True, []
    threading.Thread(target=narrow.serve_forever, daemon=True).start()
    try:
        with checks.check("a host that takes two recipients at a time gets five in one attempt"):
            server.submit([f"r{number}@narrow.test" for number in range(5)], mail("narrow"))
            until(lambda: len(narrow.taken) >= 3, "three transactions")
            until(lambda: not server.queue("--domain", "narrow.test"), "an empty queue")
            rows = json.loads(server.cli("trace", "@narrow.test", "--json"))
            want([len(rcpts) for rcpts in narrow.taken] == [2, 2, 1], str(narrow.taken))
            want([row["attempt"] for row in rows if row["step"] == "sent"] == [1] * 5, str(rows))
    finally:
        narrow.shutdown()
        narrow.server_close()
    busy = socketserver.ThreadingTCPServer(("127.0.0.5", port), Busy)
    busy.daemon_threads, busy.connections = True, 0
    threading.Thread(target=busy.serve_forever, daemon=True).start()
    try:
        with checks.check("a first host that greets and says 421 at MAIL: the second one gets the mail at once"):
            server.submit(["a@second.test"], mail("by-second"))
            until(lambda: sink.of("by-second"), "the copy")
            until(lambda: not server.queue("--domain", "second.test"), "an empty queue")
            want(busy.connections == 1, f"{busy.connections} connections to the first")
        with checks.check("a host that says so to everybody is not asked by each of 30 messages; they wait"):
            begun = time.monotonic()
            for number in range(30):
                server.submit(["a@busy.test"], mail(f"busy-{number}"))
            rows = lambda: server.queue("--domain", "busy.test", "--reply", "too busy")
            until(lambda: len(rows()) >= 1, "a deferred message")
            # Each rest lasts two seconds or four.
            rests = (time.monotonic() - begun) / 2
            want(busy.connections <= max(12, 2 + rests), f"{busy.connections} connections")
            server.cli("queue", "remove", "--domain", "busy.test")
    finally:
        busy.shutdown()
        busy.server_close()


def smarthost(checks, server, peer):
    relay = f"127.0.0.1:{peer.ports['submission']}"
    rule = ["relay", relay, "tls=required", "user=u2@bench.test"]

    def at_postfix(subject):
        before = dict(os.environ)
        os.environ.update(peer.env())
        try:
            return inbox("u2@bench.test", subject)
        finally:
            os.environ.clear()
            os.environ.update(before)

    with checks.check("a domain's smarthost (Postfix with SASL) whose login is wrong: its mail waits, and goes when the login is right"):
        server.cli("rule", "add", "--domain", HOME, "--password-stdin", *rule, stdin="not this one")
        server.cli("rule", "add", "--domain", HOME, "source", "127.0.0.8")
        server.submit(["u2@bench.test"], mail("by-smarthost"))
        until(lambda: any("does not take our login" in row["reply"] for row in server.queue()), "a refused login")
        server.cli("rule", "add", "--domain", HOME, "--password-stdin", *rule, stdin=PASSWORD)
        server.cli("queue", "flush")
        until(lambda: at_postfix("by-smarthost"), "the mail in Postfix's mailbox")
        (found,) = at_postfix("by-smarthost")
        want(b"(Postfix) with ESMTPSA id" in found, f"not with a login: {found.decode()}")
        want(b"[127.0.0.8]" in found, f"not from the domain's address: {found.decode()}")
    with checks.check("no list and no log shows the password"):
        listed = server.cli("rule", "list", "--json")
        want(relay in listed and "u2@bench.test" in listed, listed)
        log = open(server.log, errors="replace").read()
        for secret in (PASSWORD, "not this one"):
            want(secret not in listed and secret not in log, f"{secret} is shown")
    with checks.check("without the rules mail leaves as before"):
        server.cli("rule", "remove", "--domain", HOME, "relay", relay)
        server.cli("rule", "remove", "--domain", HOME, "source", "127.0.0.8")
        server.submit(["u2@bench.test"], mail("by-mx"))
        until(lambda: at_postfix("by-mx"), "the mail in Postfix's mailbox")
        (found,) = at_postfix("by-mx")
        want(b"(Postfix) with ESMTPS id" in found, found.decode())


def main():
    global BROKEN
    checks = Checks("outbound")
    peer = Peers("outbound", postfix=True, accounts=4)
    peer.start()
    (dns,) = free_ports(1)
    port = peer.ports["smtp"]
    sink, BROKEN = Sink("127.0.0.3", port), Sink("127.0.0.4", port, broken_tls=True)
    zone = {
        ("bench.test", MX): [(10, "mx.bench.test")], ("refused.test", MX): [(10, "mx.bench.test")],
        ("mx.bench.test", A): ["127.0.0.1"],
        # The first host of the domain answers nobody: the second one gets the mail.
        ("sink.test", MX): [(10, "dead.sink.test"), (20, "mx.sink.test")],
        ("dead.sink.test", A): ["127.0.0.9"], ("mx.sink.test", A): ["127.0.0.3"],
        ("alias.test", CNAME): ["sink.test"], ("host.test", A): ["127.0.0.3"],
        ("broken.test", MX): [(10, "mx.broken.test")], ("mx.broken.test", A): ["127.0.0.4"],
        ("null.test", MX): [(0, "")], ("fails.test", MX): SERVFAIL,
        ("ours.test", MX): [(10, f"mail.{HOME}"), (20, "mx.sink.test")],
        ("second.test", MX): [(10, "mx.busy.test"), (20, "mx.sink.test")],
        ("busy.test", MX): [(10, "mx.busy.test")], ("mx.busy.test", A): ["127.0.0.5"],
        ("narrow.test", MX): [(10, "mx.narrow.test")], ("mx.narrow.test", A): ["127.0.0.6"],
        ("smtpsink.test", MX): [(10, "mx.smtpsink.test")], ("mx.smtpsink.test", A): ["127.0.0.2"],
    }
    name_server = names.Names(dns, zone)
    server = Sender("outbound", runtime=RUNTIME, accounts=2, toml=toml(port, dns))
    try:
        server.start()
        server.use()
        to_postfix(checks, server, peer)
        replies(checks, server, sink)
        commands(checks, server, sink)
        others(checks, server, sink, port)
        smarthost(checks, server, peer)
        server.stop()
        killed(checks, port, dns)
    finally:
        if server.process is not None:
            server.stop()
        peer.stop()
        for one in (sink, BROKEN, name_server):
            one.close()
    checks.finish()


if __name__ == "__main__":
    sys.exit(main())
