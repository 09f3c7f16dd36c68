#!/usr/bin/env python3
"""A greylisting milter by Debian's pymilter, with pymilter's own list: `greylist_peer.py PORT DATABASE` serves until it is ended.

A recipient is put off until the same host, sender and recipient come again, five seconds later at the earliest.
"""
import sys

import Milter
from Milter.greysql import Greylist

DATABASE = sys.argv[2]


class Grey(Milter.Base):
    def __init__(self):
        self.host, self.sender = "?", ""

    @Milter.noreply
    def connect(self, name, family, address):
        self.host = address[0] if address else "?"
        return Milter.CONTINUE

    def envfrom(self, sender, *_):
        self.sender = sender
        return Milter.CONTINUE

    def envrcpt(self, to, *_):
        # SQLite's connections stay on their threads, and libmilter has many.
        known = Greylist(DATABASE, grey_time=0)
        try:
            if known.check(self.host, self.sender, to):
                return Milter.CONTINUE
        finally:
            known.close()
        self.setreply("451", "4.7.1", "Greylisted, please come again in 5 seconds")
        return Milter.TEMPFAIL


def main():
    Milter.factory = Grey
    Milter.set_flags(0)
    Milter.runmilter("grey", f"inet:{sys.argv[1]}@127.0.0.1", 60)


if __name__ == "__main__":
    main()
