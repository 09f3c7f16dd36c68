"""Debian's Postfix alone, with its own SMTP client as it comes: takes mail for groups of addresses on loopback and sends it on.

Private as in `peers`: own configuration, own queue, a loopback port."""
import os
import subprocess

from .peers import write_postfix
from .servers import DOMAIN, Server

MAIN = """\
virtual_alias_domains = {domain}
virtual_alias_maps = texthash:{base}/virtual
transport_maps = texthash:{base}/transport
default_transport = retry:no route from here
"""


class Relay(Server):
    """`groups`: local part -> members elsewhere; `routes`: domain -> address:port."""

    name = "postfix"
    protocols = ("smtp",)

    def __init__(self, label, groups, routes, **rest):
        super().__init__(label, **rest)
        self.groups, self.routes = groups, routes
        self.base = os.path.join(self.folder, "postfix")
        self.data = os.path.join(self.base, "queue")

    def start(self, strace=None):
        os.makedirs(self.base)
        os.chmod(self.folder, 0o755)
        with open(os.path.join(self.base, "virtual"), "w") as file:
            file.writelines(f"{name}@{DOMAIN} {' '.join(members)}\n" for name, members in self.groups.items())
        with open(os.path.join(self.base, "transport"), "w") as file:
            for domain, address in self.routes.items():
                host, port = address.rsplit(":", 1)
                file.write(f"{domain} smtp:[{host}]:{port}\n")
        write_postfix(self.base, dict(self.ports, domain=DOMAIN, base=self.base), MAIN, "{smtp} inet n - n - - smtpd\n")
        # A start by itself makes the folders; in the foreground master is our child, and strace's.
        self.run("check")
        self.spawn(["postfix", "-c", self.base, "start-fg"], strace)
        self.wait_open()
        return self

    def run(self, word):
        done = subprocess.run(["postfix", "-c", self.base, word], capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"postfix {word}: {done.stdout}{done.stderr}")

    def queued(self):
        """Messages that wait."""
        return sum(len(names) for queue in ("maildrop", "incoming", "active", "deferred")
                   for _, _, names in os.walk(os.path.join(self.data, queue)))

    def stop(self, seconds=180):
        self.run("stop")
        self.process.wait(seconds)
        self.process = None
        return 0
