"""One function per row of the table: how to load a server and what to read off it.

Each takes a way to make a fresh server and gives back plain figures; nothing here knows whether the
server is Posthouse or a peer. Nothing is compared here.
"""
import imaplib
import json
import os
import re
import subprocess
import time

from lib import paths, procs, target

SPAM = os.path.join(paths.CORPUS, "spamassassin")
# The load comes from one address.
MANY_FROM_ONE = "[limits]\nconnections_per_ip_max = 100000\nconnections_per_account_max = 100000\nconnections_max = 100000\n"
# Work that a server does just after its last reply belongs to the operation.
SETTLE_SECONDS = 0.5


def load(*argv, stdin=""):
    """Runs the load generator; any wrong answer ends the whole run."""
    done = subprocess.run([paths.LOAD, *map(str, argv)], input=stdin, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"posthouse-load {' '.join(map(str, argv))}: code {done.returncode}\n{done.stdout}{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def measured(server, *argv):
    """A load with the server's CPU time per operation and the device flushes beside it."""
    cpu, flushes = procs.cpu_seconds(server.roots()), procs.device_flushes()
    out = load(*argv)
    time.sleep(SETTLE_SECONDS)
    out["cpu_us"] = (procs.cpu_seconds(server.roots()) - cpu) * 1e6 / out["ops"]
    out["flushes"] = (procs.device_flushes() - flushes) / out["ops"]
    return out


def measured_alone(server, *argv):
    """A load that holds before its first operation and after its last one: what it needs to log in, and to look at what came of it, is not measured."""
    argv = [paths.LOAD, *map(str, argv), "--hold"]
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def reaches(word):
        if process.stdout.readline().strip() != word:
            raise RuntimeError(f"{' '.join(argv)}: not {word}; {process.communicate()[1]}")

    def goes_on():
        process.stdin.write("\n")
        process.stdin.flush()
    reaches("ready")
    time.sleep(SETTLE_SECONDS)
    cpu, flushes = procs.cpu_seconds(server.roots()), procs.device_flushes()
    goes_on()
    reaches("done")
    time.sleep(SETTLE_SECONDS)
    cpu, flushes = procs.cpu_seconds(server.roots()) - cpu, procs.device_flushes() - flushes
    rest, problem = process.communicate("\n")
    if process.returncode != 0:
        raise RuntimeError(f"{' '.join(argv)}: code {process.returncode}\n{rest}{problem}")
    out = json.loads(rest.splitlines()[-1])
    return {**out, "cpu_us": cpu * 1e6 / out["ops"], "flushes": flushes / out["ops"]}


def login_cpu_us(server):
    """Server CPU of one connection with LOGIN and SELECT: nearly all of it proves the password."""
    argv = ("imap", "--addr", server.address("imap"), "--accounts", 1, "--conns", 1, "--what", "login", "--rounds", 50)
    return measured(server, *argv)["cpu_us"]


def without_login(server, login_us, *argv):
    """Like `measured` for a load over one connection, less what its login costs."""
    out = measured(server, *argv)
    out["cpu_us"] = max(out["cpu_us"] - login_us / out["ops"], 0)
    return out


def deliver(server, count, conns, first=0):
    return ("deliver", "--addr", server.address("lmtp"), "--corpus", SPAM, "--count", count, "--conns", conns,
            "--accounts", server.accounts, "--first", first)


def counted(server):
    """How many messages all inboxes hold together."""
    return load("imap", "--addr", server.address("imap"), "--what", "count", "--accounts", server.accounts, "--conns", 4)["messages"]


def lmtp(make, conns, count, warm):
    """P1, P2: LMTP delivery; every message must be in an inbox afterwards."""
    with make("lmtp") as server:
        load(*deliver(server, warm, conns))
        with procs.PssPeak(server.roots()) as peak:
            out = measured(server, *deliver(server, count, conns, warm))
        found = counted(server)
        if found != warm + count:
            raise RuntimeError(f"{server.name}: {found} messages after {warm + count} deliveries")
        out["pss_mib"] = peak.kib / 1024
    return out


def syncs(make, conns, count):
    """fsync-like system calls per message, counted by strace in a run of their own (strace slows everything)."""
    server = make("syncs")
    trace = os.path.join(server.folder, "strace.txt")
    server.start(strace=trace)
    load(*deliver(server, count, conns))
    server.stop(60)
    return traced_syncs(trace) / count


def traced_syncs(trace):
    """The calls that strace counted."""
    calls = 0
    with open(trace) as file:
        for line in file:
            fields = line.split()
            if len(fields) >= 5 and fields[-1] in ("fsync", "fdatasync", "sync_file_range", "msync", "sync", "syncfs"):
                calls += int(fields[3])
    return calls


def idle(make, protocol, conns):
    """P7: memory per connection that is logged in, has SELECTed and IDLEs."""
    with make("idle", toml=MANY_FROM_ONE) as server:
        load(*deliver(server, server.accounts, 4))
        counted(server)
        time.sleep(1)
        before = procs.pss_kib(server.roots())
        argv = [paths.LOAD, "idle", "--addr", server.address(protocol), "--conns", str(conns), "--accounts", str(server.accounts)]
        holder = subprocess.Popen(argv + (["--tls"] if protocol == "imaps" else []), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        first = holder.stdout.readline()
        time.sleep(1)
        after = procs.pss_kib(server.roots())
        rest, _ = holder.communicate("\n")
        report = json.loads(rest.splitlines()[-1])
        if first.strip() != f"holding {conns}" or report["errors"]:
            raise RuntimeError(f"{server.name}: {first.strip()} of {conns}; {report['first_errors']}")
        return {"kib_each": (after - before) / conns, "conns": conns}


def fan_out(make, count, rcpts):
    """P3: one message to many accounts; CPU and bytes on disk per recipient. RCPTs are pipelined (RFC 2920), as Postfix does it."""
    with make("fanout", accounts=rcpts) as server:
        argv = (*deliver(server, 1, 1), "--rcpts", rcpts, "--pipeline")
        load(*argv)
        before = procs.disk_bytes(server.data)
        out = measured(server, *deliver(server, count, 1, 1), "--rcpts", rcpts, "--pipeline")
        if counted(server) != (count + 1) * rcpts:
            raise RuntimeError(f"{server.name}: not every recipient has every message")
        out["cpu_us_each"] = out["cpu_us"] / rcpts
        out["stored"] = (procs.disk_bytes(server.data) - before) / out["bytes"]
    return out


def changes(make, messages, singles):
    """P6: STORE in bulk and alone, APPEND, COPY and MOVE on one big mailbox."""
    out = {}
    with make("changes", accounts=1) as server:
        load(*deliver(server, messages, 16))
        base = ("change", "--addr", server.address("imap"), "--accounts", 1)
        # Few operations of nanoseconds would come to less than the clock that CPU is counted by.
        counts = {"store-all": 200, "store-one": singles, "append": singles, "copy": messages // 3, "move": messages // 3}
        for what, count in counts.items():
            more = ("--corpus", SPAM) if what == "append" else ()
            out[what.replace("-", "_")] = measured_alone(server, *base, "--what", what, "--count", count, *more)
    return out


def notify(make, conns, count):
    """P8: from the final dot of a delivery to EXISTS on a connection in IDLE, among many that wait."""
    with make("notify", toml=MANY_FROM_ONE) as server:
        load(*deliver(server, server.accounts, 4))
        return measured(server, "notify", "--addr", server.address("imap"), "--lmtp", server.address("lmtp"), "--accounts", server.accounts,
                        "--conns", conns, "--count", count)


def disk(make, count):
    """P9: bytes on disk after a clean stop, over raw bytes delivered; no mail twice."""
    server = make("disk")
    server.start()
    raw = load(*deliver(server, count, 16))["bytes"]
    running = procs.disk_bytes(server.data)
    server.stop(60)
    return {"ratio": procs.disk_bytes(server.data) / raw, "ratio_running": running / raw, "raw": raw}


def reading(make, messages, rounds):
    """P5: one big mailbox; the first reading of each kind, then warm ones, then every second message; SELECT before and after all but the last are read."""
    out = {}
    with make("reading", accounts=1) as server:
        load(*deliver(server, messages, 16))
        base = ("imap", "--addr", server.address("imap"), "--accounts", 1, "--conns", 1)
        login = login_cpu_us(server)
        for what in ("flags", "envelope", "bodystructure", "full"):
            out[what + "_first"] = without_login(server, login, *base, "--what", what, "--rounds", 1)
            out[what] = without_login(server, login, *base, "--what", what, "--rounds", rounds)
        for what in ("flags-gaps", "full-gaps"):
            out[what.replace("-", "_")] = without_login(server, login, *base, "--what", what, "--rounds", rounds)
        out["select"] = without_login(server, login, *base, "--what", "select", "--rounds", 10_000)
        read_all_but_last(server, messages)
        out["select_read"] = without_login(server, login, *base, "--what", "select", "--rounds", 10_000)
        out["login"] = {"cpu_us": login}
    return out


def read_all_but_last(server, messages):
    """As nearly every mailbox looks: one message is unseen, and it is the last one."""
    host, port = server.address("imap").rsplit(":", 1)
    with imaplib.IMAP4(host, int(port)) as look:
        look.login(server.users()[0], target.PASSWORD)
        look.select("INBOX")
        said = look.store(f"1:{messages - 1}", "+FLAGS.SILENT", "(\\Seen)")
        unseen = look.search(None, "UNSEEN")[1][0].split()
        if said[0] != "OK" or unseen != [str(messages).encode()]:
            raise RuntimeError(f"{server.name}: STORE said {said[0]}; {len(unseen)} unseen, not the last of {messages}")


def smtp_source(make, conns, count, size):
    """P4: the MX path, driven by Postfix's own load generator."""
    with make("smtp") as server:
        host, port = server.address("imap").rsplit(":", 1)
        look = imaplib.IMAP4(host, int(port))
        look.login(server.users()[0], target.PASSWORD)
        cpu, start = procs.cpu_seconds(server.roots()), time.monotonic()
        subprocess.run(["smtp-source", "-s", str(conns), "-m", str(count), "-l", str(size), "-f", "a@load.test", "-t", server.users()[0],
                        server.address("smtp")], check=True)
        # Postfix answers before it delivers: its work is done when every message is in the mailbox.
        # Asked seldom, of one account and in one session, since asking costs the server CPU too.
        end = time.monotonic() + 300
        while int(re.search(rb"MESSAGES (\d+)", look.status("INBOX", "(MESSAGES)")[1][0])[1]) < count:
            if time.monotonic() > end:
                raise TimeoutError(f"{server.name}: not all {count} messages in the mailbox")
            time.sleep(0.5)
        wall = time.monotonic() - start
        return {"cpu_us": (procs.cpu_seconds(server.roots()) - cpu) * 1e6 / count, "ops_per_second": count / wall, "ops": count}
