#!/usr/bin/env python3
"""Clients that say too much, too little or nonsense, over real sockets: each hears a clear answer or sees a clean close, the server's
memory stays bounded, and an honest client beside them is served promptly.
"""
import base64
import os
import random
import resource
import sys
import time

from lib import imap, procs, smtp, target
from lib.report import Checks, want
from lib.servers import Posthouse
from lib.talk import Talk
from lib.watchman import Watchman

MIB = 1 << 20
# Seconds that the honest client may have to wait at worst, on a machine that runs much else.
PROMPT = float(os.environ.get("PH_PROMPT", "10"))
TEXT = ("imap", "smtp", "submission", "lmtp", "pop3")
TOML = """
[limits]
connections_max = 4000
connections_per_ip_max = 2500
message_size_bytes_max = 20971520
stop_grace_seconds = 5
connections_per_account_max = 50

[store]
stage_bytes_max = 33554432
"""


class Watched:
    """An honest client and the server's memory, around one check; `bytes_max` is what it may take beyond a fresh server's."""

    def __init__(self, server, bytes_max=192 * MIB):
        self.server, self.bytes_max = server, bytes_max

    def __enter__(self):
        self.peak, self.man = procs.PssPeak(self.server.roots(), every=0.1), Watchman(target.user(1))
        self.man.__enter__()
        self.man.next_round()
        self.peak.__enter__()
        return self

    def __exit__(self, kind, *_):
        self.man.next_round()
        self.peak.__exit__()
        self.man.__exit__()
        if kind is None:
            self.verdict()

    def verdict(self):
        grown = (self.peak.kib - self.server.fresh_kib) * 1024
        want(self.man.problem is None, f"the honest client: {self.man.problem!r}")
        want(self.man.rounds > 0 and self.man.worst < PROMPT, f"the honest client waited {self.man.worst:.1f} s, {self.man.rounds} rounds")
        want(grown < self.bytes_max, f"memory grew by {grown / MIB:.0f} MiB, allowed are {self.bytes_max / MIB:.0f}")
        want(self.server.process.poll() is None, "the server is gone")
        print(f"        honest client: {self.man.worst * 1000:.0f} ms at worst; memory {grown / MIB:+.1f} MiB at most", flush=True)


GOOD = {"imap": (b"z NOOP", b"z OK"), "pop3": (b"CAPA", b"+OK"), "smtp": (b"NOOP", b"250"), "submission": (b"NOOP", b"250"), "lmtp": (b"NOOP", b"250")}
BAD = {"pop3": (b"-ERR",), "smtp": (b"5", b"421"), "submission": (b"5", b"421"), "lmtp": (b"5", b"421")}


def is_error(protocol, heard):
    if protocol == "imap":
        return heard.startswith(b"* BYE") or heard.split(b" ", 2)[1:2] in ([b"BAD"], [b"NO"])
    return heard.startswith(BAD[protocol])


def still_understood(talk, protocol):
    command, answer = GOOD[protocol]
    heard = talk.ask(command)
    want(heard.startswith(answer), f"{protocol} after it: {heard!r}")


def refused(talk, protocol, line):
    """The line is answered by an error, or by a close with nothing half said."""
    heard = talk.ask(line)
    want(heard == b"" or is_error(protocol, heard), f"{protocol}: {line[:40]!r}: {heard!r}")
    return heard != b""


def lines(protocol):
    """Too long, full of NULs, unknown; then a good one."""
    for line in (b"x" * 100_000, b"x " + b"y" * 100_000, b"\0\0\0", b"x NO\0OP", b"\xff\xfe\xfd", b"XYZZY", b"x XYZZY y z", b""):
        with Talk(protocol) as talk:
            if refused(talk, protocol, line) and not line.startswith(b"x" * 99):
                still_understood(talk, protocol)


def endless(protocol):
    """50 MB without a line end: memory stays, and the server says so or closes."""
    with Talk(protocol, seconds=60) as talk:
        for _ in range(50):
            if not talk.send(b"x" * MIB):
                break
        else:
            talk.send(b"\r\n")
            heard = talk.line()
            want(heard == b"" or is_error(protocol, heard), f"{heard!r}")


def many_errors(protocol):
    """Somebody who never says anything right is let go."""
    with Talk(protocol) as talk:
        heard = b""
        for _ in range(200):
            if not talk.send(b"XYZZY\r\n"):
                break
        heard = talk.rest()
        last = heard.rsplit(b"\r\n", 2)[-2] if heard else b""
        want(heard == b"" or is_error(protocol, last), f"the last word was {last!r}")


def literals():
    for command in (b"x LOGIN {99999999999999999999}", b"x LOGIN {4294967296}", b"x LOGIN {5000000}", b"x LOGIN {99999999999+}", b"x SELECT {-1}",
                    b"x LOGIN {}"):
        with Talk("imap") as talk:
            heard = talk.ask(command)
            want(heard.startswith((b"x BAD", b"* BYE", b"x NO", b"* BAD")), f"{command!r}: {heard!r}")
    with Talk("imap", seconds=60) as talk:
        talk.ask(b"l LOGIN %s %s" % (target.user(2).encode(), target.PASSWORD.encode()))
        heard = talk.ask(b"a APPEND INBOX {2147483648}")
        want(heard.startswith((b"a NO", b"a BAD")), f"APPEND of 2 GiB: {heard!r}")
        # One that does not wait for leave: what is refused must still not be taken for commands.
        size = 24 * MIB
        talk.send(b"b APPEND INBOX {%d+}\r\n" % size + b"c NOOP\r\n" * (size // 8) + b"\r\nd NOOP\r\n")
        heard = talk.line()
        want(heard.startswith((b"b NO", b"b BAD", b"* BYE")), f"APPEND of 24 MiB: {heard!r}")
        heard = talk.line()
        want(not heard.startswith(b"c "), f"bytes of a literal were taken for commands: {heard!r}")
    with Talk("imap") as talk:
        talk.ask(b"l LOGIN %s %s" % (target.user(2).encode(), target.PASSWORD.encode()))
        heard = talk.ask(b"s SEARCH " + b"NOT " * 10_000 + b"ALL")
        want(heard.startswith((b"s BAD", b"s NO", b"* BYE")), f"10,000 levels of NOT: {heard[:80]!r}")
        heard = talk.ask(b"t SEARCH " + b"(" * 10_000 + b"ALL" + b")" * 10_000)
        want(heard == b"" or heard.startswith((b"t BAD", b"t NO", b"* BYE")), f"10,000 parentheses: {heard[:80]!r}")


def base64_and_login():
    for words in (b"@@@", b"=", b"AAA", b"AGEA", b"A" * 12_000, base64.b64encode(b"\0" * 50), b"\0\xff", b"*"):
        with Talk("imap") as talk:
            heard = talk.ask(b"x AUTHENTICATE PLAIN " + words)
            want(heard.startswith((b"x NO", b"x BAD", b"* BYE", b"* BAD")), f"IMAP {words[:20]!r}: {heard!r}")
        with Talk("submission") as talk:
            talk.send(b"EHLO x\r\n")
            while talk.line().startswith(b"250-"):
                pass
            heard = talk.ask(b"AUTH PLAIN " + words)
            want(heard.startswith((b"5", b"4")), f"submission {words[:20]!r}: {heard!r}")
        with Talk("pop3") as talk:
            heard = talk.ask(b"AUTH PLAIN " + words)
            want(heard.startswith(b"-ERR"), f"POP3 {words[:20]!r}: {heard!r}")


def is_too_much(raw):
    """Whether the header is beyond what is taken: 1 MiB and 5000 fields."""
    header = raw.partition(b"\r\n\r\n")[0]
    return len(header) > MIB or sum(line[:1] not in (b" ", b"\t") for line in header.split(b"\r\n")) > 5000


def hostile_mails(user):
    """Broken MIME, 10,000 levels of it too, goes in, comes out byte for byte, and every question about it is answered."""
    mails = list(target.corpus("hostile"))
    with smtp.Smtp("lmtp") as client:
        client.hello()
        for ident, raw in list(mails):
            if is_too_much(raw):
                # Said with the bound, and the next mail of the same connection is taken.
                ((code, words),) = client.mail(raw, [user])
                want(code == 550 and "5.6.0" in words and "5000 fields" in words, f"{ident}: {code} {words}")
                mails.remove((ident, raw))
            else:
                client.deliver(raw, [user])
    want(mails, "nothing was left to store")
    conn = imap.login(user, mailbox="INBOX", timeout=180)
    found = dict(target.split_trace(body)[::2] for *_, body in imap.bodies(conn))
    want(found == dict(mails), f"{len(mails)} mails sent, {sum(found.get(i) == m for i, m in mails)} came back as they were")
    for question in ("FETCH 1:* (ENVELOPE BODYSTRUCTURE BODY)", "FETCH 1:* (BODY.PEEK[1.1.1.1] BODY.PEEK[HEADER] BODY.PEEK[1.MIME] BODY.PEEK[TEXT]<5.9>)",
                     'SEARCH TEXT "bottom"', 'SEARCH BODY "end" FROM "a" SUBJECT "deep" SENTSINCE 1-Jan-2020', 'SEARCH HEADER References "<5@x"'):
        start = time.monotonic()
        status, text, _ = imap.raw(conn, question)
        want(status == "OK", f"{question}: {status} {text}")
        want(time.monotonic() - start < 120, f"{question}: {time.monotonic() - start:.1f} s")
    conn.logout()


def no_reading(server, user):
    """Clients that ask for 20 MiB each and read nothing of it."""
    raw = target.marked("large", b"Subject: large\r\n\r\n" + random.Random(1).randbytes(5 * MIB).hex().encode() + b"\r\n")
    with smtp.Smtp("lmtp") as client:
        client.hello()
        for _ in range(2):
            client.deliver(raw, [user])
    talks = []
    with Watched(server, 256 * MIB):
        for _ in range(10):
            talk = Talk("imap")
            talk.ask(b"l LOGIN %s %s" % (user.encode(), target.PASSWORD.encode()))
            talk.send(b"s SELECT INBOX\r\nf FETCH 1:* BODY[]\r\ng FETCH 1:* BODY[]\r\n")
            talks.append(talk)
        time.sleep(3)
    for talk in talks:
        talk.close()


def greedy(server, user):
    """One FETCH that asks for the same 10 MiB a few hundred times, a little differently each time, and reads nothing."""
    items = b" ".join(b"BODY.PEEK[]<%d.20000000>" % n for n in range(300))
    with Watched(server):
        talk = Talk("imap")
        talk.ask(b"l LOGIN %s %s" % (user.encode(), target.PASSWORD.encode()))
        talk.send(b"s SELECT INBOX\r\nf FETCH 1 (" + items + b")\r\n")
        time.sleep(2)
    talk.close()


def half_open(server):
    """Thousands that connect and say nothing, or half of a TLS greeting; above the bound of one address a busy answer."""
    talks = []
    with Watched(server):
        for n in range(2400):
            talks.append(Talk(TEXT[n % len(TEXT)] if n % 6 else "imaps", greeted=False, source="127.0.0.2"))
            if n % 6 == 0:
                talks[-1].send(b"\x16\x03\x01\x02\x00\x01")
        time.sleep(0.5)
        heard = []
        for _ in range(300):
            talk = Talk("smtp", greeted=False, source="127.0.0.2")
            heard.append(talk.line())
            talks.append(talk)
        busy = [line for line in heard if line.startswith(b"421")]
        want(len(busy) >= 150, f"{len(busy)} of 300 above the bound heard that the server is busy: {heard[-1]!r}")
    for talk in talks:
        talk.close()
    # Their places are free again.
    procs.wait_until(lambda: Talk("smtp", source="127.0.0.2").greeting.startswith(b"220"), 120, "a place for the same address")


def account_taken(user):
    """One account on as many connections as it gets: those above its bound are told, and others log in."""
    login = b"l LOGIN %s %s" % (user.encode(), target.PASSWORD.encode())
    talks, refused = [], 0
    for _ in range(60):
        talk = Talk("imap", source="127.0.0.4")
        heard = talk.ask(login)
        if heard.startswith(b"l OK"):
            talks.append(talk)
            continue
        rest = talk.rest()
        want(heard.startswith(b"* BYE ") and rest.startswith(b"l NO [LIMIT] "), f"above the bound of an account: {heard!r} {rest!r}")
        refused += 1
    want((len(talks), refused) == (50, 10), f"{len(talks)} of 60 connections of one account were let in, {refused} refused")
    with Talk("pop3", source="127.0.0.4") as talk:
        talk.ask(b"USER " + user.encode())
        heard = talk.ask(b"PASS " + target.PASSWORD.encode())
        want(heard.startswith(b"-ERR [SYS/TEMP]"), f"POP3 above the bound of an account: {heard!r}")
    for talk in talks:
        talk.close()

    def again():
        with Talk("imap", source="127.0.0.4") as talk:
            return talk.ask(login).startswith(b"l OK")
    procs.wait_until(again, 60, "a place for the same account")


def slow_mail(server):
    """Large mail that comes in by drops, from many addresses and by all ways, would hold all memory that there is for it: it gives way."""
    begin = b"LHLO x\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<%s>\r\n" % target.user(3).encode()
    piece = b"0123456789abcd\r\n" * (6 * MIB // 16)
    talks, start, tries, waited = [], time.monotonic(), 0, None
    for n in range(6):
        talk = Talk("imap" if n % 3 == 2 else "lmtp", seconds=60, source=f"127.0.1.{n + 1}")
        if n % 3 == 2:
            talk.ask(b"l LOGIN %s %s" % (target.user(2).encode(), target.PASSWORD.encode()))
            talk.send(b"a APPEND INBOX {%d+}\r\n" % (10 * MIB) + piece)
        elif n % 3 == 1:
            talk.send(begin + b"BDAT %d\r\n" % len(piece) + piece)
        else:
            talk.send(begin + b"DATA\r\n" + piece)
        talks.append(talk)
    raw = target.marked("large-honest", b"Subject: large\r\n\r\n" + piece[:3 * MIB])
    with Watched(server):
        while True:
            with smtp.Smtp("lmtp", source="127.0.0.5") as client:
                client.hello()
                waited = waited or time.monotonic() - start
                try:
                    client.deliver(raw, [target.user(1)])
                    break
                except smtp.SmtpError as refusal:
                    want(refusal.code == 452, f"{refusal.code}")
            tries += 1
            want(time.monotonic() - start < 60, "slow senders keep all memory for large mail from an honest one")
            for talk in talks:
                talk.send(b"x")
            time.sleep(1)
    # After ten seconds a slow sender gives way to anybody: on a machine where the first try comes so late, there is nothing to be seen.
    want(tries > 0 or waited > 8, "the slow senders never held all there is: this check shows nothing")
    print(f"        a large mail beside slow ones went in {time.monotonic() - start:.1f} s after the first of them began", flush=True)
    for talk in talks:
        talk.close()


def tls_garbage(server):
    rng = random.Random(7)
    with Watched(server):
        for protocol in ("imaps", "submissions", "pop3s"):
            for garbage in (b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\xff\xff" + rng.randbytes(70_000), rng.randbytes(5_000), b"\0" * 5_000, b"a LOGIN x y\r\n"):
                talk = Talk(protocol, greeted=False, seconds=25)
                talk.send(garbage)
                heard = talk.rest()
                want(not heard or heard[0] == 0x15, f"{protocol} {garbage[:10]!r}: {heard[:60]!r}")
                talk.close()
        for protocol, command in (("imap", b"a STARTTLS"), ("submission", b"STARTTLS"), ("pop3", b"STLS"), ("smtp", b"STARTTLS")):
            talk = Talk(protocol, seconds=25)
            if protocol in ("smtp", "submission"):
                talk.send(b"EHLO x\r\n")
                while talk.line().startswith(b"250-"):
                    pass
            heard = talk.ask(command)
            want(heard.startswith((b"a OK", b"220", b"+OK")), f"{protocol} {command!r}: {heard!r}")
            talk.send(rng.randbytes(3_000))
            heard = talk.rest()
            want(not heard or heard[0] == 0x15, f"{protocol} after {command!r}: {heard[:60]!r}")
            talk.close()


def slow_loris(server):
    """A byte now and then, on a hundred connections."""
    talks = [(Talk(protocol, source="127.0.0.3"), protocol) for protocol in TEXT for _ in range(20)]
    data = []
    for _ in range(20):
        talk = Talk("lmtp", source="127.0.0.3")
        talk.send(b"LHLO x\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<%s>\r\nDATA\r\n" % target.user(3).encode())
        data.append(talk)
    with Watched(server):
        for _ in range(20):
            for talk in [talk for talk, _ in talks] + data:
                want(talk.send(b"x"), "a slow client was cut off within seconds")
            time.sleep(0.15)
    for talk, protocol in talks:
        talk.send(b"\r\n")
        heard = talk.line()
        want(is_error(protocol, heard), f"{protocol}: {heard!r}")
    for talk in [talk for talk, _ in talks] + data:
        talk.close()


def main():
    checks = Checks("hostile")
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(8192, resource.getrlimit(resource.RLIMIT_NOFILE)[1]),) * 2)
    server = Posthouse("hostile", runtime=os.environ.get("PH_RUNTIME", "auto"), accounts=6, toml=TOML)
    with server:
        os.environ.update(server.env())
        with Watchman(target.user(1)) as man:
            man.next_round()
        server.fresh_kib = procs.pss_kib(server.roots())
        protocols = [name for name in TEXT if name in server.protocols]
        with checks.check("long lines, NULs and unknown words"), Watched(server):
            for protocol in protocols:
                lines(protocol)
        with checks.check("50 MB without a line end"), Watched(server):
            for protocol in protocols:
                endless(protocol)
        with checks.check("nothing but errors"), Watched(server):
            for protocol in protocols:
                many_errors(protocol)
        with checks.check("literals and nesting"), Watched(server):
            literals()
        with checks.check("broken base64"), Watched(server):
            base64_and_login()
        with checks.check("10,000 levels of MIME and other broken mail"), Watched(server):
            hostile_mails(target.user(4))
        with checks.check("clients that stop reading"):
            no_reading(server, target.user(5))
        with checks.check("one FETCH of the same body many times"):
            greedy(server, target.user(5))
        with checks.check("thousands of half-open connections"):
            half_open(server)
        with checks.check("one account on too many connections"), Watched(server):
            account_taken(target.user(5))
        with checks.check("large mail that comes in by drops"):
            slow_mail(server)
        with checks.check("TLS garbage"):
            tls_garbage(server)
        with checks.check("slow loris"):
            slow_loris(server)
        with checks.check("stops in order"):
            code = server.stop()
            want(code == 0, f"code {code}")
    checks.finish()


if __name__ == "__main__":
    sys.exit(main())
