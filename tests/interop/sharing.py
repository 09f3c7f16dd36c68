#!/usr/bin/env python3
"""Shared mailboxes through imaplib, imapclient and mbsync: the owner shares, others list, read, mark, put in and synchronise. Posthouse only."""
import glob
import os
import re
import shutil
import sys

from lib import imap, target
from lib.imap import ok
from lib.mbsync import Mbsync
from lib.report import Checks, want

sys.path[:0] = glob.glob(os.path.join(os.environ.get("PH_CACHE", ""), "venv", "lib", "python*", "site-packages"))

OWNER, OTHER, STRANGER = target.account("share"), target.account("share", 1), target.account("share", 2)
THERE = f"Other Users/{OWNER}/Team"


def mail(name):
    return f"From: a@x.test\r\nSubject: {name}\r\nMessage-ID: <{name}@x.test>\r\nDate: Mon, 06 Jan 2025 10:00:00 +0000\r\n\r\nbody of {name}\r\n".encode()


def unseen(conn, mailbox):
    return int(re.search(rb"UNSEEN (\d+)", ok(conn.status(f'"{mailbox}"', "(UNSEEN)"))[0]).group(1))


def with_imaplib(checks):
    owner, other = imap.login(OWNER), imap.login(OTHER)
    with checks.check("imaplib: nothing is shared at first"):
        ok(owner.create("Team"))
        want(ok(other.list('""', '"Other Users/*"')) == [None], "something is shown")
        want(other.select(f'"{THERE}"')[0] == "NO", "it could be selected")
        want(imap.raw(other, f'MYRIGHTS "{THERE}"')[1].startswith("[NONEXISTENT]"), "it is betrayed")
    with checks.check("imaplib: the owner shares, the other lists and reads"):
        for n in range(3):
            ok(owner.append("Team", None, None, mail(f"one{n}")))
        ok(owner.setacl("Team", OTHER, "lrs"))
        want(OTHER.encode() + b" lrs" in ok(owner.getacl("Team"))[0], "GETACL")
        want(any(THERE.encode() in line for line in ok(other.list('""', '"Other Users/*"'))), "not listed")
        want(b"lrs" in ok(other.myrights(f'"{THERE}"'))[0], "MYRIGHTS")
        ok(other.select(f'"{THERE}"'))
        want([subject for _, _, _, subject in imap.bodies(other)] == [mail(f"one{n}") for n in range(3)], "bodies")
    with checks.check("imaplib: each has its own Seen, and rights end somewhere"):
        ok(other.fetch("1", "(BODY[])"))
        want((unseen(owner, "Team"), unseen(other, THERE)) == (3, 2), "UNSEEN")
        want(other.store("1", "+FLAGS", "(\\Flagged)")[0] == "NO", "a flag without the right")
        want(other.append(f'"{THERE}"', None, None, mail("no"))[0] == "NO", "APPEND without the right")
    with checks.check("imaplib: more rights: flags, APPEND, COPY, expunge; the owner sees it"):
        ok(owner.setacl("Team", OTHER, "+wite"))
        ok(other.store("2", "+FLAGS", "(\\Flagged)"))
        ok(other.append(f'"{THERE}"', None, None, mail("two")))
        ok(other.copy("1", "INBOX"))
        ok(other.store("3", "+FLAGS", "(\\Deleted)"))
        ok(other.expunge())
        ok(owner.select("Team"))
        found = {re.search(rb"Subject: (\S+)", body).group(1).decode(): set(flags) - {rb"\Recent"} for _, flags, _, body in imap.bodies(owner)}
        want(found == {"one0": set(), "one1": {rb"\Flagged"}, "two": set()}, f"{found}")
        ok(other.select("INBOX"))
        want([body for *_, body in imap.bodies(other)] == [mail("one0")], "the copy")
    with checks.check("imaplib: what is taken is gone at once"):
        stranger = imap.login(STRANGER)
        ok(owner.setacl("Team", "anyone", "lr"))
        want(stranger.select(f'"{THERE}"', readonly=True)[0] == "OK", "anyone")
        ok(owner.deleteacl("Team", "anyone"))
        want(imap.raw(stranger, "FETCH 1 (FLAGS)")[0] == "NO", "still read")
        stranger.shutdown()
    owner.logout()
    other.logout()


def with_imapclient(checks):
    import imapclient
    client = imapclient.IMAPClient(target.HOST, port=target.port("imap"), ssl=False)
    client.login(OTHER, target.PASSWORD)
    with checks.check("imapclient: namespaces, folders, subscription, quota root"):
        spaces = client.namespace()
        want(spaces.other == (("Other Users/", "/"),) and spaces.shared == (("Shared/", "/"),), f"{spaces}")
        want(THERE in [name for _, _, name in client.list_folders("Other Users/")], "not listed")
        client.subscribe_folder(THERE)
        want(THERE in [name for _, _, name in client.list_sub_folders()], "not subscribed")
        roots, quotas = client.get_quota_root(f'"{THERE}"')
        want(roots.quota_roots == [f"Other Users/{OWNER}"] and quotas[0].limit > 0, f"{roots} {quotas}")
    with checks.check("imapclient: idle in the shared mailbox hears the owner"):
        client.select_folder(THERE)
        client.idle()
        owner = imap.login(OWNER)
        ok(owner.append("Team", None, None, mail("heard")))
        lines = []
        for _ in range(20):
            lines += client.idle_check(timeout=1)
            if (4, b"EXISTS") in lines:
                break
        client.idle_done()
        want((4, b"EXISTS") in lines, f"{lines}")
        owner.logout()
    with checks.check("imapclient: moves from there to here"):
        found = client.search(["SUBJECT", "heard"])
        client.move(found, "INBOX")
        want(client.folder_status(THERE, ["MESSAGES"])[b"MESSAGES"] == 3 and client.folder_status("INBOX", ["MESSAGES"])[b"MESSAGES"] == 2, "counts")
    client.logout()


def with_mbsync(checks):
    folder = os.path.join(target.FOLDER, "share-mbsync")
    shutil.rmtree(folder, ignore_errors=True)
    sync = Mbsync(folder, OTHER, "Create Near\nExpunge Both\nSync All", patterns="Team", far=f'Path "Other Users/{OWNER}/"')

    def near():
        names = [os.path.join(base, name) for part in ("new", "cur") for base in [os.path.join(folder, "mail", "Team", part)] for name in os.listdir(base)]
        return {re.search(r"Subject: (\S+)", open(name).read()).group(1): name for name in names}

    owner = imap.login(OWNER)
    with checks.check("mbsync: a shared folder comes, with one's own flags"):
        sync()
        got = near()
        want(set(got) == {"one0", "one1", "two"} and "S" in got["one0"].partition(":2,")[2] and "F" in got["one1"].partition(":2,")[2], f"{got}")
    with checks.check("mbsync: what is marked and put in here is there; Seen is not the owner's"):
        path = near()["two"]
        os.rename(path, os.path.join(folder, "mail", "Team", "cur", os.path.basename(path).partition(":2,")[0] + ":2,FS"))
        with open(os.path.join(folder, "mail", "Team", "cur", "new0:2,S"), "wb") as file:
            file.write(mail("new0").replace(b"\r\n", b"\n"))
        sync()
        ok(owner.select("Team"))
        found = {re.search(rb"Subject: (\S+)", body).group(1).decode(): set(flags) - {rb"\Recent"} for _, flags, _, body in imap.bodies(owner)}
        want(found.get("two") == {rb"\Flagged"} and found.get("new0") == set(), f"{found}")
    owner.logout()


def main():
    checks = Checks("sharing")
    if not target.IS_POSTHOUSE:
        checks.finish()
    with_imaplib(checks)
    with_imapclient(checks)
    if shutil.which("mbsync"):
        with_mbsync(checks)
    checks.finish()


if __name__ == "__main__":
    sys.exit(main())
