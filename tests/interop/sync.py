#!/usr/bin/env python3
"""Two-way synchronisation: mbsync and OfflineIMAP carry new mails, flags, deletions and folders both ways; neomutt works by script."""
import os
import re
import shutil
import subprocess
import sys

from lib import imap, target
from lib.mbsync import Mbsync
from lib.report import Checks, want

FOLDER = os.path.join(target.FOLDER, "sync")
OFFLINE = """\
[general]
accounts = a
metadata = {folder}/meta
ui = quiet
[Account a]
localrepository = near
remoterepository = far
[Repository near]
type = Maildir
localfolders = {folder}/mail
[Repository far]
type = IMAP
remotehost = {host}
remoteport = {port}
remoteuser = {user}
remotepass = {password}
ssl = no
starttls = no
auth_mechanisms = LOGIN
"""


def mail(name):
    return f"From: a@x.test\r\nTo: b@x.test\r\nSubject: {name}\r\nMessage-ID: <{name}@x.test>\r\nDate: Mon, 06 Jan 2025 10:00:00 +0000\r\n\r\nbody of {name}\r\n".encode()


def near(folder, mailbox):
    """{subject: (path, letters)} as the Maildir has it."""
    found = {}
    for part in ("new", "cur"):
        base = os.path.join(folder, "mail", mailbox, part)
        for name in os.listdir(base):
            with open(os.path.join(base, name), "rb") as file:
                subject = re.search(rb"Subject: (\S+)", file.read()).group(1).decode()
            found[subject] = (os.path.join(base, name), name.partition(":2,")[2])
    return found


def put(folder, mailbox, name):
    base = os.path.join(folder, "mail", mailbox)
    with open(os.path.join(base, "tmp", name), "wb") as file:
        file.write(mail(name).replace(b"\r\n", b"\n"))
    os.rename(os.path.join(base, "tmp", name), os.path.join(base, "cur", f"{name}:2,S"))


def mark(folder, mailbox, name, letters):
    path, _ = near(folder, mailbox)[name]
    base = os.path.basename(path).partition(":2,")[0]
    os.rename(path, os.path.join(folder, "mail", mailbox, "cur", f"{base}:2,{letters}"))


def offlineimap(folder, user):
    """What runs OfflineIMAP once."""
    os.makedirs(os.path.join(folder, "mail"))
    with open(os.path.join(folder, "rc"), "w") as file:
        file.write(OFFLINE.format(host=target.HOST, port=target.port("imap"), user=user, password=target.PASSWORD, folder=folder))

    def sync():
        argv = ["offlineimap", "-c", f"{folder}/rc", "-o"]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=300, stdin=subprocess.DEVNULL)
        want(done.returncode == 0, f"OfflineIMAP code {done.returncode}: {(done.stdout + done.stderr)[-500:]}")
    return sync


def two_way(checks, program, user, make):
    """The same story for each program; what `make` gives runs it once."""
    folder = os.path.join(FOLDER, program)
    sync = make(folder, user)
    conn = imap.login(user)
    with checks.check(f"{program}: mails and folders come"):
        for n in range(12):
            imap.ok(conn.append("INBOX", "(\\Flagged)" if n % 3 == 0 else None, None, mail(f"far{n}")))
        imap.ok(conn.create("Work"))
        imap.ok(conn.append("Work", "(\\Seen)", None, mail("work0")))
        sync()
        got = near(folder, "INBOX")
        want(len(got) == 12 and all(("F" in got[f"far{n}"][1]) == (n % 3 == 0) for n in range(12)), f"{got}")
        want(near(folder, "Work")["work0"][1] == "S", "Work")
    with checks.check(f"{program}: changes on both sides meet"):
        put(folder, "INBOX", "near0")
        mark(folder, "INBOX", "far1", "RS")
        mark(folder, "INBOX", "far2", "ST")
        imap.ok(conn.select("INBOX"))
        imap.ok(conn.store("4", "+FLAGS", "(\\Seen \\Answered)"))
        imap.ok(conn.store("5", "+FLAGS", "(\\Deleted)"))
        imap.ok(conn.expunge())
        imap.ok(conn.append("INBOX", None, None, mail("far12")))
        sync()
        sync()
        there, here = imap.by_subject(user), near(folder, "INBOX")
        here = {name: value for name, value in here.items() if "T" not in value[1]}
        there = {name: flags for name, flags in there.items() if "\\Deleted" not in flags}
        want(set(there) == set(here), f"only there {set(there) - set(here)}, only here {set(here) - set(there)}")
        want("far2" not in there and "far4" not in there and {"near0", "far12"} <= set(there), f"{sorted(there)}")
        want({"\\Seen", "\\Answered"} <= there["far1"] and set("RS") <= set(here["far3"][1]), f"{there['far1']} {here['far3'][1]}")
    with checks.check(f"{program}: a folder made here is made there"):
        for part in ("new", "cur", "tmp"):
            os.makedirs(os.path.join(folder, "mail", "Made", part))
        put(folder, "Made", "made0")
        sync()
        want(imap.by_subject(user, "Made") == {"made0": {"\\Seen"}}, f"{imap.by_subject(user, 'Made')}")
    with checks.check(f"{program}: nothing to do changes nothing"):
        conn.select("INBOX")
        before = imap.ok(conn.status("INBOX", "(MESSAGES UIDNEXT HIGHESTMODSEQ)"))
        sync()
        want(imap.ok(conn.status("INBOX", "(MESSAGES UIDNEXT HIGHESTMODSEQ)")) == before, "the mailbox has changed")
    conn.logout()


def neomutt(checks, user):
    folder = os.path.join(FOLDER, "neomutt")
    os.makedirs(folder)
    conn = imap.login(user)
    for n in range(4):
        imap.ok(conn.append("INBOX", None, None, mail(f"mutt{n}")))
    url = f"imap://{target.HOST}:{target.port('imap')}/"
    with open(os.path.join(folder, "rc"), "w") as file:
        file.write(f'set imap_user="{user}" imap_pass="{target.PASSWORD}" folder="{url}" spoolfile="+INBOX" ssl_starttls=no ssl_force_tls=no\n'
                   f'set confirmcreate=no confirmappend=no delete=yes quit=yes move=no wait_key=no header_cache="{folder}/cache" imap_qresync=yes\n'
                   'set imap_authenticators="login" record="" abort_nosubject=no mail_check=0\n')

    def run(keys):
        inner = f"TERM=xterm neomutt -n -F {folder}/rc -e 'push \"{keys}\"'"
        done = subprocess.run(["script", "-qec", inner, "/dev/null"], capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL)
        want(done.returncode == 0, f"neomutt code {done.returncode}: {done.stdout[-300:]!r}")

    with checks.check("neomutt: reads, flags, saves into a new folder, deletes"):
        run("<limit>mutt1<enter><display-message><exit><flag-message><limit>all<enter><quit>")
        run("<limit>mutt2<enter><save-message>=Kept<enter><limit>all<enter><quit>")
        run("<delete-pattern>~s mutt3<enter><quit>")
        there = imap.by_subject(user)
        want(set(there) == {"mutt0", "mutt1"} and {"\\Seen", "\\Flagged"} <= there["mutt1"], f"{there}")
        want(set(imap.by_subject(user, "Kept") or {}) == {"mutt2"}, f"{imap.by_subject(user, 'Kept')}")
    with checks.check("neomutt: finds on the server what another client has changed"):
        imap.ok(conn.select("INBOX"))
        imap.ok(conn.store("1", "+FLAGS", "(\\Deleted)"))
        imap.ok(conn.expunge())
        imap.ok(conn.append("INBOX", None, None, mail("mutt4")))
        run("<tag-pattern>=b body<enter><tag-prefix><flag-message><quit>")
        there = imap.by_subject(user)
        want(set(there) == {"mutt1", "mutt4"} and all("\\Flagged" in flags or name == "mutt1" for name, flags in there.items()), f"{there}")
    conn.logout()


def main():
    checks = Checks("sync")
    shutil.rmtree(FOLDER, ignore_errors=True)
    os.makedirs(FOLDER)
    two_way(checks, "mbsync", target.account("sync"),
            lambda folder, user: Mbsync(folder, user, "Create Both\nRemove Both\nExpunge Both\nSync All"))
    if shutil.which("offlineimap"):
        two_way(checks, "OfflineIMAP", target.account("sync", 1), offlineimap)
    if shutil.which("neomutt"):
        neomutt(checks, target.account("sync", 2))
    checks.finish()


if __name__ == "__main__":
    sys.exit(main())
