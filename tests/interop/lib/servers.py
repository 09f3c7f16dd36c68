"""Starts the server under test on loopback ports of its own and stops it again.

`Posthouse` is the subject, `Peers` (Debian's Dovecot, and Postfix for SMTP) shows that the checks
themselves are right. Each has the same accounts u0..uN-1@DOMAIN with one password.
"""
import os
import shutil
import signal
import socket
import subprocess
import time

from . import paths, procs
from .ports import free_ports

DOMAIN = "bench.test"
PASSWORD = "bench-secret"
PROTOCOLS = ("lmtp", "smtp", "submission", "submissions", "imap", "imaps", "pop3", "pop3s")


class Server:
    """Ports, accounts and the life of one server. `env` is what check scripts read."""

    name = "?"
    protocols = PROTOCOLS

    def __init__(self, label="run", accounts=104, data=None, **settings):
        self.accounts = accounts
        self.folder = os.path.join(paths.RUNS, f"{self.name}-{label}")
        shutil.rmtree(self.folder, ignore_errors=True)
        os.makedirs(self.folder)
        self.data = data or os.path.join(self.folder, "data")
        self.settings = settings
        self.ports = dict(zip(self.protocols, free_ports(len(self.protocols))))
        self.process = None
        self.log = os.path.join(self.folder, "server.log")

    def address(self, protocol):
        return f"127.0.0.1:{self.ports[protocol]}"

    def users(self):
        return [f"u{n}@{DOMAIN}" for n in range(self.accounts)]

    def env(self):
        out = {f"PH_{p.upper()}_PORT": str(self.ports[p]) for p in self.protocols if p in self.ports}
        out |= {"PH_SERVER": self.name, "PH_HOST": "127.0.0.1", "PH_DOMAIN": DOMAIN, "PH_PASSWORD": PASSWORD,
                "PH_ACCOUNTS": str(self.accounts), "PH_FOLDER": self.folder, "PH_PID": str(self.process.pid if self.process else 0),
                "PH_CACHE": paths.CACHE, "PH_LOAD": paths.LOAD}
        return out

    def spawn(self, argv, strace=None):
        """`strace`: a file to count syncs in, or strace's own arguments."""
        if isinstance(strace, list):
            argv = ["strace", *strace] + argv
        elif strace:
            argv = ["strace", "-f", "-qq", "-c", "-o", strace, "-e", "trace=fsync,fdatasync,sync_file_range,sync,syncfs,msync"] + argv
        self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=open(self.log, "ab"), stderr=subprocess.STDOUT,
                                        start_new_session=True)

    def roots(self):
        return [self.process.pid]

    def log_tail(self, count=25):
        try:
            with open(self.log, errors="replace") as file:
                return "".join(file.readlines()[-count:])
        except OSError:
            return ""

    def wait_open(self, seconds=120):
        for protocol in self.ports:
            def opened(port=self.ports[protocol]):
                if self.process.poll() is not None:
                    raise RuntimeError(f"{self.name} ended with code {self.process.returncode}:\n{self.log_tail()}")
                with socket.socket() as probe:
                    return probe.connect_ex(("127.0.0.1", port)) == 0
            procs.wait_until(opened, seconds, f"{self.name} {protocol} port")

    def stop(self, seconds=180):
        """SIGTERM, then wait; returns the exit code. A server that stays is killed and reported."""
        if self.process is None:
            return None
        pids = procs.tree(self.process.pid)
        # Under strace the server is the child; strace passes no signals on by itself.
        target = pids[1] if self.process.args[0] == "strace" and len(pids) > 1 else self.process.pid
        try:
            os.kill(target, signal.SIGTERM)
        except ProcessLookupError:
            pass
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise RuntimeError(f"{self.name} did not stop within {seconds} s\n{self.log_tail()}")
        self.process = None
        return code

    def kill(self):
        """kill -9 of the whole tree; returns when it is gone."""
        for pid in procs.tree(self.process.pid):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait()
        self.process = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        if self.process is not None:
            self.stop()


class Posthouse(Server):
    """The subject. `runtime` is auto, uring or tokio; other settings are lines of TOML."""

    name = "posthouse"

    def __init__(self, label="run", runtime="auto", toml="", **rest):
        super().__init__(f"{label}-{runtime}", **rest)
        self.runtime, self.toml = runtime, toml
        self.config = os.path.join(self.folder, "posthouse.toml")
        self.provisioned = False

    def write_config(self):
        listen = "".join(f'{p} = ["{self.address(p)}"]\n' for p in self.protocols)
        # No test sends anything to a host that it has not started.
        quiet = "" if "[outbound]" in self.toml else "[outbound]\nenabled = false\n"
        with open(self.config, "w") as file:
            file.write(f'data = "{self.data}"\nruntime = "{self.runtime}"\n{self.toml}\n{quiet}[listen]\nadmin = []\nautoconfig = []\n{listen}')

    def cli(self, *argv, stdin=""):
        done = subprocess.run([paths.POSTHOUSE, *argv, "--config", self.config], input=stdin, text=True, capture_output=True)
        if done.returncode != 0:
            raise RuntimeError(f"posthouse {' '.join(argv)}: code {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def provision(self):
        """Offline, on the closed data directory: a tenant, a domain, the members."""
        self.cli("tenant", "add", "bench", "--accounts-max", str(max(self.accounts, 200)))
        self.cli("domain", "add", DOMAIN, "--tenant", "bench")
        csv = os.path.join(self.folder, "members.csv")
        with open(csv, "w") as file:
            file.write("address,password\n")
            file.writelines(f"{user},{PASSWORD}\n" for user in self.users())
        self.cli("member", "import", csv)
        self.provisioned = True

    def start(self, strace=None):
        self.write_config()
        if not self.provisioned:
            self.provision()
        old = os.path.getsize(self.log) if os.path.exists(self.log) else 0
        self.spawn([paths.POSTHOUSE, "serve", "--config", self.config], strace)

        def ready():
            if self.process.poll() is not None:
                raise RuntimeError(f"posthouse ended with code {self.process.returncode}:\n{self.log_tail()}")
            with open(self.log, "rb") as file:
                file.seek(old)
                return any(b"ready" in line for line in file)
        # A first start is a key and some thirty syncs, one after the other.
        procs.wait_until(ready, 240, "posthouse: ready line")
        self.wait_open()
        return self


class OwnDomain(Posthouse):
    """With members of a domain of its own, `users()` with one password, and no others."""

    domain = "home.test"

    def provision(self):
        self.cli("tenant", "add", "home")
        self.cli("domain", "add", self.domain, "--tenant", "home")
        for user in self.users():
            self.cli("member", "add", user, "--password-stdin", stdin=PASSWORD)
        self.provisioned = True
