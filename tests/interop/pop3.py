#!/usr/bin/env python3
"""POP3 through Python's poplib: RFC 1939 with UIDL and TOP, CAPA, STLS, SASL."""
import base64
import poplib
import sys

from lib import smtp, target
from lib.report import Checks, want

poplib._MAXLINE = 50_000_000
USER = target.account("pop3")
MAILS = [target.marked(f"pop-{n}", b"Subject: pop %d\r\n\r\n.dot\r\n..two\r\n%s\r\n" % (n, b"line\r\n" * n)) for n in range(5)]


def login(tls=False):
    conn = poplib.POP3_SSL(target.HOST, target.port("pop3s"), context=smtp.insecure_tls()) if tls else poplib.POP3(target.HOST, target.port("pop3"))
    conn.user(USER)
    conn.pass_(target.PASSWORD)
    return conn


def retr(conn, number):
    return b"".join(line + b"\r\n" for line in conn.retr(number)[1])


def main():
    checks = Checks("pop3")
    with smtp.Smtp("lmtp") as client:
        client.hello()
        for mail in MAILS:
            client.deliver(mail, [USER])
    with checks.check("CAPA lists what is needed"):
        conn = poplib.POP3(target.HOST, target.port("pop3"))
        caps = conn.capa()
        lacking = {"USER", "UIDL", "TOP", "STLS", "SASL"} - set(caps)
        want(not lacking, f"not offered: {sorted(lacking)}")
        conn.quit()
    with checks.check("a wrong password is -ERR"):
        conn = poplib.POP3(target.HOST, target.port("pop3"))
        conn.user(USER)
        try:
            conn.pass_("wrong")
        except poplib.error_proto:
            conn.close()
        else:
            want(False, "accepted")
    with checks.check("STAT, LIST and RETR agree, bytes as sent"):
        conn = login()
        count, size = conn.stat()
        want(count == len(MAILS), f"{count} messages")
        sizes = [int(line.split()[1]) for line in conn.list()[1]]
        want(sum(sizes) == size, f"STAT {size}, LIST {sum(sizes)}")
        for number, mail in enumerate(MAILS, 1):
            got = retr(conn, number)
            want(len(got) == sizes[number - 1], f"{number}: LIST {sizes[number - 1]}, RETR {len(got)}")
            want(target.split_trace(got)[2] == mail, f"{number}: {got[-80:]!r}")
        conn.quit()
    with checks.check("TOP gives the header and that many lines"):
        conn = login()
        lines = conn.top(5, 2)[1]
        want(lines[-3:] == [b"", b".dot", b"..two"], str(lines[-4:]))
        conn.quit()
    with checks.check("UIDL is unique and stays over sessions, TLS too"):
        conn = login()
        first = conn.uidl()[1]
        conn.quit()
        conn = login(tls=True)
        want(conn.uidl()[1] == first and len({line.split()[1] for line in first}) == len(MAILS), "changed or not unique")
        conn.quit()
    with checks.check("STLS and AUTH PLAIN"):
        conn = poplib.POP3(target.HOST, target.port("pop3"))
        conn.stls(smtp.insecure_tls())
        token = base64.b64encode(f"\0{USER}\0{target.PASSWORD}".encode()).decode()
        want(conn._shortcmd(f"AUTH PLAIN {token}").startswith(b"+OK"), "no +OK")
        want(conn.stat()[0] == len(MAILS), "other mailbox")
        conn.quit()
    with checks.check("DELE with RSET or a lost connection keeps, DELE with QUIT removes"):
        conn = login()
        conn.dele(1)
        conn.rset()
        conn.dele(2)
        conn.close()
        conn = login()
        want(conn.stat()[0] == len(MAILS), "lost without QUIT")
        conn.dele(1)
        conn.quit()
        conn = login()
        want(conn.stat()[0] == len(MAILS) - 1, f"{conn.stat()[0]} left")
        want(target.split_trace(retr(conn, 1))[0] == "pop-1", "the wrong one went")
        conn.quit()
    with checks.check("unknown commands and numbers are -ERR, the session goes on"):
        conn = login()
        for text in ("XYZZY", "RETR 99", "RETR 0", "RETR -1", "RETR 99999999999999999999", "DELE", "TOP 1"):
            try:
                conn._shortcmd(text)
            except poplib.error_proto:
                continue
            want(False, f"{text} accepted")
        want(conn.noop().startswith(b"+OK"), "no NOOP")
        conn.quit()
    checks.finish()


if __name__ == "__main__":
    sys.exit(main())
