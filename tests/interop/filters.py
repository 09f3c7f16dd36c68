#!/usr/bin/env python3
"""Filters: a real rspamd, over HTTP and as a milter by its proxy, libmilter by pymilter, its greylist, and opendkim, at a Unix socket, that signs what members send; all Debian's.

Starts its servers itself; a peer that is not on this machine is a failed check, not one that is passed over.
"""
import base64
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

sys.path[:0] = glob.glob(os.path.join(os.environ.get("PH_CACHE", ""), "venv", "lib", "python*", "site-packages"))
import dkim  # noqa: E402

from lib import imap, procs, smtp  # noqa: E402
from lib.daemons import Daemons
from lib.report import Checks, want
from lib.servers import PASSWORD, OwnDomain, free_ports

HOME = OwnDomain.domain
RUNTIME = os.environ.get("PH_RUNTIME", "auto")
GTUBE = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"
# rspamd's own test patterns for its actions.
ADD_HEADER = "YJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"
NO_ACTION = "AJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"


class Server(OwnDomain):
    def users(self):
        return [f"{name}@{HOME}" for name in ("ann", "bob", "no", "later")]


class Rspamd:
    """Its normal worker and its proxy as a milter, without redis or the network."""

    def __init__(self, folder, port, proxy):
        self.folder, self.port, self.process = os.path.join(folder, "rspamd"), port, None
        os.makedirs(self.folder)
        self.config = os.path.join(self.folder, "rspamd.conf")
        with open(self.config, "w") as file:
            file.write(f"""
options {{ pidfile = "{self.folder}/pid"; filters = ""; enable_test_patterns = true; dns {{ nameserver = ["127.0.0.1:1"]; timeout = 0.1s; }} control_socket = "{self.folder}/control";
  local_addrs = []; cache_file = "{self.folder}/cache"; tempdir = "{self.folder}"; url_tld = "/usr/share/rspamd/effective_tld_names.dat"; hs_cache_dir = "{self.folder}"; }}
logging {{ type = "console"; level = "info"; }}
worker "normal" {{ bind_socket = "127.0.0.1:{port}"; count = 1; }}
worker "rspamd_proxy" {{ bind_socket = "127.0.0.1:{proxy}"; milter = yes; count = 1; timeout = 20s;
  upstream "local" {{ default = yes; hosts = "127.0.0.1:{port}"; }} }}
metric "default" {{ actions {{ reject = 15; "add header" = 6; greylist = 4; }} }}
""")
        self.start()

    def start(self):
        log = open(os.path.join(self.folder, "log"), "ab")
        os.chmod(self.folder, 0o777)
        self.process = subprocess.Popen(["rspamd", "-f", "-i", "-c", self.config, "-u", "root", "-g", "root"], stdin=subprocess.DEVNULL, stdout=log, stderr=log)

        def answers():
            if self.process.poll() is not None:
                raise RuntimeError(open(log.name, errors="replace").read()[-1500:])
            return subprocess.run(["curl", "-sf", f"http://127.0.0.1:{self.port}/ping"], capture_output=True).stdout.startswith(b"pong")
        # It compiles its list of top-level domains first.
        procs.wait_until(answers, 180, "rspamd")

    def stop(self):
        if self.process is not None:
            self.process.terminate()
            self.process.wait(20)
            self.process = None


class World:
    def __init__(self):
        self.port, self.asked, self.greys, self.nobody, self.proxy = free_ports(5)
        self.sockets = tempfile.TemporaryDirectory()
        self.signs = os.path.join(self.sockets.name, "opendkim.sock")
        self.server = Server("filters", runtime=RUNTIME, accounts=4, toml=self.toml("accept"))
        self.rspamd = Rspamd(self.server.folder, self.port, self.proxy)
        self.peers = Daemons(self.server.folder)
        self.start_milter()
        self.public = self.start_opendkim()
        self.server.start()
        os.environ.update({f"PH_{p.upper()}_PORT": str(number) for p, number in self.server.ports.items()})

    def toml(self, when_down, more=""):
        return f"""
[rspamd]
address = "127.0.0.1:{self.port}"
timeout_seconds = 8
when_down = "{when_down}"
[verify]
enabled = false
[[milter]]
name = "asked"
address = "127.0.0.1:{self.asked}"
[[milter]]
name = "signs"
address = "unix:{self.signs}"
sees = ["submission"]
{more}
"""

    def again(self, when_down, more=""):
        self.server.stop()
        self.server.toml = self.toml(when_down, more)
        self.server.start()

    def start_milter(self):
        lib = os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib")
        self.peers.spawn(["/usr/bin/python3", os.path.join(lib, "milter_peer.py"), str(self.asked)], self.asked, "pymilter")
        database = os.path.join(self.sockets.name, "grey.db")
        self.peers.spawn(["/usr/bin/python3", os.path.join(lib, "greylist_peer.py"), str(self.greys), database], self.greys, "greylist")

    def start_opendkim(self):
        """Signs for home.test; the public key."""
        key = os.path.join(self.server.folder, "dkim.pem")
        subprocess.run(["openssl", "genrsa", "-out", key, "2048"], check=True, capture_output=True)
        os.chmod(key, 0o600)
        der = subprocess.run(["openssl", "rsa", "-in", key, "-pubout", "-outform", "DER"], check=True, capture_output=True).stdout
        config = os.path.join(self.server.folder, "opendkim.conf")
        with open(config, "w") as file:
            file.write(f"Mode s\nDomain {HOME}\nSelector od\nKeyFile {key}\nSocket local:{self.signs}\nCanonicalization relaxed/simple\n"
                       f"InternalHosts 192.0.2.1\nRequireSafeKeys no\nSyslog no\nUserID root\nNameservers 127.0.0.1\n")
        self.peers.spawn(["opendkim", "-f", "-x", config], self.signs, "opendkim")
        return base64.b64encode(der)

    def stop(self):
        self.server.stop()
        self.rspamd.stop()
        self.peers.stop()


def letter(subject, body, more="", sender="s@s.test"):
    return (f"From: <{sender}>\r\nTo: <ann@{HOME}>\r\nSubject: {subject}\r\nDate: Thu, 26 Nov 2026 10:00:00 +0000\r\nMessage-ID: <{subject}@s.test>\r\n{more}\r\n"
            f"Hello.\r\n{body}\r\n").encode()


def deliver(subject, body="x", to=("ann",), more="", sender="s@s.test"):
    """The final reply, or that which ended it before."""
    with smtp.Smtp("smtp") as client:
        client.hello()
        try:
            return client.mail(letter(subject, body, more), [f"{name}@{HOME}" for name in to], sender=sender)[0]
        except smtp.SmtpError as refused:
            return refused.code, refused.text


def having(user, subject, name="INBOX"):
    conn = imap.login(f"{user}@{HOME}")
    status, found = conn.select(f'"{name}"')
    mails = [body for *_, body in imap.bodies(conn, "1:*")] if status == "OK" and found[0] != b"0" else []
    conn.logout()
    return [mail for mail in mails if f"Subject: {subject}".encode() in mail]


def rspamd(checks, world):
    with checks.check("mail that it has nothing against arrives, with its score in the mail log"):
        reply = deliver("plain", NO_ACTION)
        want(reply[0] == 250 and having("ann", "plain"), f"{reply}")
        want("rspamd=no action" in world.server.cli("trace", f"ann@{HOME}", "--json"), "the mail log")
    with checks.check("GTUBE is refused with its words"):
        reply = deliver("gtube", GTUBE)
        want(reply[0] == 550 and reply[1].startswith("5.7.1 Gtube"), f"{reply}")
    with checks.check("what it wants to mark goes to Junk"):
        reply = deliver("marked", ADD_HEADER)
        want(reply[0] == 250 and not having("ann", "marked") and having("ann", "marked", "Junk"), f"{reply}")
    with checks.check("whoever allows the sender gets it all the same"):
        world.server.cli("rule", "add", "--account", f"bob@{HOME}", "allow", "s.test")
        reply = deliver("allowed", GTUBE, to=("bob",))
        want(reply[0] == 250 and having("bob", "allowed"), f"{reply}")
    with checks.check("while it is down mail is taken, or waits if the operator says so"):
        world.rspamd.stop()
        reply = deliver("down", GTUBE)
        want(reply[0] == 250 and having("ann", "down"), f"{reply}")
        world.again("defer")
        reply = deliver("waits", "x")
        want(reply[0] == 451 and "4.7.1" in reply[1], f"{reply}")
        world.rspamd.start()
        reply = deliver("waits", "x")
        want(reply[0] == 250 and having("ann", "waits"), f"{reply}")


def proxy(checks, world):
    with checks.check("rspamd's proxy, a milter that may do everything, is attached, refuses and lets pass"):
        world.again("accept", f'[[milter]]\nname = "proxy"\naddress = "127.0.0.1:{world.proxy}"\ndefault_action = "tempfail"\ntimeout_seconds = 20\n')
        world.server.cli("rule", "add", "--account", f"ann@{HOME}", "allow", "s.test")
        reply = deliver("by proxy", NO_ACTION)
        want(reply[0] == 250 and having("ann", "by proxy"), f"{reply}")
        reply = deliver("refused by proxy", GTUBE)
        want(reply == (554, "5.7.1 Gtube pattern"), f"{reply}")
        reply = deliver("marked by proxy", ADD_HEADER)
        (mail,) = having("ann", "marked by proxy")
        want(reply[0] == 250 and b"X-Spam: Yes" in mail, mail.decode())


def milters(checks, world):
    def ask(what, subject=None, **rest):
        return deliver(subject or what, NO_ACTION, more=f"X-Gone: 1\r\nX-Ask: {what}\r\n", **rest)
    with checks.check("a milter sees the client and the body, and adds a field"):
        want(ask("nothing")[0] == 250, "taken")
        (mail,) = having("ann", "nothing")
        want(re.search(rb"X-Milter-Saw: 127.0.0.1\r\n\tand \d+ bytes\r\n\r\nHello", mail), mail.decode())
    with checks.check("it changes, takes away and inserts fields, and replaces the body"):
        want(ask("change")[0] == 250, "taken")
        (mail,) = having("ann", "changed by a milter")
        want(mail.endswith(b"\r\n\r\nanother body\r\n") and b"X-Gone" not in mail and b"X-First: 1\r\nFrom: " in mail, mail.decode())
    with checks.check("it refuses with its own words, puts off, throws away, quarantines"):
        reply = ask("reject")
        want(reply == (550, "5.7.1 as you asked, 100%"), f"{reply}")
        want(ask("tempfail")[0] == 451, "tempfail")
        want(ask("discard")[0] == 250 and not having("ann", "discard"), "discard")
        want(ask("quarantine")[0] == 250 and having("ann", "quarantine", "Junk"), "quarantine")
        reply = ask("recipient")
        want(reply[0] == 451 and not having("bob", "recipient") and not having("ann", "recipient"), f"another recipient: {reply}")
        want("quarantine (as asked)" in world.server.cli("trace", f"ann@{HOME}", "--json"), "the mail log")
    with checks.check("it refuses a sender at MAIL and recipients at RCPT"):
        reply = deliver("sender", sender="refused@s.test")
        want(reply[0] == 550, f"{reply}")
        reply = deliver("recipient", to=("no",))
        want(reply == (554, "5.7.9 not to no"), f"{reply}")
        want(deliver("recipient", to=("later",))[0] == 451, "later")
    with checks.check("opendkim signs what members submit, and dkimpy says that it is right"):
        with smtp.Smtp("submission") as client:
            client.hello().starttls()
            secret = base64.b64encode(f"\0bob@{HOME}\0{PASSWORD}".encode()).decode()
            client.command(f"AUTH PLAIN {secret}", 235)
            client.mail(letter("signed", "..dots and  spaces \r\n\r\n", sender=f"bob@{HOME}"), [f"ann@{HOME}"], sender=f"bob@{HOME}")
        (mail,) = having("ann", "signed")
        want(b"DKIM-Signature: " in mail and b"X-Milter-Saw" not in mail, mail.decode())
        want(dkim.verify(mail, dnsfunc=lambda *_, **__: b"v=DKIM1; k=rsa; p=" + world.public), mail.decode())
    with checks.check("a milter that is not there means its default action"):
        for action, code in (("tempfail", 451), ("reject", 550), ("accept", 250)):
            world.again("accept", f'[[milter]]\nname = "gone"\naddress = "127.0.0.1:{world.nobody}"\ndefault_action = "{action}"\ntimeout_seconds = 3\n')
            reply = deliver(f"gone {action}", NO_ACTION)
            want(reply[0] == code, f"{action}: {reply}")


def greylist(checks, world):
    """Of one message for two, of which it knows one, one is taken; the other's turn comes later."""
    def rcpts(subject, *names):
        with smtp.Smtp("smtp") as client:
            client.hello()
            client.command("MAIL FROM:<s@s.test>")
            heard = []
            for name in names:
                client.send(f"RCPT TO:<{name}@{HOME}>\r\n".encode())
                heard.append(client.reply())
            if any(code == 250 for code, _ in heard):
                client.command("DATA", 354)
                client.send(smtp.stuff(letter(subject, NO_ACTION)) + b".\r\n")
                client.expect(250)
            return [code for code, _ in heard], heard
    with checks.check("greylisting: 451 at RCPT with the milter's words, and taken when it comes again"):
        world.again("accept", f'[[milter]]\nname = "grey"\naddress = "127.0.0.1:{world.greys}"\n')
        began = time.monotonic()
        codes, heard = rcpts("grey", "ann")
        want(codes == [451] and heard[0][1] == ["4.7.1 Greylisted, please come again in 5 seconds"], f"{heard}")
        again = rcpts("grey", "ann")[0]
        want(again == [451] or time.monotonic() - began >= 5, "at once is too early")
        procs.wait_until(lambda: again == [250] or rcpts("grey", "ann")[0] == [250], 60, "the recipient is taken")
        want(len(having("ann", "grey")) == 1, "it arrived once")
    with checks.check("greylisting: a recipient that is known is taken beside one that is not"):
        codes, heard = rcpts("grey-two", "ann", "bob")
        want(codes == [250, 451], f"{heard}")
        want(having("ann", "grey-two") and not having("bob", "grey-two"), "to the known one only")
        procs.wait_until(lambda: rcpts("grey-two", "bob")[0] == [250], 60, "the other one is taken")
        want(len(having("bob", "grey-two")) == 1 and len(having("ann", "grey-two")) == 1, "each once")


def main():
    checks = Checks("filters")
    missing = [name for name in ("rspamd", "opendkim") if shutil.which(name) is None]
    if missing:
        checks.fail("peers", f"not installed: {missing}")
        checks.finish()
    world = World()
    try:
        milters(checks, world)
        rspamd(checks, world)
        proxy(checks, world)
        greylist(checks, world)
    finally:
        world.stop()
    checks.finish()


if __name__ == "__main__":
    sys.exit(main())
