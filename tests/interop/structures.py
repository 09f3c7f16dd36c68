#!/usr/bin/env python3
"""The same mails in Posthouse and in Debian's Dovecot: what FETCH says of their envelopes, structures and sections, and what SEARCH and SORT
find, must be the same but for what docs/imap-differences.md lists."""
import collections
import os
import re
import sys

from lib import imap, target
from lib.peers import Peers
from lib.report import Checks, want
from lib.servers import Posthouse

LIMIT = int(os.environ.get("PH_MAILS", "6046"))
SETS = (("spamassassin", LIMIT), ("chinese", None), ("attachments", None), ("hostile", None))
ITEMS = ("RFC822.SIZE", "ENVELOPE", "BODYSTRUCTURE", "BODY")
SECTIONS = (
    "BODY.PEEK[HEADER.FIELDS (Subject From To Received)]", "BODY.PEEK[HEADER.FIELDS.NOT (Received)]", "BODY.PEEK[1]", "BODY.PEEK[1.MIME]",
    "BODY.PEEK[2]<3.40>", "BODY.PEEK[2.HEADER]", "BODY.PEEK[2.1]", "BODY.PEEK[1.1.MIME]", "BODY.PEEK[TEXT]<0.90>", "BINARY.PEEK[1]",
    "BODY.PEEK[HEADER]",
)
SEARCHES = (
    "SUBJECT re", "FROM yahoo", "TO example", "CC list", "SENTBEFORE 1-Sep-2002", "SENTSINCE 1-Sep-2002", "SENTON 9-Sep-2002", "LARGER 10000",
    "SMALLER 2000", "HEADER X-Mailer Outlook", "HEADER List-Id \"\"", "BODY viagra", "TEXT unsubscribe", "OR SUBJECT spam BODY money",
    "NOT HEADER Received \"\"", "TEXT \"=?\"", "BODY \"click here\"",
)
SORTS = ("SUBJECT", "FROM", "TO", "CC", "DATE", "SIZE", "REVERSE DATE", "DISPLAYFROM", "DISPLAYTO")


def tokens(line, at=0):
    """One parenthesised list as nested Python lists; strings are bytes whatever their form, atoms str."""
    out = []
    while at < len(line):
        byte = line[at:at + 1]
        if byte == b"(":
            inner, at = tokens(line, at + 1)
            out.append(inner)
        elif byte == b")":
            return out, at + 1
        elif byte == b'"':
            value, at = bytearray(), at + 1
            while line[at:at + 1] != b'"':
                at += line[at:at + 1] == b"\\"
                value += line[at:at + 1]
                at += 1
            out.append(bytes(value))
            at += 1
        elif byte in (b"{", b"~"):
            at += byte == b"~"
            end = line.index(b"}\r\n", at)
            size = int(line[at + 1:end])
            out.append(line[end + 3:end + 3 + size])
            at = end + 3 + size
        elif byte == b" ":
            at += 1
        else:
            end = at
            depth = 0
            while end < len(line) and (depth or line[end:end + 1] not in (b" ", b"(", b")")):
                depth += (line[end:end + 1] == b"[") - (line[end:end + 1] == b"]")
                end += 1
            out.append(line[at:end].decode("latin-1"))
            at = end
    return out, at


def fetched(conn, items):
    """{message number: {item: value}}; a message with an item that failed alone is asked again by the caller."""
    status, text, lines = imap.raw(conn, f"FETCH 1:* ({' '.join(items)})")
    out = {}
    for line in lines:
        if b" FETCH (" not in line[:30]:
            continue
        values, _ = tokens(line, line.index(b"(") + 1)
        # Dovecot writes the field names of a section in capitals.
        out[int(line.split(b" ")[1])] = {name.upper(): value for name, value in zip(values[::2], values[1::2])}
    return status, text, out


def fill(server):
    conn = imap.login(target.user(0))
    for name, limit in SETS:
        for _, raw in target.corpus(name, limit):
            imap.ok(conn.append("INBOX", None, '"01-Jan-2020 00:00:00 +0000"', raw.replace(b"\x00", b"")))
    imap.ok(conn.select("INBOX"))
    return conn


def connect(server):
    os.environ.update(server.env())
    target.HOST = "127.0.0.1"
    return fill(server)


def plain(value):
    """Dovecot writes text/plain in us-ascii in small letters."""
    if not isinstance(value, list):
        return value
    if len(value) > 2 and str(value[:2]).lower() == "[b'text', b'plain']" and str(value[2]).lower() == "[b'charset', b'us-ascii']":
        value = [b"text", b"plain", [b"charset", b"us-ascii"]] + [v.lower() if isinstance(v, bytes) else v for v in value[3:]]
    return [plain(v) for v in value]


def same(item, ident, mine, other):
    """Whether two answers are the same but for what docs/imap-differences.md lists."""
    if plain(mine) == plain(other):
        return True
    if item == "UID":
        return True
    if item.startswith(("BODY[", "BINARY[")) and (mine == "NIL" or ident.startswith("hostile")):
        # No such part: empty there; a part of a leaf: the leaf itself there.
        return mine == "NIL" and (other == b"" or ".1" in item) or ident.startswith("hostile") and mine.endswith(b"\r\n\r\n")
    if item == "ENVELOPE" and ident.startswith("hostile"):
        return len(str(mine)) > 100_000 and str(other).startswith(str(mine)[:50_000])
    if item.startswith("BINARY["):
        # Of what holds parts Dovecot makes another text.
        return b"Content-Transfer-Encoding: binary" in other
    # Media types that are none, such as a/a/a/a.
    return item in ("BODY", "BODYSTRUCTURE") and ident in ("hostile-00017", "spamassassin-04853")


def dated(raw):
    """Whether the date is written as RFC 5322 has it."""
    return re.search(rb"^Date: *(\w{3}, *)?\d{1,2} \w{3} \d{4} \d\d:\d\d(:\d\d)? [+-]\d{4}\b", raw, re.M) is not None


def clear(raw):
    """Whether sender, recipients and subject are in ASCII, no name in them is empty, and the date is one."""
    if not dated(raw):
        return False
    header = raw.partition(b"\r\n\r\n")[0]
    fields = re.findall(rb"^(?:Subject|From|To|Cc):[^\r]*(?:\r\n[ \t][^\r]*)*", header, re.M | re.I)
    return not any(re.search(rb'[\x80-\xff]|=\?|""|" +"|\(\)', field) for field in fields)


def main():
    checks = Checks("structures")
    idents = [ident for name, limit in SETS for ident, _ in target.corpus(name, limit)]
    with Posthouse("structures", runtime=os.environ.get("PH_RUNTIME", "auto"), accounts=1) as ours, Peers("structures", accounts=1) as theirs:
        a, b = connect(ours), connect(theirs)
        verbose = int(os.environ.get("PH_SHOW", "3"))

        def compare(name, items):
            with checks.check(name):
                mine, other = fetched(a, items), fetched(b, items)
                want(len(mine[2]) == len(idents), f"{len(mine[2])} of {len(idents)}: {mine[:2]}")
                # At the first part that it cannot decode, Dovecot ends FETCH BINARY.
                want(len(other[2]) == len(idents) or name.startswith("BINARY"), f"{len(other[2])} answered there")
                different = collections.Counter()
                for number in sorted(other[2]):
                    for item in other[2][number]:
                        x, y = mine[2].get(number, {}).get(item), other[2][number][item]
                        if not same(item, idents[number - 1], x, y):
                            different[item] += 1
                            if different[item] <= verbose:
                                print(f"    {idents[number - 1]} {item}\n      ours   {str(x)[:700]}\n      theirs {str(y)[:700]}")
                want(not different, f"{dict(different)} differ")

        for item in ITEMS:
            compare(item, (item,))
        for item in SECTIONS:
            compare(item, (item,))
        with checks.check("BINARY.SIZE is the size of BINARY"):
            sizes, parts = [fetched(a, (item,))[2] for item in ("BINARY.SIZE[1]", "BINARY.PEEK[1]")]
            wrong = [n for n in parts if "BINARY[1]" in parts[n] and parts[n]["BINARY[1]"] != "NIL" and int(sizes[n]["BINARY.SIZE[1]"]) != len(parts[n]["BINARY[1]"])]
            want(len(parts) > 100 and not wrong, f"{[idents[n - 1] for n in wrong[:5]]}")
        for keys in SEARCHES:
            with checks.check(f"SEARCH {keys}"):
                found = [imap.raw(conn, f"SEARCH {keys}")[2][-1] for conn in (a, b)]
                mine, other = [set(line.split()[2:]) for line in found]
                names = lambda numbers: [idents[int(n) - 1] for n in sorted(numbers)][:5]  # noqa: E731
                if keys.startswith("SENTBEFORE"):
                    # There, mails without a date are older than all others.
                    other &= set(imap.raw(a, "SEARCH SENTSINCE 1-Jan-1900")[2][0].split()[2:])
                want(mine == other, f"{len(mine)} and {len(other)} found; only ours {names(mine - other)}, only theirs {names(other - mine)}")
        # What is in raw 8-bit bytes or has empty names stands elsewhere; all others must keep their order.
        raws = [raw for name, limit in SETS for _, raw in target.corpus(name, limit)]
        ordered = {str(n).encode() for n, raw in enumerate(raws, 1) if clear(raw)}
        for criteria in SORTS:
            with checks.check(f"SORT {criteria}"):
                mine, other = [imap.raw(conn, f"SORT ({criteria}) UTF-8 ALL")[2][-1].split()[2:] for conn in (a, b)]
                first = next((i for i, (x, y) in enumerate(zip(mine, other)) if x != y), None)
                mine, other = [[n for n in order if n in ordered] for order in (mine, other)]
                moved = sum(x != y for x, y in zip(mine, other))
                want(mine == other, f"{moved} of {len(mine)} elsewhere, first at {first}: ours {idents[int(mine[first or 0]) - 1]}, "
                     f"theirs {idents[int(other[first or 0]) - 1]}")
        for algorithm in ("REFERENCES", "REFS", "ORDEREDSUBJECT"):
            with checks.check(f"THREAD {algorithm}"):
                mine, other = [imap.raw(conn, f"THREAD {algorithm} UTF-8 ALL")[2][-1][9:] for conn in (a, b)]
                undated = {n for n, raw in enumerate(raws, 1) if not dated(raw)}
                kept = lambda thread: not undated & {int(n) for n in re.findall(r"\d+", str(thread))}  # noqa: E731
                split = lambda text: [str(thread) for thread in tokens(text)[0] if kept(thread)]  # noqa: E731
                x, y = split(mine), split(other)
                only = [t for t in x if t not in set(y)]
                theirs_only = [t for t in y if t not in set(x)]
                want(not only and not theirs_only, f"{len(only)} of {len(x)} threads differ: {only[:4]} / {theirs_only[:4]}")
                # There, the threads of REFS stand in the order of their newest Date.
                want(sorted(x) == sorted(y) if algorithm == "REFS" else x == y, "the same threads in another order")
    checks.finish()


if __name__ == "__main__":
    sys.exit(main())
