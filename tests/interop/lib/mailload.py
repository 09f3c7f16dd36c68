"""Mail that many connections deliver at once, and what was promised for each copy: the load of the crash scripts."""
import os
import random
import threading

from . import smtp, target
from .report import want

# What is known of one recipient's copy of one mail.
UNDER_WAY, TAKEN, REFUSED, ABSENT = "under way", "taken", "refused", "absent"
# What a client meets when the server dies.
GONE = (OSError, EOFError, ConnectionError)


def crash_seed():
    """PH_CRASH_SEED, or 1, so that a failure says something of what was changed; 0 is another one each time, to look for more."""
    return int(os.environ.get("PH_CRASH_SEED") or "1") or random.SystemRandom().randrange(1, 1 << 32)


class Mail:
    """Mails by ident, and the fate of every copy. `sender` may hold `{ident}`."""

    def __init__(self, limit=400, sender="load@crash.test"):
        self.sender = sender
        self.raws = [target.without_path(raw) for _, raw in target.corpus("spamassassin", limit)]
        if os.path.isdir(os.path.join(target.paths.CORPUS, "attachments")):
            self.raws += [target.without_path(raw) for _, raw in target.corpus("attachments", 6)]
        self.lock = threading.Lock()
        self.index = {}
        self.fates = {}

    def body(self, ident):
        raw = self.raws[self.index[ident]]
        return target.MARK + ident.encode() + raw[raw.index(b"\r\n"):]

    def begin(self, ident, rng, users):
        with self.lock:
            self.index[ident] = rng.randrange(len(self.raws))
            for user in users:
                self.fates[ident, user] = UNDER_WAY
        return self.body(ident)

    def told(self, ident, user, code):
        with self.lock:
            self.fates[ident, user] = TAKEN if code == 250 else REFUSED

    def copies(self, fate):
        with self.lock:
            return sum(1 for known in self.fates.values() if known == fate)

    def deliver(self, protocol, prefix, rng, users, stop):
        """Delivers until the connection breaks or `stop` is set; returns why it ended."""
        number = 0
        try:
            with smtp.Smtp(protocol, timeout=30) as client:
                client.hello()
                while not stop.is_set():
                    number += 1
                    rcpts = rng.sample(users, 1 if rng.random() < 0.7 else rng.randint(2, 6))
                    self.one(client, f"{prefix}-{number}", rng, rcpts, chunked=rng.random() < 0.2)
        except GONE as problem:
            return problem
        except smtp.SmtpError as problem:
            # A server that stops in order says so between two commands.
            if problem.code == 421:
                return ConnectionError(str(problem))
            raise
        return None

    def one(self, client, ident, rng, rcpts, chunked):
        raw = self.begin(ident, rng, rcpts)
        client.command(f"MAIL FROM:<{self.sender.format(ident=ident)}>")
        for rcpt in rcpts:
            client.command(f"RCPT TO:<{rcpt}>")
        if chunked:
            cut = rng.randrange(len(raw) + 1)
            client.send(b"BDAT %d\r\n" % cut + raw[:cut] + b"BDAT %d LAST\r\n" % (len(raw) - cut) + raw[cut:])
            client.expect(250)
        else:
            client.command("DATA", 354)
            client.send(smtp.stuff(raw) + b".\r\n")
        if client.lmtp:
            for rcpt in rcpts:
                self.told(ident, rcpt, client.reply()[0])
        else:
            code, _ = client.reply()
            for rcpt in rcpts:
                self.told(ident, rcpt, code)

    def settle(self, user, stored):
        """Holds the mails found in one account, whole, against what was promised; then what was found is what is promised."""
        seen = set()
        for body in stored:
            ident, _, mail = target.split_trace(body)
            want((ident, user) in self.fates, f"{user} has {ident}, which was never sent to it")
            want(ident not in seen, f"{user} has {ident} twice")
            fate = self.fates[ident, user]
            want(fate in (TAKEN, UNDER_WAY), f"{user} has {ident}, of which it was said: {fate}")
            expected = self.body(ident)
            want(mail == expected, f"{user} has {ident} with other bytes: {target.difference(expected, mail)}")
            seen.add(ident)
        for (ident, other), fate in self.fates.items():
            if other == user:
                want(ident in seen or fate != TAKEN, f"{user} lost {ident}, which was acknowledged")
                self.fates[ident, user] = TAKEN if ident in seen else ABSENT
        return len(seen)
