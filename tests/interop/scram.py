#!/usr/bin/env python3
"""Logins: SCRAM by other people's clients (scramp, Cyrus SASL in mbsync and neomutt, GNU SASL), channel binding, app passwords, login rules, the login log."""
import base64
import glob
import hashlib
import imaplib
import json
import os
import poplib
import shutil
import smtplib
import ssl
import subprocess
import sys

from lib import paths, target
from lib.mbsync import Mbsync
from lib.report import Checks, want

sys.path[:0] = glob.glob(os.path.join(os.environ.get("PH_CACHE", ""), "venv", "lib", "python*", "site-packages"))
import scramp  # noqa: E402

USER = target.account("scram")
FOLDER = os.path.join(target.FOLDER, "scram")
CONFIG = os.path.join(target.FOLDER, "posthouse.toml")
MECHANISMS = ["SCRAM-SHA-256", "SCRAM-SHA-1"]


def cli(*argv, code=0):
    done = subprocess.run([paths.POSTHOUSE, *argv, "--config", CONFIG], text=True, capture_output=True)
    want(done.returncode == code, f"posthouse {' '.join(argv)}: code {done.returncode} {done.stdout}{done.stderr}")
    return done.stdout


class Steps:
    """A client's answers, one for each challenge; the first challenge is empty."""

    def __init__(self, mechanism, password, binding=None, user=USER):
        self.client = scramp.ScramClient([mechanism], user, password, channel_binding=binding)
        self.turn = 0

    def __call__(self, challenge=b""):
        self.turn += 1
        if self.turn == 1:
            return self.client.get_client_first()
        if self.turn == 2:
            self.client.set_server_first(bytes(challenge).decode())
            return self.client.get_client_final()
        self.client.set_server_final(bytes(challenge).decode())
        return ""


def by_imap(mechanism, password, over=None, binding=None):
    conn = over or imaplib.IMAP4(target.HOST, target.port("imap"))
    try:
        steps = Steps(mechanism, password, binding)
        try:
            conn.authenticate(mechanism, lambda challenge: steps(challenge).encode())
        except imaplib.IMAP4.error:
            return False
        want(steps.turn == 3, "the server has not proven itself")
        return conn.select("INBOX")[0] == "OK"
    finally:
        conn.shutdown()


def by_smtp(mechanism, password):
    with smtplib.SMTP(target.HOST, target.port("submission")) as conn:
        conn.ehlo()
        want(mechanism in conn.esmtp_features["auth"].split(), conn.esmtp_features["auth"])
        steps = Steps(mechanism, password)
        code, text = conn.docmd("AUTH", f"{mechanism} {base64.b64encode(steps().encode()).decode()}")
        while code == 334:
            code, text = conn.docmd(base64.b64encode(steps(base64.b64decode(text)).encode()).decode())
        return code == 235


def by_pop3(mechanism, password):
    conn = poplib.POP3(target.HOST, target.port("pop3"))
    try:
        want(mechanism in conn.capa()["SASL"], f"{conn.capa()}")
        steps = Steps(mechanism, password)
        conn._putcmd(f"AUTH {mechanism}")
        while True:
            line, _ = conn._getline()
            if line.startswith(b"+OK"):
                return True
            if not line.startswith(b"+"):
                return False
            conn._putline(base64.b64encode(steps(base64.b64decode(line[2:])).encode()))
    finally:
        conn.close()


def bound(checks):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    for mechanism in MECHANISMS:
        with checks.check(f"scramp: {mechanism}-PLUS bound by tls-server-end-point, and not by another certificate's"):
            for wrong in [False, True]:
                conn = imaplib.IMAP4_SSL(target.HOST, target.port("imaps"), ssl_context=context)
                want(f"AUTH={mechanism}-PLUS" in conn.capabilities, f"{conn.capabilities}")
                # RFC 5929 section 4.1: the hash of the certificate's signature, SHA-256 for the server's own.
                data = hashlib.sha256(conn.sock.getpeercert(binary_form=True)).digest()
                data = bytes(len(data)) if wrong else data
                binding = ("tls-server-end-point", data)
                want(by_imap(f"{mechanism}-PLUS", target.PASSWORD, conn, binding) != wrong, f"wrong: {wrong}")


def clients(checks):
    for mechanism in MECHANISMS:
        with checks.check(f"mbsync through Cyrus SASL: {mechanism}"):
            folder = os.path.join(FOLDER, mechanism)
            Mbsync(folder, USER, "Create Near\nSync Pull", mechanism=mechanism)()
        if shutil.which("gsasl"):
            for protocol, port in [("--imap", "imap"), ("--smtp", "submission")]:
                with checks.check(f"GNU SASL: {mechanism} {protocol}"):
                    for password, good in [(target.PASSWORD, True), ("wrong", False)]:
                        argv = ["gsasl", protocol, "--connect", f"{target.HOST}:{target.port(port)}", "--no-starttls", "--mechanism", mechanism,
                                "--authentication-id", USER, "--password", password, "--no-cb", "--quiet"]
                        done = subprocess.run(argv, text=True, capture_output=True, timeout=60, stdin=subprocess.DEVNULL)
                        want((done.returncode == 0) == good, f"{password}: code {done.returncode} {done.stdout}{done.stderr}")


def passwords(checks):
    with checks.check("app passwords: made, listed, used within their scope, taken away"):
        cli("member", "app-password", "add", USER, "--name", "Phone", "--protocols", "imap,pop3", "--expires", "30d")
        app = json.loads(cli("member", "app-password", "add", USER, "--name", "Mail", "--protocols", "submission", "--json"))["done"]
        listed = json.loads(cli("member", "app-password", "list", USER, "--json"))
        want([(one["number"], one["name"], one["protocols"]) for one in listed] == [(1, "Phone", ["imap", "pop3"]), (2, "Mail", ["submission"])],
             f"{listed}")
        want(by_smtp("SCRAM-SHA-256", app), "the app password by SCRAM")
        want(not by_imap("SCRAM-SHA-256", app), "outside its scope")
        with smtplib.SMTP(target.HOST, target.port("submission")) as conn:
            conn.login(USER, app)
        cli("member", "app-password", "remove", USER, "2")
        want(not by_smtp("SCRAM-SHA-256", app), "after it was removed")
        cli("member", "app-password", "remove", USER, "2", code=3)
    with checks.check("login rules: protocols and trusted networks, of the member before the tenant's"):
        want(by_imap("SCRAM-SHA-256", target.PASSWORD), "at first")
        cli("member", "login-rules", USER, "--protocols", "pop3")
        want(not by_imap("SCRAM-SHA-256", target.PASSWORD) and by_pop3("SCRAM-SHA-256", target.PASSWORD), "protocols")
        cli("member", "login-rules", USER, "--protocols", "inherit", "--trusted", "192.0.2.0/24")
        want(not by_imap("SCRAM-SHA-256", target.PASSWORD), "from another network")
        cli("member", "login-rules", USER, "--trusted", "127.0.0.0/8,::1")
        want(by_imap("SCRAM-SHA-256", target.PASSWORD), "from a trusted network")
        cli("member", "login-rules", USER, "--trusted", "somewhere", code=5)
        cli("member", "login-rules", USER, "--trusted", "inherit", "--app-only", "true")
        want(not by_imap("SCRAM-SHA-256", target.PASSWORD), "the own password where app passwords are required")
        shown = json.loads(cli("member", "show", USER, "--json"))
        want(shown["login_rules"]["app_only"] is True and shown["has_scram_keys"], f"{shown}")
        cli("member", "login-rules", USER, "--app-only", "inherit")
    with checks.check("the login log: who, when, from where, by which protocol, how it ended"):
        rows = json.loads(cli("logins", "--account", USER, "--json"))
        told = {(row["protocol"], row["means"], row["result"]) for row in rows}
        for row in [("imap", "SCRAM-SHA-256", "logged in"), ("imap", "SCRAM-SHA-256", "wrong name or password"),
                    ("imap", "SCRAM-SHA-256", "protocol not allowed"), ("imap", "SCRAM-SHA-256", "address not trusted"),
                    ("imap", "SCRAM-SHA-256", "app password demanded"), ("submission", "PLAIN", "logged in")]:
            want(row in told, f"{row} is not in {told}")
        want(all(row["from"].startswith("127.0.0.1:") for row in rows), f"{rows[0]}")
        failed = json.loads(cli("logins", "--account", USER, "--failed", "--last", "1h", "--json"))
        want(failed and all(row["result"] != "logged in" for row in failed), f"{failed[:2]}")


def main():
    checks = Checks("logins")
    if not target.IS_POSTHOUSE:
        print("  skipped: Debian's Dovecot has no SCRAM with its usual passwords")
        return checks.finish()
    shutil.rmtree(FOLDER, ignore_errors=True)
    os.makedirs(FOLDER)
    with checks.check("a password that is set by a command has its keys at once"):
        subprocess.run([paths.POSTHOUSE, "member", "set", USER, "--password-stdin", "--config", CONFIG], input=target.PASSWORD, text=True, check=True,
                       stdout=subprocess.DEVNULL)
        want(by_imap("SCRAM-SHA-256", target.PASSWORD), "refused")
    for mechanism in MECHANISMS:
        for protocol, login in [("IMAP", by_imap), ("submission", by_smtp), ("POP3", by_pop3)]:
            with checks.check(f"scramp: {mechanism} for {protocol}"):
                want(login(mechanism, target.PASSWORD), "the right password")
                want(not login(mechanism, "wrong"), "a wrong password")
                want(login(mechanism, target.PASSWORD), "the right password again")
    bound(checks)
    clients(checks)
    passwords(checks)
    checks.finish()


if __name__ == "__main__":
    sys.exit(main())
