#!/usr/bin/env python3
"""What a client is told without asking (NOTIFY, CONTEXT) through imaplib and imapclient: between commands, in IDLE, and by a library that knows nothing of it."""
import glob
import os
import re
import sys

from lib import imap, target
from lib.imap import ok
from lib.report import Checks, want

sys.path[:0] = glob.glob(os.path.join(os.environ.get("PH_CACHE", ""), "venv", "lib", "python*", "site-packages"))

USER, OTHER = target.account("notify"), target.account("notify", 1)


def mail(name):
    return f"From: a@x.test\r\nSubject: {name}\r\nDate: Mon, 06 Jan 2025 10:00:00 +0000\r\n\r\nbody of {name}\r\n".encode()


def heard(conn, pattern):
    """Reads lines that come unasked until one matches; the socket's timeout ends a wait in vain."""
    lines = []
    while True:
        lines.append(imap.read_line(conn))
        found = re.search(pattern, lines[-1])
        if found:
            return found, lines


def command(conn, text):
    status, answer, lines = imap.raw(conn, text)
    want(status == "OK", f"{text}: {status} {answer}")
    return lines


def selected(checks, watcher, other):
    with checks.check("NOTIFY: the selected mailbox, while no command is given"):
        ok(watcher.select("INBOX"))
        command(watcher, "NOTIFY SET (selected (MessageNew (UID BODY.PEEK[HEADER.FIELDS (SUBJECT)]) MessageExpunge FlagChange))")
        ok(other.append("INBOX", None, None, mail("first")))
        heard(watcher, rb"^\* 1 EXISTS")
        heard(watcher, rb"(?s)^\* 1 FETCH \(.*Subject: first")
        ok(other.select("INBOX"))
        ok(other.store("1", "+FLAGS", "(\\Flagged)"))
        heard(watcher, rb"^\* 1 FETCH \(.*\\Flagged")
        ok(other.store("1", "+FLAGS", "(\\Deleted)"))
        ok(other.expunge())
        heard(watcher, rb"^\* 1 EXPUNGE")


def elsewhere(checks, watcher, other):
    with checks.check("NOTIFY: other mailboxes by STATUS, and names by LIST"):
        ok(other.create("Lists"))
        lines = command(watcher, "NOTIFY SET STATUS (personal (MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange))")
        want(any(re.match(rb'^\* STATUS "?Lists"? \(.*MESSAGES 0', line) for line in lines), f"{lines}")
        ok(other.append("Lists", None, None, mail("second")))
        heard(watcher, rb'^\* STATUS "?Lists"? \(.*MESSAGES 1')
        ok(other.create("Made"))
        heard(watcher, rb'^\* LIST \([^)]*\) "." "?Made"?')
        ok(other.subscribe("Made"))
        heard(watcher, rb'^\* LIST \([^)]*\\Subscribed[^)]*\) "." "?Made"?')
        ok(other.rename("Made", "Moved"))
        heard(watcher, rb'^\* LIST \([^)]*\) "." "?Moved"? .*OLDNAME.*Made')
        ok(other.delete("Moved"))
        heard(watcher, rb'(?i)^\* LIST \([^)]*\\NonExistent[^)]*\) "." "?Moved"?')
    with checks.check("NOTIFY: the same in IDLE; then none of it"):
        tag = watcher._new_tag()
        watcher.send(tag + b" IDLE\r\n")
        heard(watcher, rb"^\+")
        ok(other.append("Lists", None, None, mail("third")))
        heard(watcher, rb'^\* STATUS "?Lists"? \(.*MESSAGES 2')
        watcher.send(b"DONE\r\n")
        want(imap.read_until(watcher, tag.decode())[0] == "OK", "DONE")
        command(watcher, "NOTIFY NONE")
        ok(other.append("Lists", None, None, mail("fourth")))
        lines = command(watcher, "NOOP")
        want(not any(b"STATUS" in line for line in lines), f"{lines}")
    with checks.check("NOTIFY: an event that is not known"):
        status, answer, _ = imap.raw(watcher, "NOTIFY SET (personal (Novelty))")
        want(status == "NO" and answer.startswith("[BADEVENT ("), f"{status} {answer}")


def contexts(checks, watcher, other):
    with checks.check("CONTEXT: a search and a sorted view follow what happens"):
        ok(watcher.select("Lists"))
        ok(other.select("Lists"))
        command(watcher, "NOTIFY SET (selected (MessageNew MessageExpunge FlagChange))")
        found = imap.raw(watcher, "UID SEARCH RETURN (UPDATE ALL) FLAGGED")
        want(found[0] == "OK", f"{found}")
        sort = imap.raw(watcher, "UID SORT RETURN (UPDATE ALL) (REVERSE SUBJECT) UTF-8 UNDELETED")
        want(sort[0] == "OK", f"{sort}")
        ok(other.store("2", "+FLAGS", "(\\Flagged)"))
        heard(watcher, rb"^\* ESEARCH \(TAG .*\) UID ADDTO \(0 2\)")
        ok(other.append("Lists", None, None, mail("summary")))
        # third, second, fourth; between second and third.
        heard(watcher, rb"^\* ESEARCH \(TAG .*\) UID ADDTO \(2 4\)")
        ok(other.store("1", "+FLAGS", "(\\Deleted)"))
        heard(watcher, rb"^\* ESEARCH \(TAG .*\) UID REMOVEFROM \(3 1\)")


def with_imapclient(checks, other):
    import imapclient
    client = imapclient.IMAPClient(target.HOST, port=target.port("imap"), ssl=False, timeout=60)
    client.login(USER, target.PASSWORD)
    client.select_folder("INBOX")
    with checks.check("imapclient: goes on as ever with NOTIFY on, and hears of new mail in IDLE"):
        imap.raw(client._imap, "NOTIFY SET (selected-delayed (MessageNew MessageExpunge FlagChange)) (personal (MessageNew MessageExpunge))")
        client.idle()
        ok(other.append("INBOX", None, None, mail("fifth")))
        told = client.idle_check(timeout=30)
        client.idle_done()
        want(any(part[1:] == (b"EXISTS",) for part in told), f"{told}")
        found = client.search(["SUBJECT", "fifth"])
        want(client.fetch(found, ["ENVELOPE"])[found[0]][b"ENVELOPE"].subject == b"fifth", "FETCH")
        client.logout()


def shared(checks, other):
    with checks.check("NOTIFY: a mailbox that another member shares comes, is told of, and goes"):
        guest = imap.login(OTHER)
        there = rf'"Other Users/{re.escape(USER)}/Lists"'.encode()
        command(guest, 'NOTIFY SET STATUS (subtree "Other Users" (MessageNew MessageExpunge MailboxName))')
        ok(other.setacl("Lists", OTHER, "lr"))
        heard(guest, rb"^\* LIST \([^)]*\) \"/\" " + there)
        ok(other.append("Lists", None, None, mail("sixth")))
        heard(guest, rb"^\* STATUS " + there + rb" \(MESSAGES ")
        ok(other.deleteacl("Lists", OTHER))
        heard(guest, rb"^\* LIST \([^)]*\\NonExistent[^)]*\) \"/\" " + there)
        guest.logout()


def main():
    checks = Checks("notify")
    watcher, other = imap.login(USER), imap.login(USER)
    selected(checks, watcher, other)
    elsewhere(checks, watcher, other)
    if {"CONTEXT=SEARCH", "CONTEXT=SORT"} <= imap.capabilities(watcher):
        contexts(checks, watcher, other)
    watcher.shutdown()
    with_imapclient(checks, other)
    if target.IS_POSTHOUSE:
        shared(checks, other)
    other.logout()
    checks.finish()


main()
