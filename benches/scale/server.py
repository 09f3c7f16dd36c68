"""One server on a data directory that is there already: how long it takes to be ready, what it costs, and a plain IMAP client.

Nothing is compared or printed here.
"""
import os
import re
import signal
import socket
import subprocess
import time

PROTOCOLS = ("smtp", "submission", "submissions", "lmtp", "imap", "imaps", "pop3", "pop3s", "admin", "autoconfig")


def files(folder):
    for base, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(base, name)
            if os.path.isfile(path):
                yield path


def cold(folder):
    """Puts the store's pages out of the cache."""
    for name in files(folder):
        handle = os.open(name, os.O_RDONLY)
        os.fsync(handle)
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(handle)


def room(folder):
    """Bytes by the kind of file."""
    out = {}
    for name in files(folder):
        kind = os.path.splitext(name)[1] or "other"
        out[kind] = out.get(kind, 0) + os.path.getsize(name)
    return out


class Server:
    """`posthouse serve` on `data`; `startup` says what becoming ready took."""

    def __init__(self, posthouse, data, more=""):
        self.data = data
        config = data + ".toml"
        with open(config, "w") as file:
            file.write(f'data = "{data}"\n[listen]\n' + "".join(f'{name} = ["127.0.0.1:0"]\n' for name in PROTOCOLS)
                       + "[limits]\nconnections_per_ip_max = 100000\nconnections_per_account_max = 100000\n"
                       + ("" if "[outbound]" in more else "[outbound]\nenabled = false\n") + more)
        self.log = data + ".log"
        begun = time.monotonic()
        with open(self.log, "w") as log:
            self.child = subprocess.Popen([posthouse, "serve", "--config", config], stdout=subprocess.PIPE, stderr=log, text=True)
        self.pid = self.child.pid
        self.ports = {}
        if "ready\n" not in iter(self.child.stdout.readline, ""):
            with open(self.log) as log:
                raise RuntimeError(f"the server ended: {log.read()[-2000:]}")
        self.startup = {"ready_seconds": time.monotonic() - begun, "cpu_seconds": self.cpu()} | self.memory()
        self.startup["files_open"] = len(os.listdir(f"/proc/{self.pid}/fd"))
        with open(self.log) as log:
            for line in log:
                found = re.search(r'listening protocol="?(\w+)"? address="?127\.0\.0\.1:(\d+)', line)
                if found:
                    self.ports[found[1]] = int(found[2])

    def cpu(self):
        """Seconds of CPU since it was started, threads that have ended included (clock_getcpuclockid(3))."""
        return time.clock_gettime((~self.pid << 3) | 2)

    def memory(self):
        out = {}
        with open(f"/proc/{self.pid}/smaps_rollup") as file:
            for line in file:
                name, _, value = line.partition(":")
                if name in ("Rss", "Pss", "Pss_Anon"):
                    out[name.lower() + "_mib"] = int(value.split()[0]) / 1024
        with open(f"/proc/{self.pid}/status") as file:
            peak = next(line for line in file if line.startswith("VmHWM"))
        return out | {"peak_mib": int(peak.split()[1]) / 1024}

    def stop(self):
        """Seconds of an orderly stop."""
        return self.end(signal.SIGTERM)

    def kill(self):
        return self.end(signal.SIGKILL)

    def end(self, how):
        begun = time.monotonic()
        self.child.send_signal(how)
        self.child.wait()
        return time.monotonic() - begun


class Imap:
    """As much of a client as the measures need; any NO or BAD is an error."""

    def __init__(self, server, user):
        self.server = server
        self.wire = socket.create_connection(("127.0.0.1", server.ports["imap"]))
        self.file = self.wire.makefile("rb")
        self.file.readline()
        self.number = 0
        self.ask(f"LOGIN {user} bench-secret")

    def ask(self, text):
        """Number of untagged lines."""
        self.number += 1
        tag = f"a{self.number}"
        self.wire.sendall(f"{tag} {text}\r\n".encode())
        lines = 0
        while True:
            line = self.file.readline()
            if line.startswith(tag.encode()):
                if b" OK" not in line[:12]:
                    raise RuntimeError(f"{text}: {line.decode()}")
                return lines
            if not line:
                raise RuntimeError(f"{text}: the server closed the connection")
            lines += 1

    def exists(self, mailbox):
        """Selects it; messages in it."""
        self.number += 1
        tag, exists = f"a{self.number}", None
        self.wire.sendall(f"{tag} SELECT {mailbox}\r\n".encode())
        for line in self.file:
            if line.endswith(b" EXISTS\r\n"):
                exists = int(line.split()[1])
            if line.startswith(tag.encode()):
                break
        if not exists:
            raise RuntimeError(f"SELECT {mailbox}: no mail in it")
        return exists

    def cost(self, text, times):
        """Microseconds of server CPU and of wall time for each."""
        before, begun = self.server.cpu(), time.monotonic()
        for _ in range(times):
            self.ask(text)
        wall = time.monotonic() - begun
        time.sleep(0.05)
        return {"cpu_us": (self.server.cpu() - before) * 1e6 / times, "wall_us": wall * 1e6 / times}

    def close(self):
        self.file.close()
        self.wire.close()
