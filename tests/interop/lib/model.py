"""One account as its only IMAP client knows it: random commands, what each promised, and whether a server still keeps it.

A command that was not answered may have happened or not, but not in part: then two states are possible.
"""
import copy
import re
import zlib

from . import imap, target
from .mailload import GONE
from .report import want

FLAGS = ["\\Seen", "\\Flagged", "\\Answered", "\\Draft", "$crash", "$Forwarded"]
DEFAULTS = ["INBOX", "Drafts", "Sent", "Junk", "Trash"]
NAMES = ["b0", "b1", "b2", "b0/x", "b1/x", "b3"]


def content(ident):
    """The message of that name: its size and bytes follow from it."""
    seed = zlib.crc32(ident.encode())
    lines = b"".join(b"%08x line %d of a message\r\n" % ((seed * (n + 7)) & 0xffffffff, n) for n in range(seed % 90))
    return b"X-Posthouse-Test: " + ident.encode() + b"\r\nSubject: " + ident.encode() + b"\r\n\r\n" + lines


class Box:
    """A mailbox: messages with known uids, and those whose uid nobody was told."""

    def __init__(self, validity=None):
        self.validity, self.known, self.fresh = validity, {}, []


class Account:
    """The model of one account and a session that works in it."""

    def __init__(self, user, rng):
        self.user, self.rng = user, rng
        self.boxes = {name: Box() for name in DEFAULTS}
        # What a command under way would make of it.
        self.maybe = None
        # UIDVALIDITY -> highest UIDNEXT and HIGHESTMODSEQ that were ever shown.
        self.shown = {}
        # UIDVALIDITYs of mailboxes that are gone.
        self.dead = set()
        self.number = self.answered = 0

    # ---- the load ----

    def work(self, stop, prefix):
        """Random commands until the connection breaks or `stop` is set; returns why it ended."""
        try:
            self.conn = imap.login(self.user, timeout=30)
            self.selected = None
            while not stop.is_set():
                self.step(prefix)
            self.conn.logout()
        except GONE as problem:
            return problem
        except imap.imaplib.IMAP4.abort as problem:
            return problem
        return None

    def step(self, prefix):
        names = list(self.boxes)
        full = [name for name in names if self.boxes[name].known]
        choice = self.rng.random()
        if choice < 0.35 or not full:
            self.append(self.rng.choice(names), prefix)
        elif choice < 0.60:
            self.store(self.rng.choice(full))
        elif choice < 0.80:
            self.copy(self.rng.choice(full), self.rng.choice(names))
        elif choice < 0.90:
            self.expunge(self.rng.choice(full))
        else:
            self.folders()

    def ask(self, command, after):
        """Sends one command that would lead to `after`; on OK it has."""
        self.maybe = after
        status, text, lines = imap.raw(self.conn, command)
        if status == "OK":
            self.boxes = after
        self.maybe = None
        self.answered += 1
        return status, text, lines

    def clone(self):
        return copy.deepcopy(self.boxes)

    def append(self, name, prefix):
        self.number += 1
        ident = f"imap-{prefix}-{self.number}"
        flags = frozenset(self.rng.sample(FLAGS, self.rng.randint(0, 3)))
        raw, after = content(ident), self.clone()
        after[name].fresh.append((ident, flags))
        head = f"APPEND {name} ({' '.join(flags)}) {{{len(raw)}+}}\r\n".encode()
        status, text, _ = self.ask(head + raw, after)
        want(status == "OK", f"APPEND: {status} {text}")
        validity, uid = re.search(r"\[APPENDUID (\d+) (\d+)\]", text).groups()
        self.place(after[name], int(validity), [int(uid)])

    def place(self, box, validity, uids):
        """The messages under way have got their uids."""
        want(box.validity in (None, validity), f"UIDVALIDITY {box.validity} has become {validity}")
        box.validity = validity
        for uid, message in zip(uids, box.fresh, strict=True):
            want(uid >= self.shown.get(validity, (1, 0))[0], f"uid {uid} was used before")
            box.known[uid] = message
            self.note(validity, uid + 1, 0)
        box.fresh = []

    def note(self, validity, uid_next, modseq):
        old = self.shown.get(validity, (1, 0))
        self.shown[validity] = (max(old[0], uid_next), max(old[1], modseq))

    def select(self, name):
        if self.selected == name:
            return
        status, text, lines = imap.raw(self.conn, f"SELECT {name}")
        want(status == "OK", f"SELECT {name}: {status} {text}")
        self.selected = name
        validity, uid_next, modseq = codes(lines)
        self.check_shown(name, self.boxes[name], validity, uid_next, modseq)

    def some(self, name):
        uids = sorted(self.boxes[name].known)
        return sorted(self.rng.sample(uids, self.rng.randint(1, min(len(uids), 8))))

    def store(self, name):
        self.select(name)
        uids, mode = self.some(name), self.rng.choice(["+", "-", ""])
        flags = frozenset(self.rng.sample(FLAGS, self.rng.randint(1, 3)))
        after = self.clone()
        for uid in uids:
            ident, old = after[name].known[uid]
            after[name].known[uid] = (ident, old | flags if mode == "+" else old - flags if mode == "-" else flags)
        status, text, _ = self.ask(f"UID STORE {listed(uids)} {mode}FLAGS.SILENT ({' '.join(flags)})", after)
        want(status == "OK", f"STORE: {status} {text}")

    def copy(self, name, to):
        moves = name != to and self.rng.random() < 0.5
        self.select(name)
        uids, after = self.some(name), self.clone()
        for uid in uids:
            after[to].fresh.append(after[name].known[uid])
            if moves:
                del after[name].known[uid]
        verb = "MOVE" if moves else "COPY"
        status, text, lines = self.ask(f"UID {verb} {listed(uids)} {to}", after)
        want(status == "OK", f"{verb}: {status} {text}")
        told = next(re.search(r"\[COPYUID (\d+) (\S+) (\S+)\]", line) for line in [text, *map(bytes.decode, lines)] if "COPYUID" in line)
        want(expanded(told.group(2)) == uids, f"{verb} of {uids}: {told.group(0)}")
        self.place(after[to], int(told.group(1)), expanded(told.group(3)))

    def expunge(self, name):
        self.select(name)
        uids, after = self.some(name), self.clone()
        for uid in uids:
            ident, flags = after[name].known[uid]
            after[name].known[uid] = (ident, flags | {"\\Deleted"})
        self.ask(f"UID STORE {listed(uids)} +FLAGS.SILENT (\\Deleted)", after)
        after = self.clone()
        for uid in uids:
            del after[name].known[uid]
        status, text, _ = self.ask(f"UID EXPUNGE {listed(uids)}", after)
        want(status == "OK", f"UID EXPUNGE: {status} {text}")

    def folders(self):
        """CREATE, DELETE or RENAME; what is selected is left first."""
        if self.selected:
            imap.raw(self.conn, "UNSELECT")
            self.selected = None
        own = [name for name in self.boxes if name not in DEFAULTS]
        name, after, choice = self.rng.choice(NAMES), self.clone(), self.rng.random()
        if choice < 0.5 or not own:
            command, allowed = f"CREATE {name}", name not in self.boxes
            for made in (name.split("/")[0], name):
                after.setdefault(made, Box())
        elif choice < 0.65:
            name = self.rng.choice(own)
            command, allowed = f"DELETE {name}", True
            gone = after.pop(name).validity
        else:
            old = self.rng.choice(own)
            command = f"RENAME {old} {name}"
            moved = {known: name + known[len(old):] for known in own if known == old or known.startswith(old + "/")}
            allowed = name not in self.boxes and not name.startswith(old + "/") and not any(to in self.boxes for to in moved.values())
            if allowed:
                after.setdefault(name.split("/")[0], Box())
                for known, to in moved.items():
                    after[to] = after.pop(known)
        status, text, _ = self.ask(command, after if allowed else self.boxes)
        want((status == "OK") == allowed, f"{command}: {status} {text}")
        if command.startswith("DELETE"):
            self.dead.add(gone or 0)

    # ---- the check ----

    def settle(self, conn):
        """Reads the whole account and holds it against the model; then what was found is the model. Returns the other mails in INBOX."""
        found, others = {}, []
        for line in imap.raw(conn, 'LIST "" *')[2]:
            # A name that only has children is no mailbox.
            if not re.search(rb"\\(?:NonExistent|Noselect)", line, re.I):
                name = line.split(b' "/" ')[1].strip(b'"').decode()
                found[name] = self.read(conn, name, others)
        problems = [self.differs(possible, found) for possible in (self.boxes, self.maybe) if possible is not None]
        want(None in problems, f"{self.user}: {' / or '.join(str(problem) for problem in problems)}")
        for name, (validity, uid_next, modseq, known, _) in found.items():
            self.note(validity, uid_next, modseq)
        self.boxes, self.maybe = {}, None
        for name, (validity, _, _, known, _) in found.items():
            self.boxes[name] = Box(validity)
            self.boxes[name].known = known
        return others, sum(size for *_, size in found.values())

    def read(self, conn, name, others):
        status, text, lines = imap.raw(conn, f'EXAMINE "{name}"')
        want(status == "OK", f"EXAMINE {name}: {status} {text}")
        conn.state = "SELECTED"
        validity, uid_next, modseq = codes(lines)
        known, total = {}, 0
        if any(re.fullmatch(rb"\* 0 EXISTS", line) for line in lines):
            return validity, uid_next, modseq, known, total
        for uid, flags, size, body in imap.bodies(conn):
            want(uid < uid_next, f"{self.user} {name}: uid {uid}, UIDNEXT {uid_next}")
            want(size == len(body), f"{self.user} {name} uid {uid}: RFC822.SIZE {size}, {len(body)} bytes")
            total += size
            ident = re.search(rb"^X-Posthouse-Test: (\S+)\r$", body, re.M).group(1).decode()
            if ident.startswith("imap-"):
                want(body == content(ident), f"{self.user} {name} uid {uid}: {target.difference(content(ident), body)}")
                known[uid] = (ident, frozenset(flag.decode() for flag in flags) - {"\\Recent"})
            else:
                others.append(body)
        return validity, uid_next, modseq, known, total

    def check_shown(self, name, box, validity, uid_next, modseq):
        want(box.validity in (None, validity), f"{self.user} {name}: UIDVALIDITY was {box.validity}, is {validity}")
        want(validity not in self.dead, f"{self.user} {name}: UIDVALIDITY {validity} was a mailbox's that is gone")
        old = self.shown.get(validity, (1, 0))
        want(uid_next >= old[0], f"{self.user} {name}: UIDNEXT was {old[0]}, is {uid_next}")
        want(modseq >= old[1], f"{self.user} {name}: HIGHESTMODSEQ was {old[1]}, is {modseq}")
        box.validity = validity
        self.note(validity, uid_next, modseq)

    def differs(self, boxes, found):
        """None when `found` is what `boxes` says; a reason otherwise."""
        if set(boxes) != set(found):
            return f"mailboxes {sorted(set(boxes) ^ set(found))} too many or missing"
        for name, box in boxes.items():
            validity, uid_next, modseq, known, _ = found[name]
            if box.validity is not None:
                self.check_shown(name, box, validity, uid_next, modseq)
            rest = dict(known)
            for uid, message in box.known.items():
                if rest.pop(uid, None) != message:
                    return f"{name} uid {uid}: {message} expected, {known.get(uid)} found"
            fresh = sorted((ident, sorted(flags)) for ident, flags in box.fresh)
            if sorted((ident, sorted(flags)) for ident, flags in rest.values()) != fresh:
                return f"{name}: {fresh} expected beside what is known, {rest} found"
        return None


def codes(lines):
    """UIDVALIDITY, UIDNEXT and HIGHESTMODSEQ of a SELECT."""
    text = b"\n".join(lines)
    return tuple(int(re.search(rb"\[%s (\d+)\]" % code, text).group(1)) for code in (b"UIDVALIDITY", b"UIDNEXT", b"HIGHESTMODSEQ"))


def listed(uids):
    return ",".join(map(str, uids))


def expanded(text):
    out = []
    for part in text.split(","):
        first, _, last = part.partition(":")
        out += range(int(first), int(last or first) + 1)
    return out
