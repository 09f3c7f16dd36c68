#!/usr/bin/env python3
"""Delivers the whole corpus by LMTP and again by SMTP, over many accounts and connections."""
import concurrent.futures
import os
import subprocess
import sys

from lib import smtp, target
from lib.report import Checks, want

CONNECTIONS = 16
LIMIT = int(os.environ.get("PH_MAILS", "6046"))


def worker(protocol, mails, first, accounts):
    refused = []
    with smtp.Smtp(protocol) as client:
        client.hello()
        for number, (ident, raw) in mails:
            rcpt = target.user(first + number % accounts)
            marked = raw.replace(target.MARK, target.MARK + protocol.encode() + b"-", 1)
            try:
                client.deliver(marked, [rcpt])
            except smtp.SmtpError as problem:
                refused.append(f"{ident}: {problem}")
                client.command("RSET")
    return refused


def deliver_all(protocol, name, limit=None, accounts=40):
    mails = list(enumerate(target.corpus(name, limit)))
    shares = [mails[k::CONNECTIONS] for k in range(CONNECTIONS)]
    with concurrent.futures.ThreadPoolExecutor(CONNECTIONS) as pool:
        jobs = [pool.submit(worker, protocol, share, target.FIRST[protocol], accounts) for share in shares if share]
        refused = [line for job in jobs for line in job.result()]
    want(not refused, f"{len(refused)} of {len(mails)} refused, first {refused[:2]}")
    return len(mails)


def main():
    checks = Checks("deliver")
    for protocol in ("lmtp", "smtp"):
        for name, limit in (("spamassassin", LIMIT), ("chinese", None), ("attachments", None)):
            with checks.check(f"{name} by {protocol}, {CONNECTIONS} connections"):
                deliver_all(protocol, name, limit)
    with checks.check("one LMTP mail to ten recipients has ten replies"):
        with smtp.Smtp("lmtp") as client:
            client.hello()
            client.deliver(target.marked("ten", b"Subject: ten\r\n\r\nten\r\n"), [target.user(80 + k) for k in range(10)])
    with checks.check("smtp-source -L, 16 sessions"):
        subprocess.run(["smtp-source", "-L", "-s", "16", "-m", "300", "-l", "5000", "-f", "a@load.test", "-t", target.user(99),
                        f"{target.HOST}:{target.port('lmtp')}"], check=True, timeout=120, stdin=subprocess.DEVNULL)
    checks.finish()


if __name__ == "__main__":
    sys.exit(main())
