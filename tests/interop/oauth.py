#!/usr/bin/env python3
"""Logins by tokens (OAUTHBEARER, XOAUTH2): curl, imaplib, smtplib and poplib against a real introspection endpoint, which also fails.

Starts its servers itself: Posthouse, and the endpoint.
"""
import base64
import imaplib
import json
import os
import poplib
import smtplib
import subprocess
import sys
import time

from lib import paths, smtp, target
from lib.provider import CLIENT, Provider
from lib.report import Checks, want
from lib.servers import Posthouse

RUNTIME = os.environ.get("PH_RUNTIME", "auto")
ANN, BOB = target.user(0), target.user(1)
MAIL = target.marked("oauth", b"From: " + ANN.encode() + b"\r\nSubject: by token\r\n\r\none\r\n")
MECHANISMS = ["OAUTHBEARER", "XOAUTH2"]


def message(mechanism, name, token):
    head = f"n,a={name},\x01host=localhost\x01port=143" if mechanism == "OAUTHBEARER" else f"user={name}"
    return f"{head}\x01auth=Bearer {token}\x01\x01".encode()


class Steps:
    """A client's answers: its message, then what ends a refusal."""

    def __init__(self, mechanism, name, token):
        self.mechanism, self.told = mechanism, b""
        self.first = message(mechanism, name, token)

    def __call__(self, challenge=b""):
        if not challenge:
            return self.first
        self.told = bytes(challenge)
        return b"\x01" if self.mechanism == "OAUTHBEARER" else b""


def by_imap(mechanism, name, token):
    """What the server says in the end; the error that it told before."""
    steps = Steps(mechanism, name, token)
    conn = imaplib.IMAP4_SSL(target.HOST, target.port("imaps"), ssl_context=smtp.insecure_tls())
    try:
        want(f"AUTH={mechanism}" in conn.capabilities, f"{conn.capabilities}")
        _, text = conn.authenticate(mechanism, steps)
        want(conn.select("INBOX")[0] == "OK", "no INBOX")
        return "OK", steps.told
    except imaplib.IMAP4.error as problem:
        return str(problem), steps.told
    finally:
        conn.shutdown()


def by_smtp(mechanism, name, token):
    with smtplib.SMTP_SSL(target.HOST, target.port("submissions"), context=smtp.insecure_tls()) as conn:
        conn.ehlo()
        want(mechanism in conn.esmtp_features["auth"].split(), conn.esmtp_features["auth"])
        steps = Steps(mechanism, name, token)
        code, text = conn.docmd("AUTH", f"{mechanism} {base64.b64encode(steps()).decode()}")
        if code == 334:
            code, text = conn.docmd(base64.b64encode(steps(base64.b64decode(text))).decode())
        return f"{code} {text.decode()}", steps.told


def by_pop3(mechanism, name, token):
    conn = poplib.POP3_SSL(target.HOST, target.port("pop3s"), context=smtp.insecure_tls())
    try:
        want(mechanism in conn.capa()["SASL"], f"{conn.capa()}")
        steps = Steps(mechanism, name, token)
        conn._putcmd(f"AUTH {mechanism}")
        while True:
            line, _ = conn._getline()
            if not line.startswith(b"+ "):
                return line.decode(), steps.told
            conn._putline(base64.b64encode(steps(base64.b64decode(line[2:]))))
    except poplib.error_proto as problem:
        return problem.args[0].decode(), steps.told
    finally:
        conn.close()


WAYS = [("imap", by_imap, "OK", "AUTHENTICATIONFAILED", "[UNAVAILABLE]"), ("submission", by_smtp, "235", "535", "454 4.7.0"),
        ("pop3", by_pop3, "+OK", "-ERR [AUTH]", "-ERR [SYS/TEMP]")]


def curl(scheme, protocol, name, token, *more, path="", mechanism="OAUTHBEARER"):
    """curl's own OAUTHBEARER and XOAUTH2; the code that it ends with and what it prints."""
    url = f"{scheme}://{target.HOST}:{target.port(protocol)}/{path}"
    argv = ["curl", "-sS", "--max-time", "30", "-k", "-u", f"{name}:", "--oauth2-bearer", token, "--login-options", f"AUTH={mechanism}", *more, url]
    done = subprocess.run(argv, capture_output=True, stdin=subprocess.DEVNULL)
    return done.returncode, done.stdout + done.stderr


def let_in(checks, provider):
    for mechanism in MECHANISMS:
        for protocol, way, good, bad, _ in WAYS:
            with checks.check(f"Python: {protocol} by {mechanism}, and not for another or by a token that is not good"):
                for name, token, wanted in [(ANN, "ann+/token==", good), (ANN, "old", bad), (BOB, "ann+/token==", None), (ANN, "stranger", bad)]:
                    said, told = way(mechanism, name, token)
                    if wanted == good:
                        want(said.startswith(good), f"{name} {token}: {said}")
                        continue
                    want(json.loads(told)["status"] in ("invalid_token", "401"), f"{told}")
                    want((wanted or "Nobody may act") in said, f"{name} {token}: {said}")
    with checks.check("a good token is asked for once, others each time"):
        want(provider.asked.count("ann+/token==") == 1, f"{provider.asked}")
        want(provider.asked.count("old") == 18, f"{provider.asked}")
    with checks.check("a token without the scope of submission is told so"):
        said, told = by_smtp("OAUTHBEARER", BOB, "bob")
        want(said.startswith("535") and json.loads(told) == {"status": "insufficient_scope", "scope": "send"}, f"{said} {told}")
        want(by_imap("OAUTHBEARER", BOB, "bob")[0] == "OK", "not let in by IMAP")


def expires(checks, provider):
    # First of all: what fails makes later logins wait.
    with checks.check("a token counts until it expires, though it is kept longer"):
        provider.tokens["short"] = {"active": True, "email": ANN, "exp": int(time.time()) + 10}
        want(by_imap("XOAUTH2", ANN, "short")[0] == "OK", "not let in")
        while time.time() <= provider.tokens["short"]["exp"]:
            time.sleep(0.1)
        want("AUTHENTICATIONFAILED" in by_imap("XOAUTH2", ANN, "short")[0], "still let in")


def by_curl(checks, folder):
    with smtp.Smtp("lmtp") as client:
        client.hello().deliver(MAIL, [ANN])
    file = os.path.join(folder, "mail")
    with open(file, "wb") as out:
        out.write(MAIL)
    send = ("--mail-from", ANN, "--mail-rcpt", ANN, "-T", file)
    for mechanism in MECHANISMS:
        for scheme, protocol, path, more in [("imaps", "imaps", "INBOX;MAILINDEX=1", ()), ("imap", "imap", "INBOX;MAILINDEX=1", ("--ssl-reqd",)),
                                             ("pop3s", "pop3s", "1", ()), ("pop3", "pop3", "1", ("--ssl-reqd",)),
                                             ("smtps", "submissions", "client.test", send), ("smtp", "submission", "client.test", ("--ssl-reqd", *send))]:
            with checks.check(f"curl: {scheme} {' '.join(more[:1])} by {mechanism}"):
                code, got = curl(scheme, protocol, ANN, "ann+/token==", *more, path=path, mechanism=mechanism)
                want(code == 0, f"{code} {got}")
                want("smtp" in scheme or target.split_trace(got)[2] == MAIL, repr(got[-100:]))
                code, got = curl(scheme, protocol, ANN, "old", *more, path=path, mechanism=mechanism)
                want(code == 67, f"{code} {got}")


def down(checks, provider, server):
    for why in ("503", "gone"):
        if why == "503":
            provider.broken = True
        else:
            provider.close()
        for protocol, way, _, _, later in WAYS:
            with checks.check(f"{protocol}: an endpoint that is {why} is a temporary failure"):
                said, told = way("OAUTHBEARER", BOB, f"new-{protocol}")
                want(later in said and not told, f"{said} {told}")
    with checks.check("a token that is kept still works, and so do passwords"):
        want(by_imap("OAUTHBEARER", ANN, "ann+/token==")[0] == "OK", "not let in")
        conn = imaplib.IMAP4(target.HOST, target.port("imap"))
        want(conn.login(ANN, target.PASSWORD)[0] == "OK", "not let in")
        conn.logout()
    with checks.check("the login log has the means, and no log a token"):
        rows = json.loads(server.cli("logins", "--account", ANN, "--json"))
        want({"OAUTHBEARER", "XOAUTH2"} <= {row["means"] for row in rows}, f"{rows[:3]}")
        with open(server.log) as file:
            log = file.read()
        want("ann+/token" not in log and "new-imap" not in log, "a token is in the log")
        want("tokens cannot be checked" in log, "the log does not say that the endpoint is down")


def main():
    checks = Checks("oauth")
    folder = os.path.join(paths.RUNS, f"oauth-{RUNTIME}")
    os.makedirs(folder, exist_ok=True)
    provider = Provider(folder)
    provider.tokens |= {
        "ann+/token==": {"active": True, "email": ANN.upper(), "email_verified": True, "scope": "openid send", "aud": ["web", "mail"]},
        "bob": {"active": True, "email": BOB, "scope": "openid", "aud": "mail"},
        "stranger": {"active": True, "email": "somebody@else.test", "scope": "send", "aud": "mail"},
    }
    toml = f"""
[oauth]
introspection_url = "{provider.url}"
client_id = "{CLIENT}"
client_secret_file = "{provider.secret_file}"
tls_authorities = "{provider.certificate}"
address_claim = "email"
scope_submission = "send"
cache_seconds = 600
"""
    with Posthouse("oauth", runtime=RUNTIME, accounts=4, toml=toml) as server:
        os.environ.update({f"PH_{p.upper()}_PORT": str(server.ports[p]) for p in server.ports})
        expires(checks, provider)
        by_curl(checks, folder)
        let_in(checks, provider)
        down(checks, provider, server)
    checks.finish()


if __name__ == "__main__":
    sys.exit(main())
