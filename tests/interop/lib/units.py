"""Which scripts there are, and the order in which they run side by side.

A unit is what needs a server of its own: a script that starts its servers itself, or the scripts that share one. Units of one name never run at the same
time: their files, and addresses with a port that is given, are the script's."""
import threading

# One server for all scripts of a group.
SHARED = {
    "clients": ["deliver.py", "readback.py", "imap_python.py", "imap_node.mjs", "pop3.py", "curl.py", "submit.py",
                "msmtp.py", "imap_client.py", "sync.py", "sharing.py", "notify.py", "getmail.py", "alpine.py"],
    "logins": ["scram.py"],
}
# Each script starts its servers itself.
ALONE = {
    "tokens": ["oauth.py"],
    "compare": ["structures.py"],
    "crash": ["crash_kill.py", "crash_queue.py", "crash_full.py", "crash_latch.py"],
    "hostile": ["hostile.py", "smuggle.py", "syncs.py"],
    "outbound": ["outbound.py", "exim.py", "trust.py", "reports.py"],
    "mailflow": ["mailflow.py", "fronts.py", "filters.py", "viruses.py"],
    "systemd": ["unit.py"],
}
# What they hold is decided above the runtime, by code that is the same on both: they run on the first one only. What stands here must have its
# connections, of the same kinds, in a script that runs on both.
ONCE = {
    "scram.py": "what a password proves; the clients' scripts log in on both",
    "oauth.py": "what a token proves; its questions go out from a thread that is no reactor",
    "structures.py": "answers of FETCH and THREAD",
    "exim.py": "another peer of outbound.py",
    "trust.py": "whom TLS believes; outbound.py has TLS to a peer on both",
    "reports.py": "what reports say, sent as other mail",
    "mailflow.py": "who may send what to whom; outbound.py and the clients' scripts submit and deliver on both",
    "viruses.py": "another peer of filters.py",
    "smuggle.py": "where a message ends, which wire/ says of bytes however they come; hostile.py is on both",
    "crash_full.py": "what the store does on a full disk",
    "crash_latch.py": "what the store does after a failed sync",
}
# These begin first, since they take longest: much mail, logins that must wait, many rounds.
FIRST = ["clients", "logins", "oauth.py", "outbound.py", "crash_kill.py", "crash_queue.py", "hostile.py"]


class Unit:
    """`scripts` on `runtime`; `name` is the group of those that share a server, else the script."""

    def __init__(self, name, runtime, scripts, is_shared):
        self.name, self.runtime, self.scripts, self.is_shared = name, runtime, scripts, is_shared


def units(what, runtimes):
    """Of groups and scripts, in the order in which they may begin. What runs once by the table above does so if it is asked for by its group."""
    out, apart = [], []
    for one in what:
        for runtime in runtimes:
            if one in SHARED:
                scripts = [script for script in SHARED[one] if runtime == runtimes[0] or script not in ONCE]
                out += [Unit(one, runtime, scripts, True)] if scripts else []
            elif one in ALONE:
                out += [Unit(script, runtime, [script], False) for script in ALONE[one] if runtime == runtimes[0] or script not in ONCE]
            elif any(one in scripts for scripts in ALONE.values()):
                out.append(Unit(one, runtime, [one], False))
            else:
                apart.append(one)
    # Scripts that are named share one server as their group does.
    named = list(dict.fromkeys(apart))
    out += [Unit(named[0], runtime, named, True) for runtime in runtimes] if named else []
    return sorted(out, key=lambda unit: FIRST.index(unit.name) if unit.name in FIRST else len(FIRST))


class Line:
    """Hands out units: the first whose name is not at work."""

    def __init__(self, some):
        self.waiting, self.busy, self.changed = list(some), set(), threading.Condition()

    def next(self):
        """None when there is no more."""
        with self.changed:
            while self.waiting:
                for unit in self.waiting:
                    if unit.name not in self.busy:
                        self.waiting.remove(unit)
                        self.busy.add(unit.name)
                        return unit
                self.changed.wait()
            return None

    def done(self, unit):
        with self.changed:
            self.busy.discard(unit.name)
            self.changed.notify_all()


def side_by_side(some, jobs, work):
    """Calls `work` for each unit, `jobs` at a time; returns when all are done."""
    line = Line(some)

    def turn():
        while (unit := line.next()) is not None:
            try:
                work(unit)
            finally:
                line.done(unit)
    threads = [threading.Thread(target=turn) for _ in range(max(1, min(jobs, len(some))))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
