#!/usr/bin/env python3
"""msmtp submits: STARTTLS and implicit TLS with a certificate that it checks, SCRAM-SHA-256 and PLAIN, and what it says of a refusal."""
import os
import subprocess
import sys

from lib import imap, procs, target
from lib.report import Checks, want

USER = target.account("msmtp")
FOLDER = os.path.join(target.FOLDER, "msmtp")
CONFIG = """\
account default
host {host}
port {port}
tls on
tls_starttls {starttls}
tls_fingerprint {fingerprint}
auth {auth}
user {user}
password {password}
from {user}
domain client.test
logfile {folder}/log
"""
BODY = "中文正文\r\n.a dot\r\n\r\n".encode()


def fingerprint(port):
    """Of the server's own certificate, as msmtp wants it."""
    from lib.smtp import insecure_tls
    import hashlib
    import socket
    with insecure_tls().wrap_socket(socket.create_connection((target.HOST, target.port(port)), 20)) as sock:
        digest = hashlib.sha256(sock.getpeercert(binary_form=True)).hexdigest().upper()
    return ":".join(digest[at:at + 2] for at in range(0, 64, 2))


def letter(ident):
    head = f"From: <{USER}>\r\nTo: <{USER}>\r\nSubject: {ident}\r\nDate: Thu, 26 Nov 2026 10:00:00 +0000\r\nMessage-ID: <{ident}@client.test>\r\n"
    mime = "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    return target.marked(ident, (head + mime).encode() + BODY)


class Msmtp:
    def __init__(self):
        os.makedirs(FOLDER, exist_ok=True)
        self.fingerprint = fingerprint("submissions")

    def send(self, ident, port, auth, password=target.PASSWORD, fingerprint=None, options=()):
        values = dict(host=target.HOST, port=target.port(port), starttls="on" if port == "submission" else "off", auth=auth, user=USER, password=password,
                      fingerprint=fingerprint or self.fingerprint, folder=FOLDER)
        conf = os.path.join(FOLDER, f"{ident}.conf")
        with open(os.open(conf, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as file:
            file.write(CONFIG.format(**values))
        # Lines end as on Unix; msmtp makes CRLF of that.
        raw = letter(ident).replace(b"\r\n", b"\n")
        return subprocess.run(["msmtp", "-C", conf, "--debug", *options, USER], input=raw, capture_output=True)


def arrived(ident):
    found = []

    def there():
        conn = imap.login(USER, mailbox="INBOX")
        numbers = imap.ok(conn.search(None, "SUBJECT", f'"{ident}"'))[0].split()
        found[:] = [imap.ok(conn.fetch(number, "(BODY.PEEK[])"))[0][1] for number in numbers]
        conn.logout()
        return found
    procs.wait_until(there, 60, f"a mail with {ident}")
    _, _, got = target.split_trace(found[0])
    sent = letter(ident)
    want(len(found) == 1 and got == sent, f"{len(found)} mails; {target.difference(sent, got)}")


def main():
    checks, client = Checks("msmtp"), Msmtp()
    for port, how in (("submission", "STARTTLS"), ("submissions", "implicit TLS")):
        # The keys of imported members are made at the first login that shows the password.
        for auth in ("plain", "scram-sha-256"):
            with checks.check(f"{how}, {auth.upper()}"):
                ident = f"msmtp-{port}-{auth}"
                done = client.send(ident, port, auth)
                said = done.stdout.decode("utf-8", "replace")
                want(done.returncode == 0 and f"AUTH {auth.upper()}" in said, f"code {done.returncode}: {said[-400:]}{done.stderr.decode()}")
                arrived(ident)
    with checks.check("DSN: what it asks for is taken"):
        done = client.send("msmtp-dsn", "submission", "plain", options=("--dsn-notify=failure,delay", "--dsn-return=hdrs"))
        want(done.returncode == 0 and b"NOTIFY=FAILURE,DELAY" in done.stdout, done.stdout[-400:] + done.stderr)
        arrived("msmtp-dsn")
    with checks.check("a wrong password: its words are the server's, and its code is EX_NOPERM"):
        done = client.send("msmtp-wrong", "submission", "plain", password="wrong")
        want(done.returncode == 77 and b"5.7.8" in done.stdout + done.stderr, f"code {done.returncode}: {done.stdout[-200:]}{done.stderr}")
    with checks.check("another certificate: it does not go on"):
        done = client.send("msmtp-cert", "submissions", "plain", fingerprint=":".join(["00"] * 32))
        want(done.returncode != 0 and b"fingerprint" in done.stderr, f"code {done.returncode}: {done.stderr}")
    checks.finish()


if __name__ == "__main__":
    sys.exit(main())
