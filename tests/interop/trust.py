#!/usr/bin/env python3
"""What other domains demand of TLS: DANE with a real Postfix, and hosts whose certificates match their TLSA records or do not; MTA-STS with a
policy host of its own; REQUIRETLS.

Starts all servers itself. Hosts differ by their loopback address and share one port; the policy host has port 443.
"""
import hashlib
import http.server
import os
import re
import ssl
import subprocess
import sys
import threading

from lib import names
from lib.names import A, CNAME, MX, SERVFAIL, TLSA, TXT
from lib.peers import Peers
from lib.report import Checks, want
from lib.servers import free_ports
from lib.sink import Sink
from outbound import HOME, RUNTIME, Sender, bounced, mail, toml, until


class Authority:
    """A private authority and the certificates that it gives out, by openssl."""

    def __init__(self, folder):
        self.folder = folder
        os.makedirs(folder, exist_ok=True)
        self.run("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=an authority", "-keyout", "ca.key", "-out", "ca.pem",
                 "-addext", "basicConstraints=critical,CA:true")
        self.pem = os.path.join(folder, "ca.pem")

    def run(self, *argv):
        return subprocess.run(["openssl", *argv], check=True, capture_output=True, cwd=self.folder).stdout

    def context(self, name, *more):
        """TLS of a server with a certificate for the names; the authority's follows it."""
        self.run("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=host", "-keyout", f"{name}.key", "-out", f"{name}.csr")
        with open(os.path.join(self.folder, f"{name}.ext"), "w") as file:
            file.write(f"subjectAltName={','.join(f'DNS:{one}' for one in (name, *more))}\n")
        self.run("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-days", "2", "-extfile", f"{name}.ext", "-out", f"{name}.crt")
        chain = os.path.join(self.folder, f"{name}.pem")
        with open(chain, "w") as out:
            for part in (f"{name}.crt", "ca.pem"):
                out.write(open(os.path.join(self.folder, part)).read())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chain, os.path.join(self.folder, f"{name}.key"))
        return context


def key_of(pem):
    """The public key of a certificate, as DER."""
    public = subprocess.run(["openssl", "x509", "-in", pem, "-noout", "-pubkey"], check=True, capture_output=True).stdout
    return subprocess.run(["openssl", "pkey", "-pubin", "-outform", "DER"], input=public, check=True, capture_output=True).stdout


def der_of(pem):
    return ssl.PEM_cert_to_DER_cert(open(pem).read())


def logged(server, *parts):
    log = re.sub(r"\x1b\[[0-9;]*m", "", open(server.log, errors="replace").read())
    return any(all(part in line for part in parts) for line in log.splitlines())


def deferred(server, rcpt, *parts):
    def told():
        rows = server.queue("--recipient", rcpt)
        return rows and rows[0]["state"] == "deferred" and all(part in rows[0]["reply"] for part in parts)
    until(told, f"{rcpt} deferred with {parts}: {server.queue()}")


def sha256(data):
    return hashlib.sha256(data).digest()


def hung_up(port):
    """Waits until nobody is connected to the port: a connection is used again for a while, whatever the records say by then."""
    def is_quiet():
        rows = [line.split() for line in open("/proc/net/tcp").readlines()[1:]]
        return not any(row[2].endswith(f":{port:04X}") and row[3] == "01" for row in rows)
    until(is_quiet, f"no connection to port {port}")


def dane(checks, server, peer, zone, sink, plain):
    cert = os.path.join(peer.folder, "cert.pem")
    good, bad = (3, 1, 1, sha256(key_of(cert))), (3, 1, 1, sha256(b"another key"))
    owner = f"_{peer.ports['smtp']}._tcp.mx.bench.test"
    with checks.check("DANE: Postfix's self-signed certificate matches its TLSA record"):
        zone[owner, TLSA] = [bad, good]
        server.submit(["u1@bench.test"], mail("dane-good"))
        until(lambda: not server.queue(), "an empty queue")
        until(lambda: logged(server, "outbound id", "u1@bench.test", " dane\""), "the log says dane")
    with checks.check("DANE: a record that does not match delays the mail and says why; with the right one it goes"):
        hung_up(peer.ports["smtp"])
        zone[owner, TLSA] = [bad]
        server.submit(["u2@bench.test"], mail("dane-bad"))
        deferred(server, "u2@bench.test", "4.7.5", f"matches no TLSA record of {owner}")
        zone[owner, TLSA] = [(3, 0, 2, hashlib.sha512(der_of(cert)).digest())]
        server.cli("queue", "flush")
        until(lambda: not server.queue(), "an empty queue")
    with checks.check("DANE: TLSA records that nobody can look up delay the mail"):
        hung_up(peer.ports["smtp"])
        zone[owner, TLSA] = SERVFAIL
        server.submit(["u1@bench.test"], mail("dane-servfail"))
        deferred(server, "u1@bench.test", "4.4.3", "DANE: TLSA of")
        del zone[owner, TLSA]
        server.cli("queue", "flush")
        until(lambda: not server.queue(), "an empty queue")
        until(lambda: logged(server, "u1@bench.test", "unverified"), "without records any certificate will do")
    with checks.check("DANE: an authority in the records vouches for the host's name"):
        owner = f"_{sink.port}._tcp.mx.ta.test"
        zone[owner, TLSA] = [(2, 1, 1, sha256(key_of(sink.authority)))]
        server.submit(["a@ta.test"], mail("dane-ta"))
        until(lambda: sink.of("dane-ta"), "the copy")
        server.submit(["a@wrongname.test"], mail("dane-name"))
        deferred(server, "a@wrongname.test", "4.7.5", "not valid for name")
        server.cli("queue", "remove", "--domain", "wrongname.test")
    with checks.check("DANE: no plain text for a host with records, plain text where DNSSEC proves nothing"):
        server.submit(["a@plain.test", "a@insecure.test"], mail("dane-plain"))
        until(lambda: plain.of("dane-plain"), "the copy of the insecure domain")
        deferred(server, "a@plain.test", "4.7.4", "offers no STARTTLS, which its TLSA records demand")
        want([rcpts for _, rcpts, _ in plain.of("dane-plain")] == [("RCPT TO:<a@insecure.test>",)], f"{plain.of('dane-plain')}")
        server.cli("queue", "remove", "--domain", "plain.test")


def require_tls(checks, server, zone, keeper, sink):
    with checks.check("REQUIRETLS: to a host that offers it and matches its TLSA record, and back from one that does not offer it"):
        for host in ("keeper", "ta"):
            zone[f"_{keeper.port}._tcp.mx.{host}.test", TLSA] = [(2, 1, 1, sha256(key_of(sink.authority)))]
        server.submit(["a@keeper.test", "a@ta.test"], mail("keep-tls"), options=" REQUIRETLS")
        until(lambda: keeper.of("keep-tls"), "the copy")
        ((sender, _, _),) = keeper.of("keep-tls")
        want(" REQUIRETLS" in sender, sender)
        bounced("u0@" + HOME, "keep-tls", "Final-Recipient: rfc822; a@ta.test", "Status: 5.7.30", "does not offer REQUIRETLS")
        want(not sink.of("keep-tls"), "nothing went to it")
    with checks.check("REQUIRETLS: back from a domain that nothing proves; TLS-Required: No goes whatever its domain demands"):
        server.submit(["a@insecure.test"], mail("keep-unproven"), options=" REQUIRETLS")
        bounced("u0@" + HOME, "keep-unproven", "Status: 5.7.30", "nothing proves that mx.insecure.test")
        server.submit(["a@plain.test"], b"TLS-Required: No\r\n" + mail("no-tls"))
        until(lambda: not server.queue("--domain", "plain.test"), "an empty queue")


class PolicyHost:
    """HTTPS for `/.well-known/mta-sts.txt`; `policies` maps a host to what it answers: a policy, or a status."""

    def __init__(self, address, context):
        self.policies, self.asked = {}, []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                host = self.headers["Host"]
                outer.asked.append((host, self.path))
                policy = outer.policies.get(host, 404)
                self.send_response(policy if isinstance(policy, int) else 200)
                body = b"" if isinstance(policy, int) else policy.encode()
                self.send_header("Content-Type", "text/plain")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer((address, 443), Handler)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def policy(mode, mx):
    return f"version: STSv1\r\nmode: {mode}\r\nmx: {mx}\r\nmax_age: 86400\r\n"


def mta_sts(checks, server, zone, sink, plain, policies):
    with checks.check("MTA-STS: a host that fits the policy, with a certificate for its name"):
        policies.policies["mta-sts.sts.test"] = policy("enforce", "*.ta.test")
        server.submit(["a@sts.test"], mail("sts-good"))
        until(lambda: sink.of("sts-good"), "the copy")
        until(lambda: logged(server, "a@sts.test", "mta-sts"), "the log says mta-sts")
        server.submit(["a@sts.test"], mail("sts-again"))
        until(lambda: sink.of("sts-again"), "the copy")
        want(policies.asked == [("mta-sts.sts.test", "/.well-known/mta-sts.txt")], f"asked once: {policies.asked}")
    with checks.check("MTA-STS: hosts that the policy does not name, without TLS, or with another's certificate get nothing"):
        hung_up(sink.port)
        policies.policies["mta-sts.sts.test"] = policy("enforce", "mx.elsewhere.test")
        zone["_mta-sts.sts.test", TXT] = ["v=STSv1; id=2"]
        server.submit(["b@sts.test"], mail("sts-mx"))
        deferred(server, "b@sts.test", "4.7.5", "MTA-STS: mx.ta.test is no host of the domain's policy")
        policies.policies["mta-sts.stsplain.test"] = policy("enforce", "mx.insecure.test")
        server.submit(["a@stsplain.test"], mail("sts-plain"))
        deferred(server, "a@stsplain.test", "4.7.4", "which the MTA-STS policy of its domain demands")
        policies.policies["mta-sts.stsname.test"] = policy("enforce", "mx.stsname.test")
        server.submit(["a@stsname.test"], mail("sts-name"))
        deferred(server, "a@stsname.test", "4.7.5", "not valid for name")
        want(not sink.of("sts-mx") and not sink.of("sts-name") and not plain.of("sts-plain"), "nobody got anything")
    with checks.check("MTA-STS: a policy in testing, or one that cannot be had, keeps no mail"):
        policies.policies["mta-sts.ststest.test"] = policy("testing", "mx.elsewhere.test")
        policies.policies["mta-sts.stsgone.test"] = 301
        server.submit(["a@ststest.test", "a@stsgone.test"], mail("sts-testing"))
        until(lambda: len(plain.of("sts-testing")) == 2, "both copies")
        until(lambda: logged(server, "stsgone.test", "policy cannot be had", "301"), "the log says why")


def main():
    checks = Checks("trust")
    peer = Peers("trust", postfix=True, accounts=4)
    peer.start()
    (dns,) = free_ports(1)
    port = peer.ports["smtp"]
    authority = Authority(os.path.join(peer.folder, "authority"))
    sink, plain = Sink("127.0.0.3", port, tls=authority.context("mx.ta.test")), Sink("127.0.0.4", port)
    keeper = Sink("127.0.0.6", port, tls=authority.context("mx.keeper.test"), offers=["REQUIRETLS"])
    keeper.port, sink.port, sink.authority = port, port, authority.pem
    wrong = (2, 1, 1, sha256(key_of(authority.pem)))
    other = (3, 1, 1, sha256(b"another key"))
    zone = {
        ("bench.test", MX): [(10, "mx.bench.test")], ("mx.bench.test", A): ["127.0.0.1"],
        ("ta.test", MX): [(10, "mx.ta.test")], ("mx.ta.test", A): ["127.0.0.3"],
        ("keeper.test", MX): [(10, "mx.keeper.test")], ("mx.keeper.test", A): ["127.0.0.6"],
        ("wrongname.test", MX): [(10, "mx.wrongname.test")], ("mx.wrongname.test", A): ["127.0.0.3"],
        (f"_{port}._tcp.mx.wrongname.test", TLSA): [wrong],
        ("plain.test", MX): [(10, "mx.plain.test")], ("mx.plain.test", CNAME): ["real.plain.test"], ("real.plain.test", A): ["127.0.0.4"],
        (f"_{port}._tcp.real.plain.test", TLSA): [other],
        ("insecure.test", MX): [(10, "mx.insecure.test")], ("mx.insecure.test", A): ["127.0.0.4"],
        (f"_{port}._tcp.mx.insecure.test", TLSA): [other],
    }
    for domain, host in (("sts.test", "mx.ta.test"), ("stsplain.test", "mx.insecure.test"), ("stsname.test", "mx.stsname.test"),
                         ("ststest.test", "mx.insecure.test"), ("stsgone.test", "mx.insecure.test")):
        zone |= {(domain, MX): [(10, host)], (f"mta-sts.{domain}", A): ["127.0.0.5"], (f"_mta-sts.{domain}", TXT): ["v=STSv1; id=1"]}
    zone["mx.stsname.test", A] = ["127.0.0.3"]
    names_of = [f"mta-sts.{name}.test" for name in ("sts", "stsplain", "stsname", "ststest", "stsgone")]
    policies = PolicyHost("127.0.0.5", authority.context("policies.test", *names_of))
    secure = ["bench.test", "ta.test", "keeper.test", "wrongname.test", "plain.test"]
    name_server = names.Names(dns, zone, secure)
    more = f'dane = "resolver_validates"\ntls_authorities = "{authority.pem}"\n'
    server = Sender("trust", runtime=RUNTIME, accounts=2, toml=toml(port, dns, more))
    try:
        server.start()
        server.use()
        dane(checks, server, peer, zone, sink, plain)
        require_tls(checks, server, zone, keeper, sink)
        mta_sts(checks, server, zone, sink, plain, policies)
    finally:
        if server.process is not None:
            server.stop()
        peer.stop()
        for one in (sink, plain, keeper, name_server, policies):
            one.close()
    checks.finish()


if __name__ == "__main__":
    sys.exit(main())
