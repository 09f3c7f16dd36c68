#!/usr/bin/env python3
"""Pulls everything that deliver.py sent and compares it byte for byte: by IMAP, by POP3 and with mbsync."""
import os
import re
import shutil
import subprocess
import sys

from lib import imap, pop3, target
from lib.report import Checks, want

LIMIT = int(os.environ.get("PH_MAILS", "6046"))
ACCOUNTS = [("lmtp", n) for n in range(40)] + [("smtp", n) for n in range(40)]


def expected():
    out = {}
    for name, limit in (("spamassassin", LIMIT), ("chinese", None), ("attachments", None)):
        for ident, raw in target.corpus(name, limit):
            for protocol in ("lmtp", "smtp"):
                out[f"{protocol}-{ident}"] = raw.replace(target.MARK, target.MARK + protocol.encode() + b"-", 1)
    return out


class Found:
    """Holds what was read against what was sent."""

    def __init__(self, sent):
        self.sent, self.seen, self.problems = sent, {}, []

    def add(self, stored, where):
        try:
            ident, trace, mail = target.split_trace(stored)
        except ValueError as problem:
            self.problems.append(f"{where}: {problem}")
            return
        if ident not in self.sent:
            return
        if ident in self.seen:
            self.problems.append(f"{ident} twice: {self.seen[ident]} and {where}")
        self.seen[ident] = where
        sent = self.sent[ident]
        if ident.startswith("smtp-"):
            mail, sent = target.without_path(mail), target.without_path(sent)
        if mail != sent:
            self.problems.append(f"{ident}: {target.difference(sent, mail)}")
        for name in (b"Return-Path:", b"Received:"):
            if name.lower() not in trace.lower():
                self.problems.append(f"{ident}: no {name.decode()} on top")

    def verdict(self):
        missing = [ident for ident in self.sent if ident not in self.seen]
        want(not missing, f"{len(missing)} of {len(self.sent)} missing, first {missing[:3]}")
        want(not self.problems, f"{len(self.problems)} problems, first {self.problems[:2]}")


def by_imap(sent):
    found = Found(sent)
    for script, number in ACCOUNTS:
        user = target.account(script, number)
        conn = imap.login(user, mailbox="INBOX")
        for uid, _, size, body in imap.bodies(conn):
            if size != len(body):
                found.problems.append(f"{user} uid {uid}: RFC822.SIZE {size}, body {len(body)}")
            found.add(body, f"{user} uid {uid}")
        conn.logout()
    found.verdict()


def by_pop3(sent):
    found = Found(sent)
    for script, number in ACCOUNTS:
        user = target.account(script, number)
        conn = pop3.Pop3(user)
        for number, size in enumerate(conn.sizes(), 1):
            body = conn.retr(number)
            if size != len(body):
                found.problems.append(f"{user} message {number}: LIST {size}, RETR {len(body)}")
            found.add(body, f"{user} message {number}")
        conn.quit()
    found.verdict()


RC = """\
IMAPAccount {n}
Host {host}
Port {port}
User {user}
Pass {password}
SSLType None
AuthMechs LOGIN

IMAPStore {n}-far
Account {n}

MaildirStore {n}-near
Path {folder}/{n}/
Inbox {folder}/{n}/INBOX

Channel {n}
Far :{n}-far:
Near :{n}-near:
Patterns INBOX
Create Near
Sync Pull
SyncState {folder}/state-{n}

"""


def by_mbsync(sent):
    folder = os.path.join(target.FOLDER, "mbsync")
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    users = [target.account(script, number) for script, number in ACCOUNTS]
    with open(f"{folder}/rc", "w") as file:
        file.write("FSync no\n\n")
        for n, user in enumerate(users):
            os.makedirs(f"{folder}/a{n}")
            file.write(RC.format(n=f"a{n}", host=target.HOST, port=target.port("imap"), user=user, password=target.PASSWORD, folder=folder))
    # As its users run it, from time to time: what the first run says is shown, and the second has to bring everything.
    for attempt in (1, 2):
        done = subprocess.run(["mbsync", "-c", f"{folder}/rc", "-q", "-a"], capture_output=True, text=True, timeout=900, stdin=subprocess.DEVNULL)
        if done.returncode == 0:
            break
        said = "\n".join(line for line in done.stderr.splitlines() if "sent in the clear" not in line)
        print(f"        mbsync, run {attempt}: code {done.returncode}: {said[-1000:]}", flush=True)
    want(done.returncode == 0, f"mbsync code {done.returncode}: {said[-1000:]}" if done.returncode else "")
    found = Found(sent)
    for base, _, names in os.walk(folder):
        if os.path.basename(base) in ("new", "cur"):
            for name in names:
                with open(os.path.join(base, name), "rb") as file:
                    # A Maildir holds LF; no mail of the corpora has a bare LF or CR.
                    stored = file.read().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
                # mbsync's own mark, at the end of the header.
                found.add(re.sub(rb"\r\nX-TUID: [^\r\n]{12}\r\n", b"\r\n", stored, count=1), name)
    found.verdict()
    shutil.rmtree(folder)


def main():
    checks = Checks("readback")
    sent = expected()
    with checks.check(f"IMAP gives back all {len(sent)} mails byte for byte"):
        by_imap(sent)
    with checks.check(f"POP3 gives back all {len(sent)} mails byte for byte"):
        by_pop3(sent)
    with checks.check(f"mbsync pulls all {len(sent)} mails byte for byte"):
        by_mbsync(sent)
    with checks.check("each of ten recipients has its copy"):
        for number in range(80, 90):
            conn = imap.login(target.user(number), mailbox="INBOX")
            found = imap.ok(conn.search(None, "HEADER", "X-Posthouse-Test", "ten"))[0].split()
            want(len(found) == 1, f"{target.user(number)}: {len(found)}")
            conn.logout()
    with checks.check("smtp-source's 300 mails are there"):
        conn = imap.login(target.user(99))
        exists = int(imap.ok(conn.select("INBOX"))[0])
        want(exists == 300, f"{exists} messages")
        conn.logout()
    checks.finish()


if __name__ == "__main__":
    sys.exit(main())
