#!/usr/bin/env python3
"""Mail with viruses: Debian's clamav-milter and its clamd, with signatures made here: what is found is refused, quarantined or thrown away as the
milter's configuration says, what is clean arrives as it was, and while clamd is gone mail waits or is taken.

Starts its servers itself; a peer that is not on this machine is a failed check.
"""
import base64
import hashlib
import os
import random
import shutil
import sys
import tempfile

from filters import Server, deliver, having
from lib.daemons import Daemons
from lib.report import Checks, want
from lib.servers import OwnDomain, free_ports

HOME = OwnDomain.domain
RUNTIME = os.environ.get("PH_RUNTIME", "auto")
# A signature of bytes anywhere in a part, and one of a whole file. Neither is anybody's.
MARK = b"posthouse test pattern, harmless " + b"0123456789" * 3
FILE = random.Random(26).randbytes(200_000)
# What is to be done with mail in which something is found, and while clamd gives no answer.
WAYS = {"rejects": ("Reject", "Defer"), "puts-aside": ("Quarantine", "Accept"), "discards": ("Blackhole", "Defer")}


class Scanner:
    """clamd, and a milter for each of `WAYS`."""

    def __init__(self, folder):
        self.folder, self.sockets, self.daemons = folder, tempfile.TemporaryDirectory(), Daemons(folder)
        self.socket = os.path.join(self.sockets.name, "clamd")
        self.ports = dict(zip(WAYS, free_ports(len(WAYS))))
        signatures = os.path.join(folder, "signatures")
        os.makedirs(signatures)
        with open(os.path.join(signatures, "posthouse.ndb"), "w") as file:
            file.write(f"Posthouse.Test.Mark:0:*:{MARK.hex()}\n")
        with open(os.path.join(signatures, "posthouse.hdb"), "w") as file:
            file.write(f"{hashlib.md5(FILE).hexdigest()}:{len(FILE)}:Posthouse.Test.File\n")
        self.config("clamd", f"Foreground yes\nLocalSocket {self.socket}\nDatabaseDirectory {signatures}\nTemporaryDirectory {folder}\n")
        for way, (found, fails) in WAYS.items():
            words = 'RejectMsg "5.7.1 It carries %v"\n' if found == "Reject" else ""
            self.config(way, f"Foreground yes\nMilterSocket inet:{self.ports[way]}@127.0.0.1\nClamdSocket unix:{self.socket}\n"
                             f"OnInfected {found}\nOnFail {fails}\nAddHeader Replace\nTemporaryDirectory {folder}\nLogFile {folder}/{way}.clamav\nLogTime yes\n{words}")
        self.start()
        for way in WAYS:
            self.daemons.spawn(["clamav-milter", "-c", self.path(way)], self.ports[way], way)

    def path(self, name):
        return os.path.join(self.folder, f"{name}.conf")

    def config(self, name, text):
        with open(self.path(name), "w") as file:
            file.write(text)

    def start(self):
        self.daemons.spawn(["clamd", "-c", self.path("clamd")], self.socket, "clamd", 120)

    def stop(self):
        for name in list(self.daemons.running):
            self.daemons.end(name, at_once=True)


def toml(port):
    return f"""
[verify]
enabled = false
[[milter]]
name = "clamav"
address = "127.0.0.1:{port}"
timeout_seconds = 60
"""


def use(server, port):
    if server.process is not None:
        server.stop()
    server.toml = toml(port)
    server.start()
    os.environ.update({f"PH_{p.upper()}_PORT": str(number) for p, number in server.ports.items()})


def attached(data):
    """A body of two parts, the second one a file, and the field for it."""
    lines = base64.encodebytes(data).decode().replace("\n", "\r\n")
    head = 'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="b"\r\n'
    return (f"--b\r\nContent-Type: text/plain\r\n\r\nSee there.\r\n--b\r\nContent-Type: application/octet-stream\r\n"
            f"Content-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename=x.bin\r\n\r\n{lines}--b--\r\n"), head


def told(server, *parts):
    log = server.cli("trace", f"ann@{HOME}", "--json")
    for part in parts:
        want(part in log, f"{part!r} is not in the mail log: {log[-800:]}")


def refused(checks, server, scanner):
    use(server, scanner.ports["rejects"])
    with checks.check("clamav-milter: what is clean arrives with its field, 3 MB of attachment byte for byte"):
        body, head = attached(random.Random(27).randbytes(3_000_000))
        for subject, (text, more) in {"clean": ("x", ""), "clean-large": (body, head)}.items():
            reply = deliver(subject, text, more=more)
            want(reply[0] == 250, f"{subject}: {reply}")
            (mail,) = having("ann", subject)
            want(b"X-Virus-Status: Clean\r\n" in mail and mail.endswith(text.encode() + b"\r\n"), mail[:900].decode())
    with checks.check("a signature in the text: refused with the milter's words"):
        reply = deliver("marked", MARK.decode())
        want(reply[0] == 550 and "5.7.1 It carries Posthouse.Test.Mark" in reply[1], f"{reply}")
        want(not having("ann", "marked"), "it arrived")
        told(server, "Posthouse.Test.Mark")
    with checks.check("a file that is known by its hash, in base64: refused; one byte more, and it is another"):
        body, head = attached(FILE)
        reply = deliver("file", body, more=head)
        want(reply[0] == 550 and "Posthouse.Test.File" in reply[1], f"{reply}")
        body, head = attached(FILE + b"x")
        reply = deliver("another-file", body, more=head)
        want(reply[0] == 250 and having("ann", "another-file"), f"{reply}")


def other_ways(checks, server, scanner):
    with checks.check("OnInfected Quarantine: into Junk, and the mail log says why"):
        use(server, scanner.ports["puts-aside"])
        reply = deliver("aside", MARK.decode())
        want(reply[0] == 250 and not having("ann", "aside") and having("ann", "aside", "Junk"), f"{reply}")
        told(server, "quarantine", "quarantined by clamav-milter")
    with checks.check("OnInfected Blackhole: answered 250, and nowhere"):
        use(server, scanner.ports["discards"])
        reply = deliver("black", MARK.decode())
        want(reply[0] == 250 and not having("ann", "black") and not having("ann", "black", "Junk"), f"{reply}")


def down(checks, server, scanner):
    with checks.check("clamd killed: OnFail Accept lets mail in, OnFail Defer makes it wait"):
        scanner.daemons.end("clamd", at_once=True)
        use(server, scanner.ports["puts-aside"])
        reply = deliver("unscanned", MARK.decode())
        want(reply[0] == 250 and having("ann", "unscanned"), f"{reply}")
        use(server, scanner.ports["rejects"])
        reply = deliver("waits", "x")
        want(reply[0] == 451, f"{reply}")
        want(not having("ann", "waits"), "it arrived")
    with checks.check("clamd is there again: the mail is taken, and what it carries is found"):
        scanner.start()
        # The milter looks for clamd anew when it begins.
        scanner.daemons.end("rejects", at_once=True)
        reply = deliver("waits", "x")
        want(reply[0] == 451, f"without a milter: {reply}")
        scanner.daemons.spawn(["clamav-milter", "-c", scanner.path("rejects")], scanner.ports["rejects"], "rejects")
        reply = deliver("waits", "x")
        want(reply[0] == 250 and having("ann", "waits"), f"{reply}")
        want(deliver("found-again", MARK.decode())[0] == 550, "found again")


def main():
    checks = Checks("viruses")
    missing = [name for name in ("clamd", "clamav-milter") if shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin") is None]
    if missing:
        checks.fail("peers", f"not installed: {missing}")
        checks.finish()
    os.environ["PATH"] += ":/usr/sbin"
    server = Server("viruses", runtime=RUNTIME, accounts=4)
    scanner = Scanner(server.folder)
    try:
        refused(checks, server, scanner)
        other_ways(checks, server, scanner)
        down(checks, server, scanner)
    finally:
        if server.process is not None:
            server.stop()
        scanner.stop()
    checks.finish()


if __name__ == "__main__":
    sys.exit(main())
