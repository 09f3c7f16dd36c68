#!/usr/bin/env python3
"""Alpine in a terminal: reads, flags, saves into a new folder, deletes, searches, sends, by IMAP and submission over TLS."""
import glob
import os
import re
import shutil
import sys

from lib import imap, procs, smtp, target
from lib.report import Checks, want

sys.path[:0] = glob.glob(os.path.join(os.environ.get("PH_CACHE", ""), "venv", "lib", "python*", "site-packages"))
import pexpect  # noqa: E402

USER = target.account("alpine")
FOLDER = os.path.join(target.FOLDER, "alpine")
MAIL = "From: Somebody <a@x.test>\r\nTo: <{user}>\r\nSubject: alp{n}\r\nMessage-ID: <alp{n}@x.test>\r\nDate: Mon, 06 Jan 2025 10:00:0{n} +0000\r\n\r\nbody number {n}\r\n"


def pinerc():
    host = f"{target.HOST}:{target.port('imaps')}/ssl/novalidate-cert/user={USER}"
    send = f"{target.HOST}:{target.port('submissions')}/ssl/novalidate-cert/user={USER}"
    path = os.path.join(FOLDER, "pinerc")
    with open(path, "w") as file:
        file.write(f"personal-name=Tester\nuser-domain={target.DOMAIN}\ninbox-path={{{host}}}INBOX\nfolder-collections=Mail {{{host}}}[]\n"
                   f"smtp-server={send}\ndefault-fcc=Sent\ncustomized-hdrs=From: <{USER}>\nlast-version-used=9.99\n"
                   "feature-list=enable-aggregate-command-set,expunge-without-confirm-everywhere,quit-without-confirm,enable-flag-cmd,"
                   "save-will-quote-leading-froms,no-enable-msg-view-urls,allow-changing-from\n")
    return path


class Alpine:
    """One run: keys go in, the screen comes out as a stream of bytes."""

    def __init__(self):
        argv = ["-p", pinerc(), "-P", "/dev/null", "-passfile", "/dev/null"]
        env = os.environ | {"TERM": "xterm", "HOME": FOLDER, "LANG": "C.UTF-8"}
        self.child = pexpect.spawn("alpine", argv, env=env, timeout=30, dimensions=(40, 120), encoding="utf-8", codec_errors="replace")
        # What was on the screen, for whoever looks into a failure.
        self.child.logfile_read = open(os.path.join(FOLDER, "screen"), "a")
        # It forgets what is typed before it asks.
        self.child.delaybeforesend = 0.5
        self.seen("opened with")

    def seen(self, *patterns):
        """Waits for a text on the screen; a question for the password is answered before it."""
        while True:
            at = self.child.expect([r"(?i)PASSWORD:", r"(?i)preserve password", *[re.escape(pattern) for pattern in patterns], pexpect.EOF])
            if at == 0:
                self.child.send(target.PASSWORD + "\r")
            elif at == 1:
                self.child.send("n")
            else:
                want(at < 2 + len(patterns), f"alpine has ended: {self.child.before[-300:]!r}")
                return

    def keys(self, keys, *patterns):
        self.child.send(keys)
        if patterns:
            self.seen(*patterns)

    def whereis(self, word):
        self.keys("w", "Word to search for")
        self.keys(word + "\r", "found")

    def quit(self):
        self.child.send("q")
        at = self.child.expect([pexpect.EOF, r"(?i)really quit"])
        if at == 1:
            self.child.send("y")
            self.child.expect(pexpect.EOF)
        self.child.close()
        want(self.child.exitstatus == 0, f"code {self.child.exitstatus}")


def there(mailbox="INBOX"):
    return imap.by_subject(USER, mailbox)


def main():
    checks = Checks("alpine")
    shutil.rmtree(FOLDER, ignore_errors=True)
    os.makedirs(FOLDER)
    smtp.deliver(USER, [MAIL.format(n=n, user=USER) for n in range(4)])
    with checks.check("logs in over TLS, lists INBOX, shows a message"):
        alpine = Alpine()
        alpine.keys("i", "alp3")
        alpine.whereis("alp1")
        alpine.keys("\r", "body number 1")
        alpine.keys("<", "MESSAGE INDEX")
    with checks.check("flags, saves into a new folder, deletes and expunges"):
        alpine.whereis("alp0")
        alpine.keys("*", "Flag")
        alpine.keys("*")
        alpine.whereis("alp2")
        alpine.keys("s", "SAVE")
        alpine.keys("Alpine\r", "Create", "doesn't exist")
        alpine.keys("y", "copied", "Saving")
        alpine.whereis("alp3")
        alpine.keys("d")
        alpine.keys("x", "xpunge")
        want(set(there()) == {"alp0", "alp1"}, f"{there()}")
        want("\\Seen" in there()["alp1"] and "\\Flagged" in there()["alp0"], f"{there()}")
        want(set(there("Alpine") or {}) == {"alp2"}, f"{there('Alpine')}")
    with checks.check("selects by a search on the server"):
        alpine.keys(";", "SELECT criteria")
        alpine.keys("t", "based on")
        alpine.keys("a")
        alpine.keys("number 1\r", "1 message")
    with checks.check("sends by submission, and keeps a copy in Sent"):
        alpine.keys("c", "To")
        alpine.keys(USER + "\r\r\r" + "by alpine\r" + "Hello.\r")
        alpine.keys("\x18", "Send message")
        alpine.keys("y", "Fcc", "New mail", "sent and copied")
        alpine.quit()
        procs.wait_until(lambda: "by alpine" in there() and "by alpine" in there("Sent"), 30, "the message that was sent")
    checks.finish()


if __name__ == "__main__":
    sys.exit(main())
