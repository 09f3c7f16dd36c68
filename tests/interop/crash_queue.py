#!/usr/bin/env python3
"""kill -9 of the running server, again and again, while mail comes in for mailboxes and goes out to hosts of every kind: a good one, a slow one, one
whose TLS is broken, one that puts everything off, one that cannot be reached, one that takes connections and says nothing.

At the end what was acknowledged is delivered or queued, all of it; nothing comes that nobody sent; a copy that comes to a host twice was sent by two servers: each
start says another name at EHLO, so that no clock is asked on which side of a kill a copy came. To mailboxes nothing comes twice, though some of the mail goes to them through
two groups in a group, which the queue brings to them, in other shards too. The good host is not held up by the others. PH_CRASH_ROUNDS (default 6) and PH_CRASH_SEED (printed) say how many rounds, and which.
"""
import collections
import json
import os
import random
import statistics
import subprocess
import sys
import threading
import time

from lib import imap, paths, procs, smtp, target
from lib.mailload import TAKEN, UNDER_WAY, Mail, crash_seed
from lib.report import Checks, want
from lib.servers import DOMAIN, Posthouse, free_ports
from lib.sink import Sink

ROUNDS = int(os.environ.get("PH_CRASH_ROUNDS", "6"))
SEED = crash_seed()
ACCOUNTS, DELIVERERS, CONNECTIONS = 4, 6, 20
# Copies that are acknowledged before a kill.
LOAD = 60
# Whom groups lead to: `later` is the name that a sink puts off.
DESTINATIONS = {"good": "r@good.test", "slow": "r@slow.test", "tls": "r@tls.test", "later": "later@later.test", "gone": "r@gone.test",
                "tarpit": "r@tarpit.test"}
REACHED = ("good", "slow", "tls")
# A group whose members are two groups of another tenant, and behind both of them members.
OUTER, OTHER = f"outer@{DOMAIN}", "other.test"
TOML = """
[store]
shards = {shards}
segment_size_bytes_max = 1048576
checkpoint_log_bytes = 1048576
[outbound]
connections_max = 60
connections_per_destination_max = {connections}
retry_first_seconds = 2
retry_max_seconds = 8
{routes}
"""
# An address of its own, so that no port of the server itself is met where nobody listens.
ROUTE = '[[outbound.route]]\ndomain = "{name}.test"\nrelay = "127.0.0.7:{port}"\n'


class Sender(Posthouse):
    """With a group for each destination, groups in a group, and another name with each start."""

    starts = 0

    def provision(self):
        super().provision()
        for name, member in DESTINATIONS.items():
            self.cli("group", "add", f"{name}@{DOMAIN}", "--member", member)
        self.cli("tenant", "add", "other")
        self.cli("domain", "add", OTHER, "--tenant", "other")
        everybody = [f"left@{OTHER}", f"right@{OTHER}"]
        for name in everybody:
            self.cli("group", "add", name, *(word for user in self.users() for word in ("--member", user)))
        self.cli("group", "add", OUTER, *(word for name in [*everybody, self.users()[0]] for word in ("--member", name)))

    def write_config(self):
        self.starts += 1
        rest = self.toml
        self.toml = f'hostname = "start{self.starts}.crash.test"\n{rest}'
        super().write_config()
        self.toml = rest


class Run:
    def __init__(self):
        self.rng = random.Random(SEED)
        self.mail = Mail(60, sender="{ident}@crash.test")
        ports = dict(zip(DESTINATIONS, free_ports(len(DESTINATIONS))))
        kinds = {"good": {}, "slow": {"delay": 0.4}, "tls": {"broken_tls": True}, "later": {}, "tarpit": {"tarpit": True}}
        self.sinks = {name: Sink("127.0.0.7", ports[name], **kind) for name, kind in kinds.items()}
        routes = "".join(ROUTE.format(name=name, port=port) for name, port in ports.items())
        toml = TOML.format(shards=self.rng.randint(1, 3), connections=CONNECTIONS, routes=routes)
        self.server = Sender("crash-queue", runtime=os.environ.get("PH_RUNTIME", "auto"), accounts=ACCOUNTS, toml=toml)
        self.targets = self.server.users() + [f"{name}@{DOMAIN}" for name in DESTINATIONS] + [OUTER]

    def start(self):
        self.server.start()
        os.environ.update(self.server.env())

    def round(self, number):
        stop, ended, before = threading.Event(), [], self.mail.copies(TAKEN)

        def work(k, rng):
            try:
                self.mail.deliver(("smtp", "lmtp")[k % 2], f"{number}-{k}", rng, self.targets, stop)
            except Exception as problem:  # noqa: BLE001 - a client that stumbles found something
                ended.append(problem)
        threads = [threading.Thread(target=work, args=(k, random.Random(self.rng.random()))) for k in range(DELIVERERS)]
        for thread in threads:
            thread.start()
        # However slow the disk is it is a load, and then the kill may come at any moment.
        procs.wait_until(lambda: ended or self.mail.copies(TAKEN) >= before + LOAD, 300, f"{LOAD} copies")
        time.sleep(self.rng.uniform(0.1, 1.2))
        self.server.kill()
        stop.set()
        for thread in threads:
            thread.join(40)
        want(not ended, f"during the load: {ended[:2]}")
        self.start()

    def queued(self):
        """How often each copy waits: by ident and destination."""
        found = collections.Counter()
        for row in json.loads(self.server.cli("queue", "list", "--json")):
            for address in row["recipients"]:
                found[row["sender"].split("@")[0], address.split("@")[1].split(".")[0]] += 1
        return found

    def arrived(self):
        """By which starts of the server each copy came to a host."""
        found = collections.defaultdict(list)
        for name, sink in self.sinks.items():
            with sink.lock:
                copies = list(zip(sink.mails, sink.names))
            for (_, _, body), start in copies:
                ident, _, rest = target.split_trace(body)
                want(rest == self.mail.body(ident), f"{name} got {ident} with other bytes: {target.difference(self.mail.body(ident), rest)}")
                found[ident, name].append(start)
        return found

    def drained(self):
        here = (OTHER.split(".")[0], DOMAIN.split(".")[0])
        return not any(name in REACHED + here for _, name in self.queued())

    def settle(self):
        """Holds every copy against what was promised; answers how many there are, how many of them wait, and how many came twice."""
        self.through, queued, arrived = 0, self.queued(), self.arrived()
        for key in list(queued) + list(arrived):
            want((key[0], f"{key[1]}@{DOMAIN}") in self.mail.fates, f"{key} was never sent")
        twice = promised = 0
        for (ident, address), fate in self.mail.fates.items():
            name = address.split("@")[0]
            if name not in DESTINATIONS:
                continue
            there, waits = arrived.get((ident, name), []), queued[ident, name]
            want(waits + bool(there) <= 1, f"{ident} for {name} is queued {waits} times and came {len(there)} times")
            want(fate in (TAKEN, UNDER_WAY) or not there, f"{ident} came to {name}: it was {fate}")
            want(fate != TAKEN or there or waits, f"{ident} for {name} is lost: it was acknowledged")
            twice += max(len(there) - 1, 0)
            want(len(set(there)) == len(there), f"{ident} came to {name} twice from one server: {there}")
            promised += fate == TAKEN
        for user in self.server.users():
            conn = imap.login(user, mailbox="INBOX")
            bodies = [body for *_, body in imap.bodies(conn)] if int(conn.select("INBOX")[1][0]) else []
            self.settle_outer(user, bodies)
            self.mail.settle(user, [body for body in bodies if (target.split_trace(body)[0], user) in self.mail.fates])
            conn.logout()
        counts = json.loads(self.server.cli("--json", "status"))["queued"]
        want(counts == len(json.loads(self.server.cli("queue", "list", "--json"))), f"status counts {counts} messages, the list has others")
        proven = subprocess.run([paths.POSTHOUSE, "--config", self.server.config, "verify"], capture_output=True, text=True)
        want(proven.returncode == 0, f"verify: {proven.returncode}\n{proven.stdout[-1000:]}{proven.stderr[-1000:]}")
        return promised, sum(queued.values()), twice

    def settle_outer(self, user, bodies):
        """What goes to the group of groups comes to each member once, whatever ways lead there, and never twice."""
        copies = collections.Counter(target.split_trace(body)[0] for body in bodies)
        for (ident, address), fate in self.mail.fates.items():
            if address == OUTER:
                want(copies[ident] <= 1, f"{user} has {ident} {copies[ident]} times")
                want(fate != TAKEN or copies[ident] == 1, f"{user} lost {ident}, which was acknowledged for a group")
                want(fate in (TAKEN, UNDER_WAY) or not copies[ident], f"{user} has {ident}, of which it was said: {fate}")
                self.through += copies[ident]
        for ident in copies:
            want((ident, user) in self.mail.fates or (ident, OUTER) in self.mail.fates, f"{user} has {ident}, which was never sent to it")

    def held_up(self, count=60):
        """Seconds from the 250 of each mail for the good host until it was there, while the others hold connections and mail waits for them."""
        names, took = [name for name in DESTINATIONS if name != "good"], []
        with smtp.Smtp("smtp") as client:
            client.hello()
            for number in range(40):
                client.deliver(self.mail.begin(f"bad-{number}", self.rng, []), [f"{name}@{DOMAIN}" for name in names], sender=f"bad-{number}@crash.test")
                self.mail.fates.update({(f"bad-{number}", f"{name}@{DOMAIN}"): TAKEN for name in names})
            procs.wait_until(lambda: self.sinks["tarpit"].connections and self.sinks["slow"].mails, 120, "connections that wait")
            for number in range(count):
                ident = f"quick-{number}"
                client.deliver(self.mail.begin(ident, self.rng, [f"good@{DOMAIN}"]), [f"good@{DOMAIN}"], sender=f"{ident}@crash.test")
                begun = time.monotonic()
                self.mail.told(ident, f"good@{DOMAIN}", 250)
                procs.wait_until(lambda one=ident: self.sinks["good"].of(one + "\r"), 120, f"{ident} at the good host")
                took.append(time.monotonic() - begun)
        return took


def main():
    checks = Checks("crash_queue")
    print(f"  seed PH_CRASH_SEED={SEED}, {ROUNDS} rounds", flush=True)
    run = Run()
    try:
        with checks.check("starts"):
            run.start()
        with checks.check(f"{ROUNDS} times kill -9: what was acknowledged is delivered or queued, and comes twice only around a kill"):
            for number in range(ROUNDS):
                run.round(number)
            procs.wait_until(run.drained, 180, "nothing left for hosts that take mail")
            promised, waiting, twice = run.settle()
            print(f"        {promised} copies acknowledged for other hosts, {waiting} of them queued, {twice} came twice; {run.through} copies in mailboxes through groups in a "
                  "group, none twice", flush=True)
            want(promised > 20 * ROUNDS, f"only {promised} copies")
        with checks.check("a good host is not held up by slow, silent, broken and unreachable ones"):
            took = run.held_up()
            print(f"        ms from 250 to there: median {statistics.median(took) * 1000:.0f}, worst {max(took) * 1000:.0f}", flush=True)
            # One that waited behind the silent host would wait for minutes; one alone waits for two commits, on a slow disk or a busy machine.
            want(statistics.median(took) < 10 and max(took) < 60, f"median {statistics.median(took):.1f} s, worst {max(took):.1f} s")
            procs.wait_until(run.drained, 180, "nothing left for hosts that take mail")
            run.settle()
        with checks.check("stops in order, connections that wait for a reply included"):
            want(run.server.stop() == 0, "another exit code")
    finally:
        if run.server.process is not None:
            run.server.kill()
        for sink in run.sinks.values():
            sink.close()
    checks.finish()


if __name__ == "__main__":
    sys.exit(main())
