"""A name server on loopback for mail routing: MX, A, CNAME, TXT and TLSA from a table, NXDOMAIN for the rest, SERVFAIL on demand.

It says that DNSSEC has proven the names under some domains (the AD bit), to whoever asks with the DO bit.
"""
import socket
import struct
import threading

A, CNAME, MX, TXT, TLSA = 1, 5, 15, 16, 52
NXDOMAIN, SERVFAIL = 3, 2


def encoded(name):
    return b"".join(bytes([len(p)]) + p.encode() for p in name.split(".") if p) + b"\0"


def record(owner, kind, data):
    return encoded(owner) + struct.pack(">HHIH", kind, 1, 5, len(data)) + data


class Names:
    """`zone` maps (name, type) to a list of values, or to SERVFAIL. MX values are (preference, host), TLSA's are (usage, selector, matching, bytes).
    `secure` are domains that are proven, with all below them."""

    def __init__(self, port, zone, secure=()):
        self.zone, self.secure = zone, secure
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(("127.0.0.1", port))
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while True:
            try:
                query, peer = self.sock.recvfrom(4096)
            except OSError:
                return
            try:
                self.sock.sendto(self.answer(query), peer)
            except (OSError, IndexError, UnicodeDecodeError):
                continue

    def answer(self, query):
        at, labels = 12, []
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode().lower())
            at += 1 + query[at]
        name, kind = ".".join(labels), struct.unpack(">H", query[at + 1:at + 3])[0]
        code, records = self.look_up(name, kind)
        # The DO bit leads the flags of an OPT record, which is all that follows the question.
        wants = len(query) >= at + 16 and query[at + 12] & 0x80
        proven = 0x20 if wants and self.is_secure(name) else 0
        head = query[:2] + struct.pack(">BBHHHH", 0x81, 0x80 | proven | code, 1, len(records), 0, 0)
        return head + query[12:at + 5] + b"".join(records)

    def is_secure(self, name):
        names = [name] + self.zone.get((name, CNAME), [])
        return all(any(one == domain or one.endswith("." + domain) for domain in self.secure) for one in names)

    def look_up(self, name, kind):
        alias = self.zone.get((name, CNAME))
        if alias and kind != CNAME:
            code, records = self.look_up(alias[0], kind)
            return code, [record(name, CNAME, encoded(alias[0]))] + records
        values = self.zone.get((name, kind))
        if values == SERVFAIL:
            return SERVFAIL, []
        if values is None:
            return (0 if any(known == name for known, _ in self.zone) else NXDOMAIN), []
        if kind == MX:
            return 0, [record(name, MX, struct.pack(">H", p) + encoded(host)) for p, host in values]
        if kind == TXT:
            return 0, [record(name, TXT, bytes([len(value)]) + value.encode()) for value in values]
        if kind == TLSA:
            return 0, [record(name, TLSA, bytes(value[:3]) + value[3]) for value in values]
        return 0, [record(name, kind, socket.inet_aton(value)) for value in values]

    def close(self):
        self.sock.close()
