#!/usr/bin/env python3
"""SMTP and LMTP against who tries to pass one message, or one command, off as another: everything but CRLF.CRLF that some server has
taken for the end of a message, sizes that lie, chunks that do not add up, commands behind STARTTLS.
"""
import os
import sys

from lib import imap, target
from lib.report import Checks, want
from lib.servers import Posthouse
from lib.smtp import insecure_tls
from lib.talk import Talk

# CVE-2023-51764 to 51766 and their kin.
ENDS = [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r\n.\r", b"\r.\r", b"\r.\r\n", b"\n.\r", b"\r\n\0.\r\n", b"\r\r\n.\n", b"\r\n.\r\r\n", b"\n\n.\r\n",
        b"\r\n.\n\r\n", b"\r\n.\0\r\n", b"\r\n. \r\n", b"\r\n.\x0b\r\n", b"\xe2\x80\xa8.\xe2\x80\xa8", b"\xc2\x85.\xc2\x85"]
SIZE_MAX = 200_000
TOML = f"""
[limits]
message_size_bytes_max = {SIZE_MAX}
"""
ROLES = {"smtp": b"EHLO", "lmtp": b"LHLO"}


def begin(protocol, rcpt, options=b""):
    """A connection on which MAIL and RCPT are taken."""
    talk = Talk(protocol)
    talk.send(ROLES[protocol] + b" client.test\r\n")
    while talk.line().startswith(b"250-"):
        pass
    heard = talk.ask(b"MAIL FROM:<a@b.test>" + options)
    want(heard.startswith(b"250"), f"MAIL{options!r}: {heard!r}")
    heard = talk.ask(b"RCPT TO:<%s>" % rcpt.encode())
    want(heard.startswith(b"250"), f"RCPT: {heard!r}")
    return talk


def data(talk):
    heard = talk.ask(b"DATA")
    want(heard.startswith(b"354"), f"DATA: {heard!r}")


def inbox(user):
    conn = imap.login(user)
    exists = int(imap.ok(conn.select("INBOX"))[0])
    bodies = [body for *_, body in imap.bodies(conn)] if exists else []
    if exists:
        conn.store("1:*", "+FLAGS.SILENT", "\\Deleted")
        conn.expunge()
    conn.logout()
    return bodies


def ends(protocol, user):
    """Behind each false end stands a second message: it must stay a part of the first, or both must be refused."""
    for end in ENDS:
        talk = begin(protocol, user)
        data(talk)
        talk.send(b"Subject: one\r\n\r\nx" + end + b"MAIL FROM:<evil@b.test>\r\nRCPT TO:<" + user.encode()
                  + b">\r\nDATA\r\nSubject: two\r\n\r\nsmuggled\r\n.\r\nQUIT\r\n")
        heard = talk.rest()
        codes = [line[:3] for line in heard.split(b"\r\n")]
        want(codes.count(b"354") == 0, f"{protocol} {end!r}: a second DATA was taken: {heard!r}")
        found = inbox(user)
        taken = codes[0] == b"250"
        want(taken or codes[0][:1] == b"5", f"{protocol} {end!r}: {heard!r}")
        want(len(found) == int(taken), f"{protocol} {end!r}: {len(found)} messages after {heard!r}")
        want(not taken or b"evil@b.test" in found[0], f"{protocol} {end!r}: the second message is not a part of the first")
        bare = any(byte in b"\r\n" for byte in end.replace(b"\r\n", b""))
        want(protocol == "lmtp" or not bare or not taken, f"{protocol} {end!r}: a CR or LF alone was taken")
        talk.close()


def header_line_ends(user):
    """The same in a header: what a later server would read as its end."""
    for line in (b"Subject: a\nBcc: x@y", b"Subject: a\rBcc: x@y", b"Subject: a\n\nbody", b"\rFrom: x"):
        talk = begin("smtp", user)
        data(talk)
        heard = talk.ask(line + b"\r\n\r\nx\r\n.")
        want(heard.startswith(b"5"), f"{line!r}: {heard!r}")
        talk.close()
    want(inbox(user) == [], "a refused message is there")


def sizes(user):
    talk = begin("smtp", user, b" SIZE=%d" % SIZE_MAX)
    talk.close()
    with Talk("smtp") as talk:
        talk.send(b"EHLO x\r\n")
        lines = [talk.line()]
        while lines[-1].startswith(b"250-"):
            lines.append(talk.line())
        want(b"250-SIZE %d" % SIZE_MAX in lines or b"250 SIZE %d" % SIZE_MAX in lines, f"EHLO: {lines}")
        for size in (b"%d" % (SIZE_MAX + 1), b"99999999999999999999999", b"-1", b"x", b""):
            heard = talk.ask(b"MAIL FROM:<a@b.test> SIZE=" + size)
            want(heard.startswith(b"5"), f"SIZE={size!r}: {heard!r}")
    # Said to be small, sent large: read to its end, refused, and the connection goes on.
    talk = begin("smtp", user, b" SIZE=10")
    data(talk)
    heard = talk.ask(b"Subject: large\r\n\r\n" + b"x" * 78 + (b"\r\n" + b"y" * 78) * (SIZE_MAX // 40) + b"\r\n.")
    want(heard.startswith(b"552"), f"a message over the limit: {heard!r}")
    want(talk.ask(b"NOOP").startswith(b"250"), "the connection is out of step")
    talk.close()
    want(inbox(user) == [], "a refused message is there")


def chunks(protocol, user):
    talk = begin(protocol, user)
    talk.send(b"BDAT 16\r\nSubject: a\r\n\r\n.\r\nBDAT 0\r\nBDAT 7 LAST\r\n.\r\nx.\r\nNOOP\r\n")
    # The first chunk ends behind the CR of its dot: no chunk has a final dot, and every byte counts.
    heard = [talk.line() for _ in range(3)]
    talk.close()
    want(heard[0].startswith(b"250"), f"BDAT: {heard}")
    inbox(user)
    for line in (b"BDAT", b"BDAT x", b"BDAT -1 LAST", b"BDAT 5 FIRST", b"BDAT 99999999999999999999999 LAST"):
        talk = begin(protocol, user)
        heard = talk.ask(line)
        want(heard == b"" or heard.startswith((b"5", b"421")), f"{line!r}: {heard!r}")
        talk.close()
    # Without MAIL the bytes are thrown away, not obeyed.
    with Talk(protocol) as talk:
        talk.send(ROLES[protocol] + b" x\r\n")
        while talk.line().startswith(b"250-"):
            pass
        talk.send(b"BDAT 21 LAST\r\nMAIL FROM:<a@b.c>\r\n\r\nNOOP\r\n")
        heard = [talk.line(), talk.line()]
        want(heard[0].startswith(b"503") and heard[1].startswith(b"250"), f"BDAT first: {heard}")
        want(talk.ask(b"RCPT TO:<%s>" % user.encode()).startswith(b"503"), "bytes of a refused chunk were obeyed")
    # DATA after a chunk, and a chunk over the limit.
    talk = begin(protocol, user)
    talk.send(b"BDAT 3\r\nabc")
    want(talk.line().startswith(b"250"), "a chunk")
    want(talk.ask(b"DATA").startswith(b"503"), "DATA after BDAT")
    talk.close()
    talk = begin(protocol, user)
    talk.send(b"BDAT %d\r\n" % (SIZE_MAX + 1) + b"x" * (SIZE_MAX + 1) + b"NOOP\r\n")
    heard = [talk.line(), talk.line()]
    want(heard[0].startswith(b"552") and heard[1].startswith(b"250"), f"a chunk over the limit: {heard}")
    talk.close()
    want(inbox(user) == [], "a refused message is there")


def behind_starttls(protocol, command, injected, prompt):
    """What came in the clear behind STARTTLS is never answered under TLS (CVE-2011-0411)."""
    talk = Talk(protocol)
    if prompt:
        talk.send(prompt)
        while talk.line().startswith(b"250-"):
            pass
    talk.send(command + b"\r\n" + injected + b"\r\n")
    heard = talk.line()
    if heard.startswith((b"421", b"5", b"-ERR", b"* BYE")) or b" BAD" in heard or heard == b"":
        return
    try:
        talk.sock.settimeout(10)
        tls = insecure_tls().wrap_socket(talk.sock)
    except OSError:
        return
    tls.settimeout(2)
    try:
        heard = tls.recv(1000)
    except TimeoutError:
        heard = b""
    want(heard == b"", f"{protocol}: answered under TLS: {heard!r}")


def main():
    checks = Checks("smuggle")
    server = Posthouse("smuggle", runtime=os.environ.get("PH_RUNTIME", "auto"), accounts=4, toml=TOML)
    with server:
        os.environ.update(server.env())
        for protocol in ROLES:
            with checks.check(f"{protocol}: only CRLF.CRLF ends a message"):
                ends(protocol, target.user(0))
            with checks.check(f"{protocol}: chunks"):
                chunks(protocol, target.user(2))
        with checks.check("smtp: a CR or LF alone in a header"):
            header_line_ends(target.user(1))
        with checks.check("smtp: SIZE that is too large, or that lies"):
            sizes(target.user(1))
        for protocol, command, injected, prompt in (
            ("smtp", b"STARTTLS", b"NOOP", b"EHLO x\r\n"),
            ("submission", b"STARTTLS", b"EHLO y", b"EHLO x\r\n"),
            ("lmtp", b"STARTTLS", b"NOOP", b"LHLO x\r\n"),
            ("imap", b"a STARTTLS", b"b NOOP", b""),
            ("pop3", b"STLS", b"NOOP", b""),
        ):
            if protocol in server.protocols:
                with checks.check(f"{protocol}: nothing passes from before TLS"):
                    behind_starttls(protocol, command, injected, prompt)
        with checks.check("stops in order"):
            want(server.stop() == 0, "code")
    checks.finish()


if __name__ == "__main__":
    sys.exit(main())
