#!/usr/bin/env python3
"""The disk fails under a running server: from some call on each fdatasync, or each write of a shard's committer, ends with EIO (strace
injects it). Everybody hears 451 or NO [UNAVAILABLE], reading goes on, status and the log say why, and a restart has all that was taken.
"""
import json
import os
import random
import shutil
import sys

from lib import imap, procs, smtp, target
from lib.mailload import Mail, crash_seed
from lib.report import Checks, want
from lib.servers import Posthouse

SEED = crash_seed()
# One committer, and no checkpoint that could fail in its place.
TOML = """
[store]
shards = 1
"""
LIMIT = 400


class Run:
    def __init__(self, name, call):
        self.call, self.rng, self.mail = call, random.Random(SEED), Mail(60)
        self.server = Posthouse(f"latch-{name}", runtime=os.environ.get("PH_RUNTIME", "auto"), accounts=2, toml=TOML)
        self.user = self.server.users()[0]

    def start_failing(self):
        # strace counts calls for each thread by itself: the first to come so far is a committer.
        nth = self.rng.randrange(15, 60)
        out = os.path.join(self.server.folder, "injected")
        self.server.start(strace=["-f", "-qq", "-o", out, "-e", f"trace={self.call}", "-e", f"inject={self.call}:error=EIO:when={nth}+"])
        os.environ.update(self.server.env())

    def deliver_until_refused(self):
        with smtp.Smtp("lmtp") as client:
            client.hello()
            for number in range(LIMIT):
                raw = self.mail.begin(str(number), self.rng, [self.user])
                ((code, text),) = client.mail(raw, [self.user])
                if code == 250:
                    self.mail.told(str(number), self.user, code)
                    continue
                # It may have come down all the same: only a restart can tell.
                want(code == 451, f"mail {number}: {code} {text}")
                return number
        raise AssertionError(f"{LIMIT} mails were taken by a disk that fails")

    def refused(self, taken):
        """Every further change is refused, by every protocol; what is there is read."""
        for protocol in ("lmtp", "smtp"):
            with smtp.Smtp(protocol) as client:
                client.hello()
                ((code, text),) = client.mail(target.marked(f"never-{protocol}", b"Subject: never\r\n\r\nx\r\n"), [self.user])
                want(code == 451, f"{protocol}: {code} {text}")
        conn = imap.login(self.user)
        imap.ok(conn.select("INBOX", readonly=True))
        want(len(list(imap.bodies(conn))) == taken, "reading goes on")
        for command in ("SELECT INBOX", "STORE 1 +FLAGS (\\Flagged)", "COPY 1 Trash", "CREATE x"):
            status, text, _ = imap.raw(conn, command)
            if command.startswith("SELECT") and status == "OK":
                continue
            want(status == "NO" and b"[UNAVAILABLE]" in as_bytes(text), f"{command}: {status} {text}")
        status, text, _ = imap.raw(conn, b"APPEND INBOX {13+}\r\nSubject: x\r\n\r\n")
        want(status == "NO" and b"[UNAVAILABLE]" in as_bytes(text), f"APPEND: {status} {text}")
        conn.logout()

    def said(self):
        status = json.loads(self.server.cli("--json", "status"))
        reasons = [shard["latched"] for shard in status["shards"] if shard["latched"]]
        want(len(reasons) == 1 and "seg-" in reasons[0] and "error" in reasons[0], f"status says {reasons}")

        def logged():
            with open(self.server.log, errors="replace") as file:
                return any("closed itself" in line and "seg-" in line for line in file)
        # What is logged is written a moment later.
        procs.wait_until(logged, 60, "the log says why")

    def restart(self):
        # A stop must end although the shard cannot write its checkpoint; its code says that it was not in order.
        self.server.stop()
        self.server.start()
        os.environ.update(self.server.env())
        conn = imap.login(self.user, mailbox="INBOX")
        self.mail.settle(self.user, [body for *_, body in imap.bodies(conn)])
        conn.logout()
        with smtp.Smtp("lmtp") as client:
            client.hello()
            ((code, text),) = client.mail(self.mail.begin("after", self.rng, [self.user]), [self.user])
            want(code == 250, f"after the restart: {code} {text}")
        want(self.server.stop() == 0, "stops in order")


def as_bytes(text):
    return text if isinstance(text, bytes) else str(text).encode()


def main():
    checks = Checks("crash_latch")
    if not shutil.which("strace"):
        print("  skip  crash_latch: strace is not installed", flush=True)
        checks.finish()
    print(f"  seed PH_CRASH_SEED={SEED}", flush=True)
    for name, call in (("sync", "fdatasync"), ("write", "pwrite64")):
        run = Run(name, call)
        try:
            with checks.check(f"{call} fails: 451, NO [UNAVAILABLE], reading goes on, status and the log say why"):
                run.start_failing()
                run.refused(run.deliver_until_refused())
                run.said()
            with checks.check(f"{call} failed: a restart has all that was taken, and takes more"):
                run.restart()
        finally:
            if run.server.process is not None:
                run.server.kill()
    checks.finish()


if __name__ == "__main__":
    sys.exit(main())
