#!/usr/bin/env python3
"""Who is in front and who is behind: the PROXY protocol by curl, swaks and by hand, XCLIENT by swaks, and DNS lists of hosts, asked for real at dnsmasq.

Starts its servers itself. Proxies speak from 127.0.0.5, a mail server in front from 127.0.0.6, everybody else from 127.0.0.1.
"""
import concurrent.futures
import glob
import os
import re
import socket
import ssl
import struct
import subprocess
import sys
import time

sys.path[:0] = glob.glob(os.path.join(os.environ.get("PH_CACHE", ""), "venv", "lib", "python*", "site-packages"))
from lib import imap, procs  # noqa: E402
from lib.dnsmasq import Dnsmasq
from lib.report import Checks, want
from lib.servers import PASSWORD, PROTOCOLS, OwnDomain, free_ports

HOME = OwnDomain.domain
RUNTIME = os.environ.get("PH_RUNTIME", "auto")
PROXY, FRONT = "127.0.0.5", "127.0.0.6"
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


class Server(OwnDomain):
    def users(self):
        return [f"{name}@{HOME}" for name in ("ann", "bob")]


def second(client, port=40000):
    """A header of version 2 with a TLV behind the addresses."""
    rest = socket.inet_aton(client) + socket.inet_aton("192.0.2.1") + struct.pack("!HH", port, 25) + b"\x04\0\x03abc"
    return SIGNATURE + b"\x21\x11" + struct.pack("!H", len(rest)) + rest


class Talk:
    """A connection from an address, that begins with a header."""

    def __init__(self, port, source=PROXY, header=b"", tls=False):
        self.sock = socket.create_connection(("127.0.0.1", port), 120, (source, 0))
        self.sock.sendall(header)
        if tls:
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            self.sock = context.wrap_socket(self.sock)
        self.file = self.sock.makefile("rb")

    def line(self):
        return self.file.readline().decode()

    def ask(self, line):
        self.sock.sendall(line.encode() + b"\r\n")
        return self.line()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
        self.sock.close()


class World:
    def __init__(self):
        (dns,) = free_ports(len(PROTOCOLS) + 1)[-1:]
        toml = f"""
hostname = "mail.{HOME}"
[login]
plaintext_auth = "always"
[proxy]
networks = ["{PROXY}"]
xclient = ["{FRONT}/32"]
[dnsbl]
reject_score = 5
junk_score = 3
timeout_seconds = 2
allow = ["203.0.113.128/25"]
[[dnsbl.zone]]
name = "bad.test"
weight = 3
[[dnsbl.zone]]
name = "worse.test"
weight = 2
replies = ["127.0.0.4/30"]
[verify]
enabled = false
[outbound]
enabled = false
resolver = ["127.0.0.1:{dns}"]
"""
        self.server = Server("fronts", runtime=RUNTIME, accounts=2, toml=toml)
        hosts = {"9.113.0.203.bad.test": "127.0.0.2", "9.113.0.203.worse.test": "127.0.0.5", "10.113.0.203.bad.test": "127.0.0.2",
                 "10.113.0.203.worse.test": "127.0.0.9", "200.113.0.203.bad.test": "127.0.0.2", "200.113.0.203.worse.test": "127.0.0.4"}
        self.dns = Dnsmasq(self.server.folder, dns, {"is.there": "yes"}, {}, hosts)
        self.server.start()
        os.environ.update({f"PH_{p.upper()}_PORT": str(port) for p, port in self.server.ports.items()})
        os.environ["PH_HOST"] = "127.0.0.1"

    def stop(self):
        self.dns.stop()
        self.server.stop()

    def swaks(self, subject, *options, to="ann", source=FRONT):
        """The dialogue."""
        command = ["swaks", "--server", "127.0.0.1", "--port", str(self.server.ports["smtp"]), "--local-interface", source, "--ehlo", "front.test",
                   "--from", "s@s.test", "--to", f"{to}@{HOME}", "--header", f"Subject: {subject}", *options]
        return subprocess.run(command, capture_output=True, text=True, timeout=60).stdout

    def by(self, client, subject, **rest):
        return self.swaks(subject, "--xclient-addr", client, **rest)


def mailbox(user, name="INBOX"):
    conn = imap.login(f"{user}@{HOME}")
    status, found = conn.select(f'"{name}"')
    mails = [body for *_, body in imap.bodies(conn, "1:*")] if status == "OK" and found[0] != b"0" else []
    conn.logout()
    return mails


def having(user, subject, name="INBOX"):
    return [mail.decode() for mail in mailbox(user, name) if f"Subject: {subject}".encode() in mail]


def proxies(checks, world):
    ports = world.server.ports
    with checks.check("curl reads mail by IMAP and IMAPS behind a proxy"):
        for scheme, protocol in (("imap", "imap"), ("imaps", "imaps")):
            done = subprocess.run(["curl", "-sSk", "--haproxy-protocol", "--interface", PROXY, "-u", f"ann@{HOME}:{PASSWORD}",
                                   f"{scheme}://127.0.0.1:{ports[protocol]}/"], capture_output=True, text=True, timeout=30)
            want("INBOX" in done.stdout, f"{scheme}: {done}")
    with checks.check("swaks sends mail by both versions; Received names the client"):
        for version, family in (("1", "TCP4"), ("2", "AF_INET")):
            more = ["--proxy-protocol", "STREAM", "--proxy-command", "PROXY"] if version == "2" else []
            said = world.swaks(f"proxy {version}", "--proxy-version", version, "--proxy-family", family, "--proxy-source", "203.0.113.8", "--proxy-source-port",
                               "4711", "--proxy-dest", "192.0.2.1", "--proxy-dest-port", "25", *more, source=PROXY)
            want("250 2.0.0 Taken" in said, said)
            (mail,) = having("ann", f"proxy {version}")
            want("([203.0.113.8])" in mail, mail[:400])
    with checks.check("POP3, POP3S, submission and submissions take a header of version 2, TLS right behind it"):
        for protocol, tls, greeting in (("pop3", False, "+OK"), ("pop3s", True, "+OK"), ("submission", False, "220"), ("submissions", True, "220")):
            with Talk(ports[protocol], header=second("203.0.113.20"), tls=tls) as talk:
                want(talk.line().startswith(greeting), protocol)
    with checks.check("guesses shut out the client that makes them, and none beside it behind the same proxy"):
        def guess(client, password, name="bob"):
            with Talk(ports["pop3"], header=second(client)) as talk:
                talk.line()
                talk.ask(f"USER {name}@{HOME}")
                return talk.ask(f"PASS {password}")
        # For other names, so that bob's own account waits for nothing; at once, for each failure waits longer than the one before it.
        with concurrent.futures.ThreadPoolExecutor(45) as pool:
            answers = list(pool.map(lambda at: guess("203.0.113.66", "wrong", f"nobody{at}"), range(45)))
        want(not any(answer.startswith("+OK") for answer in answers), f"{answers}")
        want(not guess("203.0.113.66", PASSWORD).startswith("+OK"), "it guesses right now")
        want(guess("203.0.113.67", PASSWORD).startswith("+OK"), "its neighbour")
    with checks.check("a proxy that says nothing, or nonsense, is cut and the log says so"):
        with Talk(ports["imap"], header=b"a NOOP\r\n") as talk:
            want(talk.line() == "", "an answer to nonsense")
        began = time.monotonic()
        with Talk(ports["imap"]) as talk:
            want(talk.line() == "", "an answer to silence")
        want(8 < time.monotonic() - began < 60, "the time that it takes")
        # What is logged is written a moment later.
        for line in ("no PROXY header came in time", "a trusted proxy does not say"):
            procs.wait_until(lambda: line in world.server.log_tail(50), 60, line)
    with checks.check("nobody else is believed"):
        with Talk(ports["smtp"], source="127.0.0.1", header=b"PROXY TCP4 203.0.113.9 192.0.2.1 1 25\r\n") as talk:
            want(talk.line().startswith("220") and talk.line().startswith("500"), "a header from elsewhere")


def fronts(checks, world):
    with checks.check("XCLIENT of a trusted host by swaks: address, port and name are the client's"):
        said = world.swaks("xclient", "--xclient-addr", "203.0.113.30", "--xclient-port", "99", "--xclient-name", "[UNAVAILABLE]", "--xclient-helo", "client.test",
                           "--xclient-proto", "ESMTP")
        want("250 2.0.0 Taken" in said, said)
        (mail,) = having("ann", "xclient")
        want("from client.test ([203.0.113.30])" in mail, mail[:400])
        trace = world.server.cli("trace", f"ann@{HOME}", "--json")
        want("203.0.113.30:99" in trace, trace[-600:])
    with checks.check("XCLIENT is neither offered to others nor obeyed"):
        with Talk(world.server.ports["smtp"], source="127.0.0.1") as talk:
            talk.line()
            talk.sock.sendall(b"EHLO x\r\nXCLIENT ADDR=203.0.113.9\r\nQUIT\r\n")
            said = talk.file.read().decode()
            want("XCLIENT NAME" not in said and "550 5.7.0 XCLIENT" in said, said)


def lists(checks, world):
    with checks.check("two lists together refuse a host, with their names"):
        said = world.by("203.0.113.9", "listed")
        want("550 5.7.1 your host is on blocklists: 203.0.113.9 bad.test, worse.test" in said, said)
    with checks.check("one list and an answer that does not count put mail into Junk"):
        want("250 2.0.0 Taken" in world.by("203.0.113.10", "suspected"), "taken")
        want(not having("ann", "suspected") and having("ann", "suspected", "Junk"), "it is in Junk")
        want("dnsbl=3 (bad.test)" in world.server.cli("trace", f"ann@{HOME}", "--json"), "the mail log")
    with checks.check("others, and those of the own allowlist, are in INBOX"):
        for client in ("203.0.113.11", "203.0.113.200"):
            want("250 2.0.0 Taken" in world.by(client, f"good {client}"), client)
            want(having("ann", f"good {client}"), client)
    with checks.check("a rule of the recipient allows a sender from a listed host"):
        world.server.cli("rule", "add", "--account", f"bob@{HOME}", "allow", "s.test")
        want("250 2.0.0 Taken" in world.by("203.0.113.9", "allowed", to="bob"), "taken")
        want(having("bob", "allowed"), "in INBOX")
    with checks.check("with the name server down answers are kept, and mail of unknown hosts is taken"):
        world.dns.stop()
        want("550 5.7.1 your host is on blocklists" in world.by("203.0.113.9", "kept"), "what was known")
        began = time.monotonic()
        want("250 2.0.0 Taken" in world.by("203.0.113.77", "down"), "taken")
        want(time.monotonic() - began < 30, "within the time-out")
        want(having("ann", "down"), "in INBOX")
        want(re.search(r"bad.test: no answer", world.server.cli("trace", f"ann@{HOME}", "--json")), "the mail log")


def main():
    checks = Checks("fronts")
    world = World()
    try:
        for part in (proxies, fronts, lists):
            part(checks, world)
    finally:
        world.stop()
    checks.finish()


if __name__ == "__main__":
    main()
