#!/usr/bin/env python3
"""Who sends mail and where it goes: SPF, DKIM, DMARC and ARC against dkimpy and openssl, signing, and the rules of the mail flow.

Starts its servers itself: Posthouse, dnsmasq with the records of all domains, a host for mail that goes out, Postfix as a sender.
"""
import base64
import email
import email.policy
import glob
import json
import os
import re
import subprocess
import sys

sys.path[:0] = glob.glob(os.path.join(os.environ.get("PH_CACHE", ""), "venv", "lib", "python*", "site-packages"))
import dkim  # noqa: E402
import nacl.signing  # noqa: E402

from lib import imap, procs, smtp, target  # noqa: E402
from lib.dnsmasq import Dnsmasq
from lib.peers import Peers
from lib.report import Checks, want
from lib.servers import PASSWORD, PROTOCOLS, OwnDomain, free_ports
from lib.sink import Sink

HOME = OwnDomain.domain
NAME = f"mail.{HOME}"
RUNTIME = os.environ.get("PH_RUNTIME", "auto")
TRANSFER = "&kK5O9o9sefs-"
MEMBERS = ["ann", "bob", "carl", "dora", "post", "rate"]


class Server(OwnDomain):
    def users(self):
        return [f"{name}@{HOME}" for name in MEMBERS]

    def provision(self):
        super().provision()
        self.cli("group", "add", f"team@{HOME}", "--member", f"ann@{HOME}", "--member", f"bob@{HOME}")
        self.cli("group", "add", f"list@{HOME}", "--member", f"ann@{HOME}", "--member", "far@sink.test")

    def use(self):
        os.environ.update({f"PH_{p.upper()}_PORT": str(self.ports[p]) for p in self.ports})


def openssl_rsa():
    """A private key as PEM, and the p= of its record."""
    key = subprocess.run(["openssl", "genrsa", "2048"], check=True, capture_output=True).stdout
    der = subprocess.run(["openssl", "rsa", "-pubout", "-outform", "DER"], input=key, check=True, capture_output=True).stdout
    return key, base64.b64encode(der).decode()


def letter(sender, to, subject="hello", body="Hello.\r\n", more=""):
    return (f"From: Somebody <{sender}>\r\nTo: <{to}>\r\nSubject: {subject}\r\nDate: Thu, 26 Nov 2026 10:00:00 +0000\r\n"
            f"Message-ID: <{abs(hash((sender, subject, body)))}@client.test>\r\n{more}\r\n{body}").encode()


class World:
    """The servers and the keys of the senders."""

    def __init__(self):
        # Behind those that the server takes.
        self.port, dns = free_ports(len(PROTOCOLS) + 2)[-2:]
        self.rsa, rsa_p = openssl_rsa()
        seed = nacl.signing.SigningKey.generate()
        self.ed = base64.b64encode(seed.encode())
        ed_p = base64.b64encode(seed.verify_key.encode()).decode()
        toml = f"""
hostname = "{NAME}"
[verify]
loopback = true
[outbound]
port = {self.port}
resolver = ["127.0.0.1:{dns}"]
"""
        self.server = Server("mailflow", runtime=RUNTIME, accounts=len(MEMBERS), toml=toml)
        txt = {"good.test": "v=spf1 ip4:127.0.0.1 -all", "hardfail.test": "v=spf1 ip4:192.0.2.1 -all"}
        for domain, policy in (("good.test", "reject"), ("quar.test", "quarantine"), ("none.test", "none"), ("strict.test", "reject; adkim=s")):
            txt[f"_dmarc.{domain}"] = f"v=DMARC1; p={policy}"
            txt[f"rsa._domainkey.{domain}"] = f"v=DKIM1; k=rsa; p={rsa_p}"
        txt["ed._domainkey.good.test"] = f"v=DKIM1; k=ed25519; p={ed_p}"
        txt["rsa._domainkey.other.test"] = f"v=DKIM1; k=rsa; p={rsa_p}"
        self.dns = Dnsmasq(self.server.folder, dns, txt, {"sink.test": "mx.sink.test"}, {"mx.sink.test": "127.0.0.2"})
        self.sink = Sink("127.0.0.2", self.port)
        self.server.start()
        self.server.use()

    def stop(self):
        self.server.stop()
        self.sink.close()
        self.dns.stop()

    def sign(self, raw, domain, selector="rsa"):
        algorithm, key = (b"ed25519-sha256", self.ed) if selector == "ed" else (b"rsa-sha256", self.rsa)
        field = dkim.sign(raw, selector.encode(), domain.encode(), key, signature_algorithm=algorithm, canonicalize=(b"relaxed", b"relaxed"))
        return field.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n") + raw

    def rule(self, *words):
        self.server.cli("rule", "add", *words)

    def unrule(self, *words):
        self.server.cli("rule", "remove", *words)


def deliver(raw, to, sender):
    """By SMTP as another host; the final reply as (code, text)."""
    with smtp.Smtp("smtp") as client:
        client.hello()
        try:
            return client.mail(raw, [to] if isinstance(to, str) else to, sender=sender)[0]
        except smtp.SmtpError as refused:
            return refused.code, refused.text


def submit(user, raw, to, sender=None):
    with smtp.Smtp("submission") as client:
        client.hello().starttls()
        secret = base64.b64encode(f"\0{user}@{HOME}\0{PASSWORD}".encode()).decode()
        client.command(f"AUTH PLAIN {secret}", 235)
        try:
            return client.mail(raw, [to] if isinstance(to, str) else to, sender=sender or f"{user}@{HOME}")[0]
        except smtp.SmtpError as refused:
            return refused.code, refused.text


def mailbox(user, name="INBOX"):
    """The mails of a mailbox, none when it does not exist."""
    conn = imap.login(f"{user}@{HOME}")
    status, found = conn.select(f'"{name}"')
    mails = [body for *_, body in imap.bodies(conn, "1:*")] if status == "OK" and found[0] != b"0" else []
    conn.logout()
    return mails


def having(user, subject, name="INBOX"):
    return [mail for mail in mailbox(user, name) if f"Subject: {subject}".encode() in mail]


def taken(reply):
    want(reply[0] == 250, f"{reply}")


def refused(reply, code, text):
    want(reply[0] == code and text in reply[1], f"{reply}")


def results(mail):
    """The Authentication-Results of our name, unfolded."""
    parsed = email.message_from_bytes(mail, policy=email.policy.compat32)
    found = [re.sub(r"\s+", " ", value) for value in parsed.get_all("Authentication-Results", [])]
    return [value for value in found if value.startswith(NAME)]


def senders(checks, world):
    good = "x@good.test"
    with checks.check("dkimpy's RSA signature passes, DMARC by DKIM while SPF fails; the results stand below the Return-Path"):
        raw = world.sign(letter(good, f"ann@{HOME}", "by-rsa"), "good.test")
        taken(deliver(raw, f"ann@{HOME}", "bounce@hardfail.test"))
        (mail,) = having("ann", "by-rsa")
        (found,) = results(mail)
        for part in ("spf=fail", "dkim=pass", "header.s=rsa", "dmarc=pass", "header.from=good.test", "policy.dmarc=reject"):
            want(part in found, f"{part} is not in {found}")
        want(re.match(rb"Return-Path: <bounce@hardfail.test>\r\nAuthentication-Results: ", mail), mail[:200].decode())
        want(mail.endswith(raw), "the message itself is as it was")
    with checks.check("dkimpy's Ed25519 signature passes"):
        taken(deliver(world.sign(letter(good, f"ann@{HOME}", "by-ed"), "good.test", "ed"), f"ann@{HOME}", "b@hardfail.test"))
        want("dkim=pass" in results(having("ann", "by-ed")[0])[0], "the result")
    with checks.check("SPF alone is enough for DMARC"):
        taken(deliver(letter(good, f"ann@{HOME}", "by-spf"), f"ann@{HOME}", good))
        found = results(having("ann", "by-spf")[0])[0]
        want("spf=pass" in found and "dmarc=pass" in found, found)
    with checks.check("p=reject: a changed body, and no signature at all, are refused"):
        raw = world.sign(letter(good, f"ann@{HOME}", "changed"), "good.test").replace(b"Hello.", b"Hullo.")
        refused(deliver(raw, f"ann@{HOME}", "b@hardfail.test"), 550, "5.7.1 DMARC: good.test asks")
        refused(deliver(letter(good, f"ann@{HOME}", "bare"), f"ann@{HOME}", ""), 550, "5.7.1 DMARC")
        want(not having("ann", "changed") and not having("ann", "bare"), "nothing of it is there")
    with checks.check("p=quarantine goes to Junk, p=none to INBOX"):
        taken(deliver(letter("x@quar.test", f"ann@{HOME}", "suspicious"), f"ann@{HOME}", "b@hardfail.test"))
        want(having("ann", "suspicious", "Junk") and not having("ann", "suspicious"), "it is in Junk")
        taken(deliver(letter("x@none.test", f"ann@{HOME}", "indifferent"), f"ann@{HOME}", "b@hardfail.test"))
        want("dmarc=fail" in results(having("ann", "indifferent")[0])[0], "it is in INBOX, with its result")
    with checks.check("alignment: another domain's good signature does not help; a subdomain's does, unless adkim=s"):
        raw = world.sign(letter(good, f"ann@{HOME}", "unaligned"), "other.test")
        refused(deliver(raw, f"ann@{HOME}", "b@hardfail.test"), 550, "5.7.1 DMARC")
        raw = world.sign(letter("x@sub.good.test", f"ann@{HOME}", "relaxed"), "good.test")
        taken(deliver(raw, f"ann@{HOME}", "b@hardfail.test"))
        want("dmarc=pass" in results(having("ann", "relaxed")[0])[0], "relaxed alignment")
        raw = world.sign(letter("x@sub.strict.test", f"ann@{HOME}", "strict"), "strict.test")
        refused(deliver(raw, f"ann@{HOME}", "b@hardfail.test"), 550, "5.7.1 DMARC")
    with checks.check("results in our name that mail brings along are taken out, others stay (RFC 8601 section 5)"):
        forged = f"Authentication-Results: (a) {NAME.upper()} 1;\r\n\tdkim=pass header.d=bank.test\r\nAuthentication-Results: mx.other.test; spf=pass\r\n"
        taken(deliver(letter("x@plain.test", f"ann@{HOME}", "forged", more=forged), f"ann@{HOME}", "x@plain.test"))
        (mail,) = having("ann", "forged")
        want(b"bank.test" not in mail and b"mx.other.test; spf=pass" in mail and len(results(mail)) == 1, mail.decode())
    with checks.check("two From fields are refused"):
        raw = letter(good, f"ann@{HOME}", "two", more="From: <ceo@bank.test>\r\n")
        refused(deliver(raw, f"ann@{HOME}", good), 550, "5.6.0")
    with checks.check("a signature that openssl made over the simple canonical form passes"):
        raw = openssl_signed(world, letter(good, f"ann@{HOME}", "by-openssl"))
        taken(deliver(raw, f"ann@{HOME}", "b@hardfail.test"))
        want("dkim=pass" in results(having("ann", "by-openssl")[0])[0], "the result")


def openssl_signed(world, raw):
    """A signature in simple canonical form, made with openssl alone."""
    body_hash = base64.b64encode(subprocess.run(["openssl", "dgst", "-sha256", "-binary"], input=raw.split(b"\r\n\r\n", 1)[1],
                                                check=True, capture_output=True).stdout).decode()
    head = raw.split(b"\r\n\r\n", 1)[0].decode().split("\r\n")
    names = ["from", "subject"]
    lines = [next(line for line in head if line.lower().startswith(name + ":")) for name in names]
    field = f"DKIM-Signature: v=1; a=rsa-sha256; c=simple/simple; d=good.test; s=rsa; h=from:subject; bh={body_hash}; b="
    signed = "".join(line + "\r\n" for line in lines) + field
    key = os.path.join(world.server.folder, "rsa.pem")
    with open(key, "wb") as file:
        file.write(world.rsa)
    signature = subprocess.run(["openssl", "dgst", "-sha256", "-sign", key], input=signed.encode(), check=True, capture_output=True).stdout
    return (field + base64.b64encode(signature).decode() + "\r\n").encode() + raw


def opendkim_says(world, mail):
    """What opendkim in its test mode says of the signatures: whether one passes, and its words."""
    file, keys, config = (os.path.join(world.server.folder, name) for name in ("opendkim.eml", "opendkim.keys", "opendkim.conf"))
    with open(file, "wb") as out:
        out.write(mail)
    with open(keys, "w") as out:
        for field in email.message_from_bytes(mail).get_all("DKIM-Signature"):
            tags = dict(tag.strip().split("=", 1) for tag in re.sub(r"\s", "", field).split(";") if tag)
            name = f"{tags['s']}._domainkey.{tags['d']}"
            out.write(f"{name} {world.dns.get_txt(name + '.', 5).decode()}\n")
    with open(config, "w") as out:
        out.write(f"Mode v\nTestPublicKeys {keys}\nSyslog no\n")
    said = subprocess.run(["opendkim", "-x", config, "-t", file, "-vv"], capture_output=True, text=True).stdout
    want("header.s=" in said, said)
    return "dkim=pass" in said, said


def signing(checks, world):
    server = world.server
    with checks.check("dkim add, dns and rotate: a next key does not sign, an active one does, by RSA and Ed25519"):
        for algorithm in ("rsa", "ed25519"):
            (key,) = json.loads(server.cli("dkim", "add", HOME, "--algorithm", algorithm, "--json"))
            want(key["state"] == "next" and key["record"].startswith(f"v=DKIM1; k={algorithm}; p="), str(key))
        taken(submit("ann", letter(f"ann@{HOME}", "a@sink.test", "unsigned"), "a@sink.test"))
        arrived(world, "unsigned")
        want(not signatures(arrived(world, "unsigned")), "no key is active")
        publish(world)
        server.cli("dkim", "rotate", HOME)
        publish(world)
        states = sorted(key["state"] for key in json.loads(server.cli("dkim", "list", "--json")))
        want(states == ["active", "active", "next", "next"], str(states))
        want("IN TXT ( \"v=DKIM1; k=rsa;" in server.cli("dkim", "dns", HOME), "a zone file's line")
    with checks.check("a submitted message is signed with both keys, and dkimpy agrees, at another host and in a mailbox here"):
        raw = letter(f"ann@{HOME}", "a@sink.test", "signed", body="Line.\r\n..dots \t x\r\n\r\n\r\n")
        taken(submit("ann", raw, ["a@sink.test", f"bob@{HOME}"]))
        for mail in (arrived(world, "signed"), having("bob", "signed")[0]):
            want(len(signatures(mail)) == 2, f"{len(signatures(mail))} signatures")
            verified(world, mail, 2)
        with_change = arrived(world, "signed").replace(b"Line.", b"Lime.")
        want(not dkim.verify(with_change, dnsfunc=lambda name, timeout=5: world.dns.get_txt(name, timeout)), "dkimpy sees a change")
    with checks.check("opendkim agrees, and for it and dkimpy a second field that readers might show breaks the signature"):
        mail = arrived(world, "signed")
        passes, said = opendkim_says(world, mail)
        want(passes, said)
        for field in ("From: ceo@home.test", "Subject: pay", "To: you@sink.test", "Date: now", "Content-Type: text/html", "Reply-To: x@evil.test"):
            more = mail.replace(b"\r\nFrom: ", b"\r\n" + field.encode() + b"\r\nFrom: ", 1)
            passes, said = opendkim_says(world, more)
            want(more != mail and not passes, f"{field}: {said}")
            for index in range(2):
                said = dkim.DKIM(more).verify(idx=index, dnsfunc=lambda name, timeout=5: world.dns.get_txt(name, timeout))
                want(not said, f"dkimpy: {field}")
    with checks.check("what is added on the way is covered: a missing Date and Message-ID"):
        taken(submit("ann", f"From: ann@{HOME}\r\nSubject: bare\r\n\r\nx\r\n".encode(), "a@sink.test"))
        mail = arrived(world, "bare")
        want(b"\r\nDate: " in mail and b"\r\nMessage-ID: <" in mail, mail.decode())
        verified(world, mail, 2)
    with checks.check("rotation: new selectors sign, what the old ones signed still verifies until their records go"):
        old = arrived(world, "signed")
        before = selectors(old)
        server.cli("dkim", "rotate", HOME, "--now")
        publish(world)
        taken(submit("ann", letter(f"ann@{HOME}", "a@sink.test", "rotated"), "a@sink.test"))
        mail = arrived(world, "rotated")
        want(selectors(mail).isdisjoint(before) and len(selectors(mail)) == 2, f"{selectors(mail)} after {before}")
        verified(world, mail, 2)
        verified(world, old, 2)
        for key in json.loads(server.cli("dkim", "list", HOME, "--json")):
            if key["state"] == "retired":
                server.cli("dkim", "remove", HOME, key["selector"])
        left = {key["state"] for key in json.loads(server.cli("dkim", "list", HOME, "--json"))}
        want(left == {"active", "next"}, str(left))
    with checks.check("keys survive a restart"):
        server.stop()
        server.start()
        taken(submit("ann", letter(f"ann@{HOME}", "a@sink.test", "restarted"), "a@sink.test"))
        verified(world, arrived(world, "restarted"), 2)
    with checks.check("our own signed mail, come back from outside, passes here; without its signature it does not"):
        world.dns.update(txt={f"_dmarc.{HOME}": "v=DMARC1; p=reject"})
        mail = arrived(world, "restarted")
        taken(deliver(mail, f"carl@{HOME}", "list@none.test"))
        want("dkim=pass" in results(having("carl", "restarted")[0])[0], "the result")
        refused(deliver(letter(f"ann@{HOME}", f"carl@{HOME}", "in-her-name"), f"carl@{HOME}", "x@none.test"), 550, "DMARC")
    with checks.check("mail that a group passes on is sealed: dkimpy verifies the ARC chain, and its original signature"):
        raw = world.sign(letter("x@good.test", f"list@{HOME}", "sealed"), "good.test")
        taken(deliver(raw, f"list@{HOME}", "b@hardfail.test"))
        mail = arrived(world, "sealed")
        verdict, sets, why = dkim.ARC(mail).verify(dnsfunc=world.dns.get_txt)
        want(verdict == b"pass" and len(sets) == 1, f"{verdict} {sets} {why}")
        want(b"ARC-Authentication-Results: i=1; " + NAME.encode() in mail and b"dmarc=pass" in mail, mail.decode())
        verified(world, mail, 1)


def publish(world):
    """What an operator does with `posthouse dkim dns`."""
    keys = json.loads(world.server.cli("dkim", "dns", HOME, "--json"))
    world.dns.update(txt={key["name"]: key["record"] for key in keys})


def arrived(world, subject):
    """The bytes that the other host has got."""
    procs.wait_until(lambda: world.sink.of(f"Subject: {subject}\r\n"), 30, f"{subject} at the other host")
    return world.sink.of(f"Subject: {subject}\r\n")[0][2]


def signatures(mail):
    return email.message_from_bytes(mail).get_all("DKIM-Signature", [])


def selectors(mail):
    return {re.search(r"\bs=([^;\s]+)", field).group(1) for field in signatures(mail)}


def verified(world, mail, count):
    for at in range(count):
        want(dkim.DKIM(mail).verify(idx=at, dnsfunc=world.dns.get_txt), f"signature {at} in\n{mail[:1500].decode()}")


def members(checks, world):
    server = world.server
    with checks.check("submission: Bcc goes, From must be the member's own (alias and tag too)"):
        taken(submit("ann", letter(f"ann@{HOME}", f"bob@{HOME}", "secretly", more=f"Bcc: carl@{HOME},\r\n dora@{HOME}\r\n"),
                     [f"bob@{HOME}", f"carl@{HOME}"]))
        for user in ("bob", "carl"):
            (mail,) = having(user, "secretly")
            want(b"Bcc" not in mail and b"dora@" not in mail, mail.decode())
        refused(submit("ann", letter(f"bob@{HOME}", "a@sink.test", "stolen"), "a@sink.test"), 550, "5.7.1")
        refused(submit("ann", letter("ceo@bank.test", "a@sink.test", "stolen"), "a@sink.test"), 550, "5.7.1")
        refused(submit("ann", letter(f"ann@{HOME}", "a@sink.test", "env"), "a@sink.test", sender=f"bob@{HOME}"), 553, "5.7.1")
        server.cli("alias", "add", f"anna@{HOME}", "--account", f"ann@{HOME}")
        taken(submit("ann", letter(f"anna@{HOME}", f"bob@{HOME}", "as-alias"), f"bob@{HOME}", sender=f"ann+list@{HOME}"))
    with checks.check("plus-addressing: name+tag reaches the member"):
        taken(deliver(letter("x@plain.test", f"bob+shop@{HOME}", "tagged"), f"bob+shop@{HOME}", "x@plain.test"))
        want(having("bob", "tagged"), "it is in INBOX")
    with checks.check("outbound no: nothing leaves the tenant, mail inside does; a member's exception"):
        world.rule("--tenant", "home", "outbound", "no")
        refused(submit("bob", letter(f"bob@{HOME}", "a@sink.test", "kept-in"), "a@sink.test"), 550, "may not send outside")
        taken(submit("bob", letter(f"bob@{HOME}", f"ann@{HOME}", "inside"), f"ann@{HOME}"))
        world.rule("--account", f"carl@{HOME}", "outbound", "yes")
        taken(submit("carl", letter(f"carl@{HOME}", "a@sink.test", "excepted"), "a@sink.test"))
        world.unrule("--tenant", "home", "outbound", "no")
    with checks.check("rate: as many recipients outside as the rule says, then 450; inside is free"):
        world.rule("--account", f"rate@{HOME}", "rate", "3/1h")
        taken(submit("rate", letter(f"rate@{HOME}", "a@sink.test", "rate-1"), ["a@sink.test", "b@sink.test"]))
        taken(submit("rate", letter(f"rate@{HOME}", "a@sink.test", "rate-2"), "c@sink.test"))
        refused(submit("rate", letter(f"rate@{HOME}", "a@sink.test", "rate-3"), "d@sink.test"), 450, "4.7.1")
        taken(submit("rate", letter(f"rate@{HOME}", f"ann@{HOME}", "rate-4"), f"ann@{HOME}"))
    with checks.check("a disabled member neither logs in nor receives"):
        server.cli("member", "set", f"dora@{HOME}", "--disabled", "true")
        refused(deliver(letter("x@plain.test", f"dora@{HOME}", "to-nobody"), f"dora@{HOME}", "x@plain.test"), 550, "5.2.1")
        with smtp.Smtp("submission") as client:
            client.hello().starttls()
            secret = base64.b64encode(f"\0dora@{HOME}\0{PASSWORD}".encode()).decode()
            client.command(f"AUTH PLAIN {secret}", 535)


def rules(checks, world):
    with checks.check("blocklists: the tenant's at RCPT, the member's in a group without a bounce; allowlists skip the filters"):
        world.rule("--tenant", "home", "block", ".spam.test")
        refused(deliver(letter("x@a.spam.test", f"ann@{HOME}", "blocked"), f"ann@{HOME}", "x@a.spam.test"), 550, "blocklist")
        refused(deliver(letter("x@a.spam.test", f"ann@{HOME}", "blocked"), f"ann@{HOME}", "fine@plain.test"), 550, "blocklist")
        world.rule("--account", f"bob@{HOME}", "block", "noisy@plain.test")
        taken(deliver(letter("noisy@plain.test", f"team@{HOME}", "to-team"), f"team@{HOME}", "noisy@plain.test"))
        want(having("ann", "to-team") and not having("bob", "to-team"), "ann has it, bob has not")
        world.rule("--tenant", "home", "keyword", "quarantine", "invoice")
        world.rule("--account", f"carl@{HOME}", "allow", "plain.test")
        for user in ("ann", "carl"):
            taken(deliver(letter("x@plain.test", f"{user}@{HOME}", "Your INVOICE"), f"{user}@{HOME}", "x@plain.test"))
        want(having("ann", "Your INVOICE", "Junk") and having("carl", "Your INVOICE"), "ann's is in Junk, carl's in INBOX")
    with checks.check("keywords are found in the decoded subject, by swaks too"):
        world.rule("--tenant", "home", "keyword", "reject", "\u53d1\u7968")
        subject = "=?utf-8?B?" + base64.b64encode("\u4ee3\u5f00\u53d1\u7968".encode()).decode() + "?="
        refused(deliver(letter("x@plain.test", f"ann@{HOME}", subject), f"ann@{HOME}", "x@plain.test"), 550, "subject")
        done = subprocess.run(["swaks", "--server", "127.0.0.1", "--port", str(target.port("smtp")), "--to", f"ann@{HOME}", "--from",
                               "x@plain.test", "--header", f"Subject: {subject}", "--body", "x"], capture_output=True, text=True)
        want(done.returncode != 0 and "550 5.7.1 the subject" in done.stdout, done.stdout)
    with checks.check("catch-all: mail for unknown addresses goes into the folder of its account, until the rule goes"):
        refused(deliver(letter("x@plain.test", f"gone@{HOME}", "lost"), f"gone@{HOME}", "x@plain.test"), 550, "5.1.1")
        world.rule("--domain", HOME, "catch-all", f"post@{HOME}")
        taken(deliver(letter("x@plain.test", f"gone@{HOME}", "lost"), f"gone@{HOME}", "x@plain.test"))
        want(having("post", "lost", TRANSFER) and not having("post", "lost"), "it is in the folder")
        rows = json.loads(world.server.cli("trace", f"gone@{HOME}", "--json"))
        want([row["mailbox"] for row in rows if row["step"] == "delivered"] == ["\u90ae\u4ef6\u8f6c\u79fb"], f"the log finds it by what was written to: {rows}")
        world.unrule("--domain", HOME, "catch-all", f"post@{HOME}")
        refused(deliver(letter("x@plain.test", f"gone@{HOME}", "lost"), f"gone@{HOME}", "x@plain.test"), 550, "5.1.1")
    with checks.check("who may send to a group"):
        world.rule("--group", f"team@{HOME}", "senders", "tenant")
        refused(deliver(letter("x@plain.test", f"team@{HOME}", "to-group"), f"team@{HOME}", f"ann@{HOME}"), 550, "may not send to the group")
        taken(submit("carl", letter(f"carl@{HOME}", f"team@{HOME}", "to-group"), f"team@{HOME}"))
        want(having("ann", "to-group") and having("bob", "to-group"), "both have it")
    with checks.check("a group in a group: all behind both have it, who may not write to the inner one stays out of it"):
        world.server.cli("group", "add", f"firm@{HOME}", "--member", f"team@{HOME}", "--member", f"carl@{HOME}")
        taken(submit("carl", letter(f"carl@{HOME}", f"firm@{HOME}", "to-firm"), f"firm@{HOME}"))
        procs.wait_until(lambda: all(having(user, "to-firm") for user in ("ann", "bob", "carl")), 120, "all three have it")
        taken(deliver(letter("x@plain.test", f"firm@{HOME}", "from-outside"), f"firm@{HOME}", "x@plain.test"))
        procs.wait_until(lambda: "may not send to the group" in world.server.cli("trace", f"team@{HOME}", "--last", "1h"), 120, "the log says so")
        want(having("carl", "from-outside") and not having("ann", "from-outside"), "carl has it, ann has not")
    with checks.check("a representative writes as the group, others do not"):
        refused(submit("ann", letter(f"team@{HOME}", f"carl@{HOME}", "as-group"), f"carl@{HOME}"), 550, "5.7.1")
        world.rule("--group", f"team@{HOME}", "representative", f"ann@{HOME}")
        taken(submit("ann", letter(f"team@{HOME}", f"carl@{HOME}", "as-group"), f"carl@{HOME}", sender=f"team@{HOME}"))
        refused(submit("bob", letter(f"team@{HOME}", f"carl@{HOME}", "as-group"), f"carl@{HOME}"), 550, "5.7.1")
        want(len(having("carl", "as-group")) == 1, "one of three")
    with checks.check("rules are listed, survive a restart, and work on the closed data directory"):
        before = json.loads(world.server.cli("rule", "list", "--json"))
        world.server.stop()
        want(json.loads(world.server.cli("rule", "list", "--json")) == before and len(before) >= 6, str(before))
        world.unrule("--tenant", "home", "block", ".spam.test")
        world.server.start()
        taken(deliver(letter("x@a.spam.test", f"ann@{HOME}", "unblocked"), f"ann@{HOME}", "x@a.spam.test"))


def own_rules(checks, world):
    """Mail that goes on, answers for who is away, and what the mail log says of both."""
    server = world.server
    with checks.check("a forward: the other host gets it sealed, from the member's own reverse-path; the copy stays; dkimpy agrees"):
        server.cli("member", "set", f"dora@{HOME}", "--disabled", "false")
        server.cli("member", "forward", f"dora@{HOME}", "--to", "far@sink.test")
        raw = world.sign(letter("x@good.test", f"dora@{HOME}", "onward"), "good.test")
        said = deliver(raw, f"dora@{HOME}", "b@hardfail.test")
        taken(said)
        mail = arrived(world, "onward")
        verdict, sets, why = dkim.ARC(mail).verify(dnsfunc=world.dns.get_txt)
        want(verdict == b"pass" and len(sets) == 1, f"{verdict} {sets} {why}")
        verified(world, mail, 1)
        want(f"Delivered-To: dora@{HOME}".encode() in mail, mail.decode())
        sent = world.sink.of("Subject: onward\r\n")[0]
        want(sent[0].startswith(f"MAIL FROM:<dora+forwarded@{HOME}>"), str(sent[:2]))
        want(len(having("dora", "onward")) == 1, "the copy")
    with checks.check("what comes back from there goes no further; a report about it neither"):
        taken(deliver(mail, f"dora@{HOME}", "far@good.test"))
        taken(deliver(letter("mailer-daemon@sink.test", f"dora@{HOME}", "about-it"), f"dora+forwarded@{HOME}", ""))
        procs.wait_until(lambda: len(having("dora", "onward")) == 2 and having("dora", "about-it"), 120, "both in the mailbox")
        want(len(world.sink.of("Subject: onward\r\n")) == 1 and not world.sink.of("Subject: about-it\r\n"), "no second copy out")
    with checks.check("the mail log: from the 250 to the other host's reply under one id, and as CSV"):
        trace_id = said[1].split()[-1]
        steps = lambda: [row["step"] for row in json.loads(server.cli("trace", trace_id, "--json"))]
        procs.wait_until(lambda: steps() == ["came", "delivered", "queued", "sent"], 120, "the whole way")
        rows = json.loads(server.cli("trace", trace_id, "--json"))
        want(rows[0]["policy"].startswith("spf=fail dkim=pass") and rows[3]["text"].startswith("250"), str(rows))
        want(rows[1]["mailbox"] == "INBOX" and rows[1]["uid"] >= 1, str(rows[1]))
        want(server.cli("trace", f"far@sink.test", "--csv").splitlines()[0].startswith("when,step,id,"), "a header line")
    with checks.check("who is away answers once, signed, in a way that Python's email reads; a list gets no answer"):
        server.cli("member", "away", f"post@{HOME}", "--text", "Gone fishing \u9493\u9c7c.", "--subject", "\u5916\u51fa")
        for number in (1, 2):
            taken(deliver(letter("x@sink.test", f"post@{HOME}", f"are-you-there-{number}"), f"post@{HOME}", "x@sink.test"))
        listed = letter("y@sink.test", f"post@{HOME}", "to-the-list", more="List-Id: <l.sink.test>\r\n")
        taken(deliver(listed, f"post@{HOME}", "y@sink.test"))
        procs.wait_until(lambda: world.sink.of(f"From: \"post\"") or world.sink.of(f"<post@{HOME}>\r\nTo: <x@sink.test>"), 120, "an answer")
        answers = [one for one in world.sink.of("Auto-Submitted: auto-replied") if f"<post@{HOME}>".encode() in one[2]]
        want(len(answers) == 1 and answers[0][0].startswith("MAIL FROM:<>"), str([one[:2] for one in answers]))
        read = email.message_from_bytes(answers[0][2], policy=email.policy.default)
        want(read["Subject"] == "\u5916\u51fa" and "\u9493\u9c7c" in read.get_content(), str(read))
        verified(world, answers[0][2], 1)
        server.cli("member", "away", f"post@{HOME}", "--off")
        server.cli("member", "forward", f"dora@{HOME}", "--off")
    with checks.check("after kill -9 the mail log goes on, and says that something may be missing"):
        # What has been sent is sent again where its result was not committed, and would be logged behind the gap.
        procs.wait_until(lambda: not json.loads(server.cli("queue", "list", "--json")), 120, "an empty queue")
        server.kill()
        server.start()
        taken(deliver(letter("x@good.test", f"ann@{HOME}", "after-the-kill"), f"ann@{HOME}", "x@good.test"))
        rows = json.loads(server.cli("trace", "--last", "1h", "--json"))
        # Whoever looks whether the server is there again is refused by TLS and by nothing else.
        rows = [row for row in rows if row["policy"] != "tls"]
        want([row["step"] for row in rows][-3:] == ["gap", "came", "delivered"], str(rows[-3:]))


def from_postfix(checks, world):
    peer = Peers("mailflow", postfix=True, accounts=2, main=f"transport_maps = inline:{{ {{ {HOME} = smtp:[127.0.0.1]:{target.port('smtp')} }} }}")
    own = dict(os.environ)
    with peer, checks.check("Postfix as the sending host: SPF of its HELO's and sender's domain, DMARC by SPF, over TLS"):
        os.environ.update(peer.env())
        with smtp.Smtp("submission") as client:
            client.hello().starttls()
            secret = base64.b64encode(f"\0u0@bench.test\0{PASSWORD}".encode()).decode()
            client.command(f"AUTH PLAIN {secret}", 235)
            for sender, subject in (("x@good.test", "postfix-good"), ("x@quar.test", "postfix-quar")):
                client.deliver(letter(sender, f"ann@{HOME}", subject), [f"ann@{HOME}"], sender=sender)
        os.environ.clear()
        os.environ.update(own)
        procs.wait_until(lambda: having("ann", "postfix-good") and having("ann", "postfix-quar", "Junk"), 40, "Postfix's mails")
        found = results(having("ann", "postfix-good")[0])[0]
        want("spf=pass" in found and "dmarc=pass" in found, found)
    os.environ.clear()
    os.environ.update(own)


def time_out(checks, world):
    with checks.check("name servers that are gone: temporary errors within the time-out, and the mail is taken"):
        world.dns.stop()
        try:
            taken(deliver(letter("x@good.test", f"ann@{HOME}", "no-names"), f"ann@{HOME}", "x@good.test"))
            found = results(having("ann", "no-names")[0])[0]
            want("spf=temperror" in found and "dmarc=temperror" in found, found)
        finally:
            world.dns.start()


def main():
    checks = Checks("mailflow")
    world = World()
    try:
        senders(checks, world)
        signing(checks, world)
        members(checks, world)
        rules(checks, world)
        own_rules(checks, world)
        from_postfix(checks, world)
        time_out(checks, world)
    finally:
        world.stop()
    checks.finish()


if __name__ == "__main__":
    main()
