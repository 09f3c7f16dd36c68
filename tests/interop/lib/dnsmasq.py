"""Debian's dnsmasq as a private name server on loopback: TXT, MX and A records from a table, NXDOMAIN for the rest."""
import os
import subprocess

import dns.exception
import dns.resolver

from . import procs


def strings(text):
    """A TXT value in strings of at most 255 bytes, as dnsmasq wants it; a semicolon and a quote need nothing there."""
    return ",".join(f'"{text[at:at + 250]}"' for at in range(0, len(text), 250))


class Dnsmasq:
    """`txt` maps names to a value, `mx` domains to a host, `hosts` hosts to an address. `update` changes them."""

    def __init__(self, folder, port, txt, mx, hosts):
        self.folder, self.port, self.process = folder, port, None
        self.txt, self.mx, self.hosts = dict(txt), dict(mx), dict(hosts)
        self.start()

    def start(self):
        config = os.path.join(self.folder, "dnsmasq.conf")
        lines = [f"port={self.port}", "listen-address=127.0.0.1", "bind-interfaces", "no-resolv", "no-hosts", "no-daemon", "pid-file=",
                 "local=/#/", "cache-size=0", "user=", "group="]
        lines += [f"txt-record={name},{strings(text)}" for name, text in self.txt.items()]
        lines += [f"mx-host={domain},{host},10" for domain, host in self.mx.items()]
        lines += [f"host-record={host},{address}" for host, address in self.hosts.items()]
        with open(config, "w") as file:
            file.write("\n".join(lines) + "\n")
        log = open(os.path.join(self.folder, "dnsmasq.log"), "ab")
        self.process = subprocess.Popen(["dnsmasq", f"--conf-file={config}"], stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
        name = next(iter(self.txt))
        procs.wait_until(lambda: self.process.poll() is not None or self.get_txt(name), 20, "dnsmasq")
        if self.process.poll() is not None:
            raise RuntimeError(open(log.name, errors="replace").read()[-600:])

    def get_txt(self, name, timeout=5):
        """What a checker of signatures asks for: the record's bytes, or None."""
        resolver = dns.resolver.Resolver(configure=False)
        resolver.nameservers, resolver.port = ["127.0.0.1"], self.port
        name = name.decode() if isinstance(name, bytes) else name
        try:
            answer = resolver.resolve(name, "TXT", lifetime=timeout)
        except (dns.exception.DNSException, OSError):
            return None
        return b"".join(answer[0].strings)

    def update(self, **txt):
        self.txt.update(txt.pop("txt", {}))
        self.stop()
        self.start()

    def stop(self):
        if self.process is not None:
            self.process.terminate()
            self.process.wait(10)
            self.process = None
