#!/usr/bin/env python3
"""curl as a mail client: IMAP, POP3 and SMTP, plain and with TLS."""
import os
import subprocess
import sys
import tempfile

from lib import smtp, target
from lib.report import Checks, want

USER = target.account("curl")
MAIL = target.marked("curl", b"From: " + USER.encode() + b"\r\nSubject: by curl\r\n\r\n.one\r\ntwo\r\n")


def curl(*argv):
    done = subprocess.run(["curl", "-sS", "--max-time", "30", "-k", *argv], capture_output=True, stdin=subprocess.DEVNULL)
    want(done.returncode == 0, f"curl {' '.join(argv[:3])}: code {done.returncode} {done.stderr.decode()}")
    return done.stdout


def main():
    checks = Checks("curl")
    login = f"{USER}:{target.PASSWORD}"
    url = lambda scheme, protocol, path="": f"{scheme}://{target.HOST}:{target.port(protocol)}/{path}"
    with smtp.Smtp("lmtp") as client:
        client.hello().deliver(MAIL, [USER])
    with checks.check("LIST, EXAMINE, SEARCH by imap"):
        want(b"INBOX" in curl("-u", login, url("imap", "imap")), "no INBOX")
        want(b"EXISTS" in curl("-u", login, url("imap", "imap"), "-X", "EXAMINE INBOX"), "no EXISTS")
        want(b"SEARCH 1" in curl("-u", login, url("imap", "imap", "INBOX?SUBJECT%20curl")), "not found")
    for scheme, protocol, extra in (("imap", "imap", ()), ("imap", "imap", ("--ssl-reqd",)), ("imaps", "imaps", ())):
        with checks.check(f"fetch by {scheme} {' '.join(extra)}"):
            got = curl("-u", login, *extra, url(scheme, protocol, "INBOX;MAILINDEX=1"))
            want(target.split_trace(got)[2] == MAIL, repr(got[-100:]))
    for scheme, protocol, extra in (("pop3", "pop3", ()), ("pop3", "pop3", ("--ssl-reqd",)), ("pop3s", "pop3s", ())):
        with checks.check(f"fetch by {scheme} {' '.join(extra)}"):
            got = curl("-u", login, *extra, url(scheme, protocol, "1"))
            want(target.split_trace(got)[2] == MAIL, repr(got[-100:]))
    with tempfile.NamedTemporaryFile() as file:
        file.write(MAIL)
        file.flush()
        with checks.check("APPEND by imap"):
            curl("-u", login, "-T", file.name, url("imap", "imap", "INBOX"))
            want(curl("-u", login, url("imap", "imap", "INBOX;MAILINDEX=2")) == MAIL, "not as sent")
        for scheme, protocol, extra in (("smtp", "submission", ("--ssl-reqd",)), ("smtps", "submissions", ())):
            with checks.check(f"send by {scheme} with AUTH"):
                curl("-u", login, *extra, "--mail-from", USER, "--mail-rcpt", USER, "-T", file.name, url(scheme, protocol, "client.test"))
    with checks.check("what was sent arrives"):
        import time
        end = time.monotonic() + 60
        while b"SEARCH 1 2 3 4" not in (got := curl("-u", login, url("imap", "imap", "INBOX?ALL"))):
            want(time.monotonic() < end, repr(got))
            time.sleep(0.2)
    checks.finish()


if __name__ == "__main__":
    sys.exit(main())
