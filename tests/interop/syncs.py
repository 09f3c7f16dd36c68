#!/usr/bin/env python3
"""Counts the syncs of a running server with strace: one for each acknowledged change when changes come one after the other, never less,
and fewer when they come together.
"""
import concurrent.futures
import os
import re
import shutil
import sys

from lib import imap, smtp, target
from lib.report import Checks, want
from lib.servers import Posthouse

# Large segments and rare checkpoints: what is counted is what a delivery costs.
TOML = """
[store]
shards = 1
"""
COUNT, TOGETHER = 200, 16


def one_after_the_other(protocol):
    def work():
        with smtp.Smtp(protocol) as client:
            client.hello()
            for number in range(COUNT):
                client.deliver(target.marked(f"{protocol}-{number}", b"Subject: x\r\n\r\nhello\r\n"), [target.user(0)])
        return COUNT
    return work


def appended():
    conn = imap.login(target.user(1))
    for number in range(COUNT):
        imap.ok(conn.append("INBOX", "", None, target.marked(f"append-{number}", b"Subject: x\r\n\r\nhello\r\n")))
    conn.logout()
    return COUNT


def together():
    def work(k):
        with smtp.Smtp("lmtp") as client:
            client.hello()
            for number in range(COUNT // 4):
                client.deliver(target.marked(f"{k}-{number}", b"Subject: x\r\n\r\nhello\r\n"), [target.user(k % 4)])
    with concurrent.futures.ThreadPoolExecutor(TOGETHER) as pool:
        list(pool.map(work, range(TOGETHER)))
    return TOGETHER * (COUNT // 4)


def syncs_of(server, work):
    """Syncs from the start to the end of a server that does `work`."""
    out = os.path.join(server.folder, "syncs")
    server.start(strace=out)
    os.environ.update(server.env())
    try:
        done = work()
    finally:
        code = server.stop()
    want(code == 0, f"stopped with code {code}")
    with open(out) as file:
        rows = [line.split() for line in file]
    return done, sum(int(row[3]) for row in rows if row and row[-1] in ("fsync", "fdatasync", "sync_file_range", "syncfs", "msync"))


def replies_follow_syncs(server):
    """With tokio replies are system calls: between two of them a sync must have ended. (A ring's sends are not seen by strace.)"""
    out = os.path.join(server.folder, "order")
    server.start(strace=["-f", "-qq", "-s", "12", "-o", out, "-e", "trace=fsync,fdatasync,write,writev,sendto,sendmsg"])
    os.environ.update(server.env())
    try:
        one_after_the_other("lmtp")()
    finally:
        server.stop()
    synced, replies = False, 0
    with open(out, errors="replace") as file:
        for line in file:
            if "sync" in line and line.rstrip().endswith("= 0"):
                synced = True
            elif re.search(r'"250 2\.1\.5 D', line):
                want(synced, f"reply {replies + 1} before any sync: {line.strip()}")
                synced, replies = False, replies + 1
    want(replies == COUNT, f"{replies} replies were seen, {COUNT} expected")


def main():
    checks = Checks("syncs")
    if not shutil.which("strace"):
        print("  skip  syncs: strace is not installed", flush=True)
        checks.finish()
    server = Posthouse("syncs", runtime=os.environ.get("PH_RUNTIME", "auto"), accounts=4, toml=TOML)
    idle = 0
    with checks.check("a server that does nothing"):
        def first_use():
            # Accounts are opened at their first use, which is a change of its own.
            for number in range(4):
                imap.login(target.user(number)).logout()
            return 0
        syncs_of(server, first_use)
        _, idle = syncs_of(server, lambda: 0)
    for name, work, low, high in (
        ("LMTP, one connection", one_after_the_other("lmtp"), 1.0, 1.05),
        ("SMTP, one connection", one_after_the_other("smtp"), 1.0, 1.05),
        ("APPEND, one connection", appended, 1.0, 1.05),
        (f"LMTP, {TOGETHER} connections", together, 0.01, 1.0),
    ):
        with checks.check(f"{name}: {low:.2f} to {high:.2f} syncs for each message"):
            done, syncs = syncs_of(server, work)
            each = (syncs - idle) / done
            print(f"        {syncs - idle} syncs for {done} messages: {each:.3f}", flush=True)
            want(low <= each <= high, f"{each:.3f}")
    if server.runtime == "tokio":
        with checks.check("no positive reply before the sync that covers it"):
            replies_follow_syncs(server)
    checks.finish()


if __name__ == "__main__":
    sys.exit(main())
