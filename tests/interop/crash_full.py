#!/usr/bin/env python3
"""The data directory's file system fills up under a load: everybody hears so (452, NO), nothing that was acknowledged is lost, reading
goes on, and room that comes back is used without a restart. A kill -9, and a stop in order, while it is full, and a start.

PH_FULL_ROUNDS (default 1) and PH_CRASH_SEED (printed) say how many rounds, and which.
"""
import json
import os
import poplib
import random
import sys
import threading

from lib import imap, paths, smtp, target
from lib.mailload import REFUSED, TAKEN, Mail, crash_seed
from lib.report import Checks, want
from lib.servers import Posthouse
from lib.smallfs import SmallFs, Unmountable

ROUNDS = int(os.environ.get("PH_FULL_ROUNDS", "1"))
SEED = crash_seed()
ACCOUNTS, DELIVERERS = 6, 4
TOML = """
[store]
segment_size_bytes_max = 1048576
checkpoint_log_bytes = 1048576
"""
# Refusals one after the other that mean: it is full.
REFUSALS = 5


class Run:
    def __init__(self, disk):
        self.disk, self.rng = disk, random.Random(SEED)
        self.server = Posthouse("crash-full", runtime=os.environ.get("PH_RUNTIME", "auto"), accounts=ACCOUNTS, toml=TOML,
                                data=os.path.join(disk.path, "data"))
        self.users, self.mail, self.number = self.server.users(), Mail(), 0

    def start(self):
        self.server.start()
        os.environ.update(self.server.env())

    def deliver_until_full(self, wanted, limit):
        """Delivers on several connections until each hears `wanted` a few times; answers how many copies were taken."""
        before, problems = self.mail.copies(TAKEN), []

        def work(k, rng):
            refused = 0
            try:
                with smtp.Smtp("lmtp") as client:
                    client.hello()
                    for number in range(limit):
                        if refused == REFUSALS:
                            return
                        ident, user = f"{self.number}-{k}-{number}", rng.choice(self.users)
                        raw = self.mail.begin(ident, rng, [user])
                        ((code, text),) = client.mail(raw, [user])
                        self.mail.told(ident, user, code)
                        refused = 0 if code == 250 else refused + 1
                        if code not in (250, wanted):
                            problems.append(f"{code} {text}")
            except Exception as problem:  # noqa: BLE001 - a connection that breaks is a finding
                problems.append(repr(problem))

        threads = [threading.Thread(target=work, args=(k, random.Random(self.rng.random()))) for k in range(DELIVERERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        want(not problems, f"{len(problems)} problems, first {problems[:2]}")
        return self.mail.copies(TAKEN) - before

    def fill(self):
        """Lets it run full."""
        self.number += 1
        self.disk.fill(self.rng.randrange(200_000, 2_500_000))
        refused = self.mail.copies(REFUSED)
        self.deliver_until_full(452, 3000)
        want(self.mail.copies(REFUSED) - refused >= REFUSALS * DELIVERERS, f"it is not full: {self.disk.room()} bytes are free")

    def recover(self):
        """Room comes back, and mail is taken at once."""
        self.number += 1
        self.disk.free()
        refused = self.mail.copies(REFUSED)
        self.deliver_until_full(250, 6)
        want(self.mail.copies(REFUSED) == refused, "mail was refused although there is room")

    def read_all(self):
        """Every account by IMAP, held against what was promised; one by POP3; the store's own word."""
        for user in self.users:
            conn = imap.login(user, mailbox="Trash")
            # Where changes_are_refused has copies, if there was room.
            bodies = list(imap.bodies(conn)) if int(imap.ok(conn.status("Trash", "(MESSAGES)"))[0].split()[-1].strip(b")")) else []
            imap.ok(conn.select("INBOX"))
            inbox = list(imap.bodies(conn))
            self.mail.settle(user, [body for *_, body in inbox])
            bodies += inbox
            view = json.loads(self.server.cli("--json", "member", "show", user))
            size = sum(size for _, _, size, _ in bodies)
            want(view["used_bytes"] == size, f"{user}: {view['used_bytes']} bytes used, the messages have {size}")
            conn.logout()
        if "pop3" in self.server.protocols:
            box = poplib.POP3(target.HOST, target.port("pop3"), timeout=30)
            box.user(self.users[0])
            box.pass_(target.PASSWORD)
            count, _ = box.stat()
            want(count == sum(1 for (_, user), fate in self.mail.fates.items() if user == self.users[0] and fate == TAKEN), "POP3 counts others")
            box.retr(1)
            box.quit()
        status = json.loads(self.server.cli("--json", "status"))
        want(not any(shard["latched"] for shard in status["shards"]), f"latched: {status['shards']}")

    def changes_are_refused(self):
        """Large ones by SMTP and APPEND; a small change may still find room, but is answered OK or NO."""
        raw = target.marked("never", b"Subject: never\r\n\r\n" + self.rng.randbytes(3_000_000).hex().encode() + b"\r\n")
        with smtp.Smtp("smtp") as client:
            client.hello()
            ((code, text),) = client.mail(raw, [self.users[0]])
            want(code == 452, f"SMTP: {code} {text}")
        conn = imap.login(self.users[0], mailbox="INBOX")
        status, text, _ = imap.raw(conn, b"APPEND INBOX {%d+}\r\n%s" % (len(raw), raw))
        want(status == "NO", f"APPEND: {status} {text}")
        for command in ("STORE 1:* +FLAGS (\\Seen)", "COPY 1 Trash", "CREATE x", "NOOP"):
            status, text, _ = imap.raw(conn, command)
            want(status in ("OK", "NO"), f"{command}: {status} {text}")
        conn.logout()


def round_of(run, checks, number):
    with checks.check(f"round {number}: it fills up, every refusal is a 452, all that was taken is read"):
        run.fill()
        run.read_all()
    with checks.check(f"round {number}: full, SMTP says 452 and APPEND NO"):
        run.changes_are_refused()
    with checks.check(f"round {number}: room comes back, mail is taken without a restart"):
        run.recover()
        run.read_all()
    with checks.check(f"round {number}: kill -9 while it is full, a start, all is there"):
        run.fill()
        run.server.kill()
        run.start()
        run.read_all()
        run.number += 1
        run.deliver_until_full(452, 30)
        run.recover()
    with checks.check(f"round {number}: a stop in order while it is full, code 0, a start, all is there"):
        run.fill()
        code = run.server.stop()
        want(code == 0, f"code {code}:\n{run.server.log_tail(8)}")
        # The room for it is kept in reserve.
        want("no checkpoint" not in run.server.log_tail(12), f"it stopped without a checkpoint:\n{run.server.log_tail(12)}")
        run.start()
        run.read_all()
        run.recover()
        run.read_all()


def main():
    checks = Checks("crash_full")
    print(f"  seed PH_CRASH_SEED={SEED}, {ROUNDS} rounds", flush=True)
    folder = os.path.join(paths.RUNS, f"small-{os.environ.get('PH_RUNTIME', 'auto')}")
    try:
        with SmallFs(folder, 40 + 12 * ROUNDS) as disk:
            print(f"  on {disk.kind}", flush=True)
            run = Run(disk)
            run.start()
            try:
                for number in range(1, ROUNDS + 1):
                    if not checks.failed:
                        round_of(run, checks, number)
            finally:
                if run.server.process is not None:
                    run.server.kill()
    except Unmountable as problem:
        print(f"  skip  crash_full: no small file system can be mounted here ({problem})", flush=True)
    checks.finish()


if __name__ == "__main__":
    sys.exit(main())
