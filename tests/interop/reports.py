#!/usr/bin/env python3
"""What other domains hear the day after: reports about TLS (RFC 8460) to a real HTTPS server and by mail, DMARC reports (RFC 9990) by mail, taken
apart here with nothing of Posthouse's, and their signatures proven by dkimpy.

Starts all servers itself; the day ends by libfaketime. The policy host has port 443 of an address of its own.
"""
import calendar
import email
import glob
import gzip
import http.server
import json
import os
import re
import sys
import threading
import time
import xml.etree.ElementTree as xml
from unittest import mock

sys.path[:0] = glob.glob(os.path.join(os.environ.get("PH_CACHE", ""), "venv", "lib", "python*", "site-packages"))
import dkim  # noqa: E402

from lib import faketime, names, smtp  # noqa: E402
from lib.names import A, MX, TLSA, TXT
from lib.report import Checks, want
from lib.servers import free_ports
from lib.sink import Sink
from outbound import HOME, RUNTIME, Sender, mail, toml, until
from trust import Authority, PolicyHost, logged, policy, sha256

NAME, REPORTER = f"mail.{HOME}", f"postmaster@{HOME}"
# A look at the clock is a minute away at most.
A_LOOK = 150
DMARC = "{urn:ietf:params:xml:ns:dmarc-2.0}"


class Later(Sender):
    """A server whose date the test sets."""

    def spawn(self, argv, strace=None):
        super().spawn(self.clock.argv + argv, strace)


class Receiver:
    """HTTPS that takes POST; `answers` maps a path to the statuses that it gives in turn, the last one for good."""

    def __init__(self, address, port, context):
        self.got, self.answers = [], {}
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                statuses = outer.answers.get(self.path, [404])
                outer.got.append((self.path, self.headers, body))
                self.send_response(statuses.pop(0) if len(statuses) > 1 else statuses[0])
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer((address, port), Handler)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def of(self, path):
        return [(headers, body) for at, headers, body in self.got if at == path]

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def tls_report(packed, domain, day):
    """The report in a gzip file; its policies by type. What stands outside of them is held here (RFC 8460 section 4.4)."""
    told = json.loads(gzip.decompress(packed))
    want(set(told) == {"organization-name", "date-range", "contact-info", "report-id", "policies"}, f"{set(told)}")
    want(told["date-range"] == {"start-datetime": f"{day}T00:00:00Z", "end-datetime": f"{day}T23:59:59Z"}, f"{told['date-range']} is not {day}")
    want((told["organization-name"], told["contact-info"]) == (NAME, REPORTER) and told["report-id"], f"{told}")
    for one in told["policies"]:
        want(set(one) <= {"policy", "summary", "failure-details"} and one["policy"]["policy-domain"] == domain, f"{one}")
        summary, details = one["summary"], one.get("failure-details", [])
        want(set(summary) == {"total-successful-session-count", "total-failure-session-count"}, f"{summary}")
        want(sum(detail["failed-session-count"] for detail in details) == summary["total-failure-session-count"], f"{one}")
        for detail in details:
            want({"result-type", "receiving-mx-hostname", "failed-session-count"} <= set(detail), f"{detail}")
    return {one["policy"]["policy-type"]: one for one in told["policies"]}


def mailed(sink, rcpt, keys):
    """The one mail to that address, proven to be from whom it says."""
    until(lambda: any(rcpts == (f"RCPT TO:<{rcpt}>",) for _, rcpts, _ in sink.mails), f"a mail to {rcpt}", A_LOOK)
    ((sender, _, raw),) = [one for one in sink.mails if one[1] == (f"RCPT TO:<{rcpt}>",)]
    # It was signed on a day that has not come yet here.
    with mock.patch.object(dkim.time, "time", lambda now=time.time(): now + 3 * faketime.DAY):
        proven = dkim.DKIM(raw).verify(dnsfunc=lambda name, timeout=5: keys[name.decode().rstrip(".")].encode())
    want(proven, f"its signature:\n{raw[:1500].decode()}")
    return sender, email.message_from_bytes(raw)


def attached(message, kind):
    (part,) = [part for part in message.walk() if part.get_content_type() == kind]
    return part.get_filename(), part.get_payload(decode=True)


class World:
    def __init__(self):
        dns, self.https, port = free_ports(3)
        self.zone = self.records(port)
        self.server = Later("reports", runtime=RUNTIME, accounts=1, toml=toml(port, dns))
        self.server.clock = faketime.Faketime(self.server.folder)
        folder = self.server.folder
        authority, stranger = Authority(os.path.join(folder, "authority")), Authority(os.path.join(folder, "stranger"))
        self.server.toml = toml(port, dns, f'dane = "resolver_validates"\ntls_authorities = "{authority.pem}"\ntls_reports_from = "{REPORTER}"\n') + f"""
[verify]
loopback = true
[reports]
dmarc = true
organisation = "Home & Sons"
contact = "{REPORTER}"
"""
        self.good, self.plain = Sink("127.0.0.8", port, tls=authority.context("mx.good.test", "mx.other.test")), Sink("127.0.0.9", port)
        hosts = [f"mta-sts.{name}.test" for name in ("good", "testing")]
        self.policies = PolicyHost("127.0.0.7", authority.context("policies.test", *hosts))
        self.policies.policies = {"mta-sts.good.test": policy("enforce", "*.good.test"), "mta-sts.testing.test": policy("testing", "*.good.test")}
        self.receiver = Receiver("127.0.0.7", self.https, authority.context("reports.test"))
        self.stranger = Receiver("127.0.0.10", self.https, stranger.context("stranger.test"))
        self.receiver.answers, self.stranger.answers = {"/tls/v1": [201], "/busy": [503, 200]}, {"/": [200]}
        self.names = names.Names(dns, self.zone, ["dane.test"])

    def records(self, port):
        zone = {("reports.test", A): ["127.0.0.7"], ("stranger.test", A): ["127.0.0.10"]}
        hosts = {"good": "127.0.0.8", "testing": "127.0.0.8", "dane": "127.0.0.8", "open": "127.0.0.9", "silent": "127.0.0.9", "rua": "127.0.0.9"}
        for name, address in hosts.items():
            zone |= {(f"{name}.test", MX): [(10, f"mx.{name}.test")], (f"mx.{name}.test", A): [address]}
        for name in ("good", "testing"):
            zone |= {(f"mta-sts.{name}.test", A): ["127.0.0.7"], (f"_mta-sts.{name}.test", TXT): ["v=STSv1; id=1"]}
        zone["testing.test", MX] = [(10, "mx.other.test")]
        zone["mx.other.test", A] = ["127.0.0.8"]
        zone[f"_{port}._tcp.mx.dane.test", TLSA] = [(3, 1, 1, sha256(b"another key"))]
        self.tlsa = "3 1 1 " + sha256(b"another key").hex()
        base = f"https://reports.test:{self.https}"
        for domain, rua in (("good", f"{base}/tls/v1,mailto:good@rua.test"), ("testing", "mailto:testing@rua.test"), ("dane", "mailto:dane@rua.test"),
                            ("open", f"https://stranger.test:{self.https}/,mailto:open@rua.test")):
            zone[f"_smtp._tls.{domain}.test", TXT] = [f"v=TLSRPTv1; rua={rua}"]
        # Mail from asks.test comes from 127.0.0.1; its reports may go to agrees.test, which says so, and to no other domain.
        zone["asks.test", TXT] = ["v=spf1 ip4:127.0.0.1 -all"]
        zone["_dmarc.asks.test", TXT] = ["v=DMARC1; p=quarantine; rua=mailto:d@asks.test,mailto:d@agrees.test,mailto:d@rua.test"]
        zone["asks.test._report._dmarc.agrees.test", TXT] = ["v=DMARC1"]
        for domain in ("asks.test", "agrees.test"):
            zone[domain, MX] = [(10, "mx.rua.test")]
        return zone

    def close(self):
        if self.server.process is not None:
            self.server.stop()
        for one in (self.good, self.plain, self.policies, self.receiver, self.stranger, self.names):
            one.close()


def keys_of(server):
    """What an operator puts into DNS; the keys sign from then on."""
    server.cli("dkim", "add", HOME)
    server.cli("dkim", "rotate", HOME)
    return {key["name"]: key["record"] for key in json.loads(server.cli("dkim", "dns", HOME, "--json"))}


def a_day(checks, world):
    server = world.server
    with checks.check("a day: mail to domains with and without policies, and mail in the name of one that asks for DMARC reports"):
        server.submit([f"a@{domain}.test" for domain in ("good", "testing", "open", "silent")], mail("of-the-day"))
        server.submit(["a@dane.test"], mail("refused-by-dane"))
        until(lambda: len(world.good.of("of-the-day")) == 2 and len(world.plain.of("of-the-day")) == 2, "the copies")
        until(lambda: server.queue() and server.queue()[0]["state"] == "deferred", "the certificate does not match")
        server.cli("queue", "remove", "--domain", "dane.test")
        for source, count in (("127.0.0.1", 2), ("127.0.0.11", 1)):
            with smtp.Smtp("smtp", source=source) as client:
                client.hello()
                for number in range(count):
                    raw = f"From: <s@asks.test>\r\nTo: <u0@{HOME}>\r\nSubject: {source} {number}\r\nDate: Thu, 26 Nov 2026 10:00:00 +0000\r\n" \
                          f"Message-ID: <{source}-{number}@asks.test>\r\n\r\nx\r\n"
                    client.deliver(raw.encode(), [f"u0@{HOME}"], sender="s@asks.test")


def about_tls(checks, world, day, keys):
    with checks.check("TLS-RPT by HTTPS: one POST, gzip and JSON as RFC 8460 has them, of a session that met an enforced policy"):
        until(lambda: world.receiver.of("/tls/v1"), "a POST", A_LOOK)
        ((headers, body),) = world.receiver.of("/tls/v1")
        want(headers["Content-Type"] == "application/tlsrpt+gzip" and headers["Host"] == f"reports.test:{world.https}", f"{headers}")
        one = tls_report(body, "good.test", day)["sts"]
        want(one["summary"]["total-successful-session-count"] == 1 and not one.get("failure-details"), f"{one}")
        lines = one["policy"]["policy-string"]
        want(lines[0] == "version: STSv1" and "mode: enforce" in lines and one["policy"]["mx-host"] == ["*.good.test"], f"{one}")
    with checks.check("TLS-RPT by mail: signed, with the fields of RFC 8460 section 5.3, and the same report"):
        sender, message = mailed(world.plain, "good@rua.test", keys)
        want(message.get_content_type() == "multipart/report" and message.get_param("report-type") == "tlsrpt", f"{message['Content-Type']}")
        want((message["TLS-Report-Domain"], message["TLS-Report-Submitter"]) == ("good.test", HOME), f"{message}")
        want(re.fullmatch(rf"Report Domain: good.test Submitter: {HOME} Report-ID: <[^<>@]+@{NAME}>", message["Subject"]), message["Subject"])
        want(message["TLS-Required"] == "No" and REPORTER in message["From"], f"{message}")
        name, packed = attached(message, "application/tlsrpt+gzip")
        begin = calendar.timegm(time.strptime(day, "%Y-%m-%d"))
        want(name == f"{HOME}!good.test!{begin}!{begin + faketime.DAY - 1}.json.gz", f"{name}")
        want(packed == world.receiver.of("/tls/v1")[0][1], "another report than the one that was posted")
    with checks.check("TLS-RPT: what a tested policy would refuse, what TLSA records refused, and a host without TLS"):
        one = tls_report(attached(mailed(world.plain, "testing@rua.test", keys)[1], "application/tlsrpt+gzip")[1], "testing.test", day)["sts"]
        (detail,) = one["failure-details"]
        want((detail["result-type"], detail["receiving-mx-hostname"]) == ("validation-failure", "mx.other.test"), f"{one}")
        one = tls_report(attached(mailed(world.plain, "dane@rua.test", keys)[1], "application/tlsrpt+gzip")[1], "dane.test", day)["tlsa"]
        want(one["policy"]["policy-string"] == [world.tlsa] and one["policy"]["mx-host"] == ["mx.dane.test"], f"{one}")
        want({detail["result-type"] for detail in one["failure-details"]} == {"validation-failure"}, f"{one}")
        one = tls_report(attached(mailed(world.plain, "open@rua.test", keys)[1], "application/tlsrpt+gzip")[1], "open.test", day)["no-policy-found"]
        (detail,) = one["failure-details"]
        want((detail["result-type"], detail["receiving-ip"]) == ("starttls-not-supported", "127.0.0.9"), f"{one}")
        want("policy-string" not in one["policy"], f"{one}")
    with checks.check("TLS-RPT: nothing for a server whose certificate nobody vouches for, nor about a domain that has not asked; the log says why"):
        until(lambda: logged(world.server, "a report about TLS was not sent", "stranger.test"), "a line of the log", A_LOOK)
        want(not world.stranger.got and not any(b"silent.test" in raw for *_, raw in world.plain.mails if b"tlsrpt" in raw), "something came")


def about_dmarc(checks, world, day, keys):
    with checks.check("DMARC by mail: signed, from the null sender, to whom the domain names and to whom agrees, and to nobody else"):
        for rcpt in ("d@asks.test", "d@agrees.test"):
            sender, message = mailed(world.plain, rcpt, keys)
            want(sender.startswith("MAIL FROM:<>"), sender)
        want(not any(rcpts == ("RCPT TO:<d@rua.test>",) for _, rcpts, _ in world.plain.mails), "who has not agreed got one")
        want(re.fullmatch(rf"Report Domain: asks.test\s+Submitter: {HOME}\s+Report-ID: <[^<>]+>", message["Subject"]), message["Subject"])
    with checks.check("DMARC: the report is the XML of RFC 9990, and tells each host with what was found and done"):
        name, packed = attached(message, "application/gzip")
        begin, end = re.fullmatch(rf"{HOME}!asks.test!(\d+)!(\d+)\.xml\.gz", name).groups()
        want(time.strftime("%Y-%m-%d", time.gmtime(int(begin))) == day and int(end) - int(begin) == faketime.DAY - 1, name)
        root = xml.fromstring(gzip.decompress(packed))
        found = {row.find(f"{DMARC}row/{DMARC}source_ip").text: row for row in root.findall(f"{DMARC}record")}
        in_order(root, ["version", "report_metadata", "policy_published", "record"])
        in_order(root.find(f"{DMARC}report_metadata"), ["org_name", "email", "extra_contact_info", "report_id", "date_range", "error", "generator"])
        want(texts(root.find(f"{DMARC}report_metadata")) >= {("org_name", "Home & Sons"), ("email", REPORTER)}, f"{texts(root)}")
        want(texts(root.find(f"{DMARC}policy_published")) >= {("domain", "asks.test"), ("p", "quarantine")}, f"{packed}")
        want(set(found) == {"127.0.0.1", "127.0.0.11"}, f"{set(found)}")
        for source, count, disposition, aligned, spf in (("127.0.0.1", "2", "pass", "pass", "pass"), ("127.0.0.11", "1", "quarantine", "fail", "fail")):
            record = found[source]
            in_order(record, ["row", "identifiers", "auth_results"])
            in_order(record.find(f"{DMARC}row"), ["source_ip", "count", "policy_evaluated"])
            in_order(record.find(f"{DMARC}row/{DMARC}policy_evaluated"), ["disposition", "dkim", "spf", "reason"])
            told = texts(record)
            want(told >= {("count", count), ("disposition", disposition), ("spf", aligned), ("dkim", "fail"), ("header_from", "asks.test"),
                          ("envelope_from", "asks.test"), ("domain", "asks.test"), ("scope", "mfrom"), ("result", spf)}, f"{source}: {told}")
    with checks.check("a restart sends no DMARC report again"):
        count = len(world.plain.mails)
        world.server.stop()
        world.server.start()
        # The day after that one, for which there is nothing: what it does then it has done for all days before.
        world.server.submit(["after@rua.test"], mail("after-the-restart"))
        until(lambda: world.plain.of("after-the-restart"), "the copy")
        want(len(world.plain.mails) == count + 1, "more came")


def texts(element):
    return {(one.tag.removeprefix(DMARC), (one.text or "").strip()) for one in element.iter() if (one.text or "").strip()}


def in_order(element, names_of):
    """What stands in an element is among these, in their order."""
    places = [names_of.index(child.tag.removeprefix(DMARC)) for child in element]
    want(places == sorted(places), f"{[child.tag for child in element]}")


def main():
    checks = Checks("reports")
    if faketime.library() is None:
        checks.fail("peers", "not installed: libfaketime")
        checks.finish()
    world = World()
    try:
        # Always noon: midnight must not fall into the day that is reported.
        world.server.clock.go_to(hour=12)
        world.server.start()
        world.server.use()
        keys = keys_of(world.server)
        day = time.strftime("%Y-%m-%d", time.gmtime(world.server.clock.now()))
        a_day(checks, world)
        # Both kinds are due within the first hour of the next day.
        world.server.clock.go_to(hour=1.5)
        about_tls(checks, world, day, keys)
        about_dmarc(checks, world, day, keys)
    finally:
        world.close()
    checks.finish()


if __name__ == "__main__":
    sys.exit(main())
