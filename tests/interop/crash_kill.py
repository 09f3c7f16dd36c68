#!/usr/bin/env python3
"""kill -9 of the running server in the midst of deliveries, IMAP changes and compaction, again and again on one data directory.

After each start everything that was acknowledged is there exactly once and byte for byte, nothing else is, no uid, UIDVALIDITY or
modseq went back, and usage is the sum of the sizes. Some rounds kill the start too, delete the index parts, kill an offline compaction, undo one, or
stop by SIGTERM instead.
PH_CRASH_ROUNDS (default 6) and PH_CRASH_SEED (printed) say how many rounds, and which.
"""
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time

from lib import imap, paths, procs, target
from lib.mailload import TAKEN, UNDER_WAY, Mail, crash_seed
from lib.model import Account
from lib.report import Checks, want
from lib.servers import Posthouse

ROUNDS = int(os.environ.get("PH_CRASH_ROUNDS", "6"))
SEED = crash_seed()
ACCOUNTS, WRITERS, DELIVERERS = 12, 5, 4
# Copies that are acknowledged before an end.
LOAD = 25
TOML = """
[store]
shards = {shards}
segment_size_bytes_max = 1048576
checkpoint_log_bytes = 1048576
[limits]
stop_grace_seconds = 10
"""


class Run:
    def __init__(self):
        self.rng = random.Random(SEED)
        self.server = Posthouse("crash-kill", runtime=os.environ.get("PH_RUNTIME", "auto"), accounts=ACCOUNTS,
                                toml=TOML.format(shards=self.rng.randint(1, 3)))
        self.users = self.server.users()
        self.mail = Mail()
        self.accounts = [Account(user, random.Random(self.rng.random())) for user in self.users[:WRITERS]]
        self.protocols = [name for name in ("lmtp", "smtp") if name in self.server.protocols]
        self.cuts = 0
        self.replaced = 0

    def start(self):
        self.server.start()
        os.environ.update(self.server.env())

    def round(self, number):
        """A load, its sudden end, and what is there after."""
        stop, ended, before = threading.Event(), [], self.mail.copies(TAKEN)
        jobs = [lambda account=account: account.work(stop, number) for account in self.accounts]
        for k in range(DELIVERERS):
            rng, protocol = random.Random(self.rng.random()), self.protocols[k % len(self.protocols)]
            jobs.append(lambda k=k, rng=rng, protocol=protocol: self.mail.deliver(protocol, f"{number}-{k}", rng, self.users, stop))
        jobs.append(lambda rng=random.Random(self.rng.random()): self.compact(rng, stop))
        threads = [threading.Thread(target=lambda job=job: ended.append(guarded(job)), daemon=True) for job in jobs]
        for thread in threads:
            thread.start()
        # However slow the disk is it is a load, and then the end may come at any moment.
        procs.wait_until(lambda: any(ended) or self.mail.copies(TAKEN) >= before + LOAD, 300, f"{LOAD} copies")
        time.sleep(self.rng.uniform(0.1, 1.5))
        early = [problem for problem in ended if problem is not None]
        want(not early, f"before the crash: {early}")
        if self.rng.random() < 0.2:
            self.stop_in_order()
        else:
            self.server.kill()
        stop.set()
        for thread in threads:
            thread.join(40)
        want(not any(thread.is_alive() for thread in threads), "a client still waits after the server's end")
        bad = [problem for problem in ended if isinstance(problem, AssertionError)]
        want(not bad, f"during the load: {bad}")
        self.between()
        self.start()
        return self.settle()

    def command(self, *words):
        return [paths.POSTHOUSE, "--config", self.server.config, "--json", *words]

    def compact(self, rng, stop):
        """Compacts over and over, at some pace, until the server's end."""
        while not stop.is_set():
            words = ["--cold-after-hours", "0", "--dead-percent", "1", "--bytes-per-second", str(rng.choice([0, 0, 1 << 20, 8 << 20]))]
            words += ["--keep-hours", str(rng.choice([0, 24]))]
            done = subprocess.run(self.command("compact", "--background", *words), stdin=subprocess.DEVNULL, capture_output=True, text=True)
            if done.returncode == 0:
                self.replaced += json.loads(done.stdout)["segments_done"]
            if rng.random() < 0.2:
                for word in ("--pause", "--resume"):
                    subprocess.run(self.command("compact", word), stdin=subprocess.DEVNULL, capture_output=True)
            stop.wait(rng.uniform(0.0, 0.2))

    def cold(self):
        """The compacted files that there are."""
        names = (name for _, _, names in os.walk(os.path.join(self.server.data, "shards")) for name in names)
        return [name for name in names if name.startswith("cold-")]

    def compact_once(self):
        """To the end, where each round has ended before its compaction had."""
        if not self.cold():
            done = subprocess.run(self.command("compact", "--cold-after-hours", "0", "--dead-percent", "1", "--bytes-per-second", "0"),
                                  stdin=subprocess.DEVNULL, capture_output=True, text=True)
            want(done.returncode == 0, f"compact: {done.returncode} {done.stderr}")

    def stop_in_order(self):
        code = self.server.stop()
        want(code == 0, f"stopped under load with code {code}:\n{self.server.log_tail()}")

    def between(self):
        """What else may happen before the next start is through."""
        if self.rng.random() < 0.3:
            for _ in range(self.rng.randint(1, 3)):
                process = subprocess.Popen([paths.POSTHOUSE, "serve", "--config", self.server.config], stdin=subprocess.DEVNULL,
                                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                time.sleep(self.rng.uniform(0.005, 0.08))
                process.send_signal(signal.SIGKILL)
                process.wait()
        if self.rng.random() < 0.3:
            process = subprocess.Popen(self.command("compact", "--cold-after-hours", "0", "--bytes-per-second", "0"), stdin=subprocess.DEVNULL,
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(self.rng.uniform(0.01, 0.4))
            process.send_signal(signal.SIGKILL)
            process.wait()
        if self.rng.random() < 0.2:
            undone = subprocess.run(self.command("compact", "--undo"), stdin=subprocess.DEVNULL, capture_output=True, text=True)
            want(undone.returncode in (0, 3), f"compact --undo: {undone.returncode} {undone.stderr}")
        if self.rng.random() < 0.3:
            for base, _, names in os.walk(os.path.join(self.server.data, "shards")):
                for name in names:
                    if name.startswith("idx-"):
                        os.remove(os.path.join(base, name))

    def settle(self):
        """Holds every account against what was promised; answers how many messages there are."""
        total = 0
        for user in self.users:
            conn = imap.login(user)
            account = next((known for known in self.accounts if known.user == user), None)
            if account is None:
                account = Account(user, random.Random(0))
            others, size = account.settle(conn)
            total += self.mail.settle(user, others) + sum(len(box.known) for box in account.boxes.values())
            conn.logout()
            view = json.loads(self.server.cli("--json", "member", "show", user))
            want(view["used_bytes"] == size, f"{user}: {view['used_bytes']} bytes used, the messages have {size}")
        status = json.loads(self.server.cli("--json", "status"))
        latched = [shard for shard in status["shards"] if shard["latched"]]
        want(not latched, f"status: {latched}")
        want(not status["compaction"]["failed"], f"status: {status['compaction']}")
        proven = subprocess.run(self.command("verify"), stdin=subprocess.DEVNULL, capture_output=True, text=True)
        want(proven.returncode == 0, f"verify: {proven.returncode}\n{proven.stdout[-2000:]}{proven.stderr[-2000:]}")
        return total


def guarded(job):
    """Why a client ended: None, what the network said, or what it found wrong."""
    try:
        return job()
    except AssertionError as problem:
        return problem
    except Exception as problem:  # noqa: BLE001 - a client that stumbles found something
        return AssertionError(f"{type(problem).__name__}: {problem}")


def main():
    checks = Checks("crash_kill")
    print(f"  seed PH_CRASH_SEED={SEED}, {ROUNDS} rounds", flush=True)
    run = Run()
    with checks.check("starts"):
        run.start()
    for number in range(1, ROUNDS + 1):
        answered = sum(account.answered for account in run.accounts)
        copies = run.mail.copies(TAKEN)
        with checks.check(f"round {number}: all that was acknowledged is there once, whole, and nothing else"):
            total = run.round(number)
        if checks.failed:
            break
        answered = sum(account.answered for account in run.accounts) - answered
        print(f"        {run.mail.copies(TAKEN) - copies} copies delivered, {answered} IMAP changes answered, {total} messages in all", flush=True)
    with checks.check("stops in order"):
        want(run.server.process is not None, "the server does not run")
        run.compact_once()
        run.stop_in_order()
    with checks.check("the load was one"):
        want(run.cold(), "nothing was compacted")
        want(run.mail.copies(TAKEN) > 20 * ROUNDS, f"only {run.mail.copies(TAKEN)} copies")
    checks.finish()


if __name__ == "__main__":
    sys.exit(main())
