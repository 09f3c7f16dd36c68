#!/usr/bin/env python3
"""getmail6 fetches mail: by POP3 and IMAP, leaving it on the server or not, each message once, plain and with TLS."""
import os
import re
import shutil
import subprocess
import sys

from lib import imap, smtp, target
from lib.report import Checks, want

FOLDER = os.path.join(target.FOLDER, "getmail")
PEER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib", "getmail_peer.py")
# Seconds that the server has for each answer; getmail says so when it takes longer.
ANSWER = 120
RC = """\
[retriever]
type = {kind}
server = {host}
port = {port}
username = {user}
password = {password}
timeout = {answer}
{more}
[destination]
type = Maildir
path = {folder}/mail/
{owner}
[options]
read_all = {all}
delete = {delete}
received = false
delivered_to = false
verbose = 1
"""


class Getmail:
    """A configuration with a Maildir of its own."""

    def __init__(self, name, kind, protocol, user, more="", delete=False, read_all=False):
        self.folder = os.path.join(FOLDER, name)
        for sub in ("cur", "new", "tmp"):
            os.makedirs(os.path.join(self.folder, "mail", sub))
        if os.geteuid() == 0:
            # It never delivers as root.
            more_owner = "user = nobody"
            shutil.chown(os.path.join(self.folder, "mail"), "nobody")
            for sub in ("cur", "new", "tmp"):
                shutil.chown(os.path.join(self.folder, "mail", sub), "nobody")
        else:
            more_owner = ""
        with open(os.path.join(self.folder, "rc"), "w") as file:
            file.write(RC.format(kind=kind, host=target.HOST, port=target.port(protocol), user=user, password=target.PASSWORD, more=more, answer=ANSWER,
                                 folder=self.folder, owner=more_owner, delete=str(delete).lower(), all=str(read_all).lower()))

    def run(self):
        """Fetches; how many mails the Maildir has then."""
        argv = ["/usr/bin/python3", PEER, "--getmaildir", self.folder, "--rcfile", os.path.join(self.folder, "rc")]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=10 * ANSWER, stdin=subprocess.DEVNULL)
        want(done.returncode == 0, f"code {done.returncode}: {(done.stdout + done.stderr)[-400:]}")
        return len(self.mails())

    def mails(self):
        """By ident, with CRLF, from the mark on."""
        out = {}
        new = os.path.join(self.folder, "mail", "new")
        for name in os.listdir(new):
            with open(os.path.join(new, name), "rb") as file:
                raw = file.read().replace(b"\n", b"\r\n")
            ident, _, rest = target.split_trace(raw)
            # Where it was is all that getmail adds behind the header.
            out[ident] = re.sub(rb"X-getmail-retrieved-from-mailbox: .*\r\n", b"", rest, count=1)
        return out


def mails(first, count):
    """Mails of one kind each: 8 bit, lines with dots, long ones, nested parts."""
    bodies = ["dots\r\n.\r\n..\r\n.end\r\n", "Grüße, 你好\r\n", "x" * 900 + "\r\n", "--b\r\nContent-Type: text/plain\r\n\r\none\r\n--b--\r\n"]
    heads = ["", "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n", "", 'Content-Type: multipart/mixed; boundary="b"\r\n']
    out = {}
    for n in range(first, first + count):
        head = f"From: <a@x.test>\r\nTo: <b@y.test>\r\nSubject: getmail {n}\r\nMessage-ID: <getmail-{n}@x.test>\r\nMIME-Version: 1.0\r\n"
        out[f"getmail-{n}"] = target.marked(f"getmail-{n}", (head + heads[n % 4] + "\r\n" + bodies[n % 4]).encode())
    return out


def deliver(user, some):
    with smtp.Smtp("lmtp") as client:
        client.hello()
        for raw in some.values():
            client.deliver(raw, [user])


def on_server(user):
    conn = imap.login(user, mailbox="INBOX")
    flags = {number: flags for number, flags, _, _ in imap.bodies(conn, "1:*")} if imap.ok(conn.search(None, "ALL"))[0] else {}
    conn.logout()
    return flags


def same(got, wanted):
    for ident, raw in wanted.items():
        want(ident in got, f"{ident} is missing: {sorted(got)}")
        want(got[ident] == raw, f"{ident}: {target.difference(raw, got[ident])}")


def leaves(checks, name, kind, protocol, user, more=""):
    """Leaves mail on the server, and fetches each message once."""
    with checks.check(f"{name}: each message once, bytes as sent, all left on the server"):
        here, later = mails(0, 8), mails(8, 3)
        deliver(user, here)
        client = Getmail(name, kind, protocol, user, more)
        want(client.run() == 8, "not all of 8")
        same(client.mails(), here)
        want(client.run() == 8, "some came again")
        deliver(user, later)
        want(client.run() == 11, "not the 3 that came later")
        same(client.mails(), here | later)
        want(len(on_server(user)) == 11, f"{on_server(user)}")


def deletes(checks, name, kind, protocol, user, left, more=""):
    with checks.check(f"{name}: fetches all and deletes them"):
        client = Getmail(name, kind, protocol, user, more, delete=True, read_all=True)
        want(client.run() == left, f"not all of {left}")
        want(not on_server(user), f"{on_server(user)}")
        want(client.run() == left, "something came from an empty mailbox")


def main():
    checks = Checks("getmail")
    shutil.rmtree(FOLDER, ignore_errors=True)
    os.makedirs(FOLDER)
    pop, other = target.account("getmail"), target.account("getmail", 1)
    leaves(checks, "pop3", "SimplePOP3Retriever", "pop3", pop)
    with checks.check("pop3: what it has fetched is still unseen"):
        want(all("\\Seen" not in flags for flags in on_server(pop).values()), f"{on_server(pop)}")
    deletes(checks, "pop3s", "SimplePOP3SSLRetriever", "pop3s", pop, 11)
    leaves(checks, "imap", "SimpleIMAPRetriever", "imap", other, 'mailboxes = ("INBOX",)')
    with checks.check("imap: moves what it has fetched"):
        client = Getmail("move", "SimpleIMAPSSLRetriever", "imaps", other, 'mailboxes = ("INBOX",)\nmove_on_delete = Trash', delete=True, read_all=True)
        want(client.run() == 11, "not all of 11")
        want(not on_server(other), f"{on_server(other)}")
        conn = imap.login(other, mailbox="Trash")
        want(len(imap.ok(conn.search(None, "ALL"))[0].split()) == 11, "not in Trash")
        conn.logout()
    deliver(other, mails(20, 2))
    deletes(checks, "imaps", "SimpleIMAPSSLRetriever", "imaps", other, 2, 'mailboxes = ("INBOX",)')
    checks.finish()


if __name__ == "__main__":
    sys.exit(main())
