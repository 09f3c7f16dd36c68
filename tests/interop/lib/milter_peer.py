#!/usr/bin/env python3
"""A milter by Debian's pymilter (libmilter): what it does is asked for in the message. `milter_peer.py PORT` serves until it is ended."""
import sys

import Milter


class Asked(Milter.Base):
    """`X-Ask:` names what is to be done; recipients named no@ and later@ are refused."""

    def __init__(self):
        self.asked, self.from_ip, self.seen_bytes = [], "?", 0

    @Milter.noreply
    def connect(self, name, family, address):
        self.from_ip = address[0] if address else "?"
        return Milter.CONTINUE

    def envfrom(self, sender, *_):
        self.asked, self.seen_bytes = [], 0
        return Milter.REJECT if sender.startswith("<refused@") else Milter.CONTINUE

    def envrcpt(self, to, *_):
        if to.startswith("<later@"):
            return Milter.TEMPFAIL
        if to.startswith("<no@"):
            self.setreply("554", "5.7.9", "not to no")
            return Milter.REJECT
        return Milter.CONTINUE

    def header(self, name, value):
        if name.lower() == "x-ask":
            self.asked.append(value.strip())
        return Milter.CONTINUE

    def eoh(self):
        return Milter.CONTINUE

    def body(self, piece):
        self.seen_bytes += len(piece)
        return Milter.CONTINUE

    def eom(self):
        self.addheader("X-Milter-Saw", f"{self.from_ip}\n\tand {self.seen_bytes} bytes")
        if "reject" in self.asked:
            self.setreply("550", "5.7.1", "as you asked, 100%%")
            return Milter.REJECT
        if "tempfail" in self.asked:
            return Milter.TEMPFAIL
        if "discard" in self.asked:
            return Milter.DISCARD
        if "quarantine" in self.asked:
            self.quarantine("as asked")
        if "recipient" in self.asked:
            self.addrcpt("<bob@home.test>")
        if "change" in self.asked:
            self.chgheader("Subject", 1, "changed by a milter")
            self.chgheader("X-Gone", 1, "")
            self.addheader("X-First", "1", 0)
            self.replacebody("another body\r\n")
        return Milter.ACCEPT


def main():
    Milter.factory = Asked
    # All that there is, as MIMEDefang: libmilter gives up where a server does not let it.
    Milter.set_flags(Milter.ADDHDRS | Milter.CHGHDRS | Milter.CHGBODY | Milter.QUARANTINE | Milter.ADDRCPT | Milter.DELRCPT | Milter.CHGFROM)
    Milter.runmilter("asked", f"inet:{sys.argv[1]}@127.0.0.1", 60)


if __name__ == "__main__":
    main()
