"""imaplib with what the checks need: raw commands, byte-exact bodies, waiting for IDLE."""
import imaplib
import re

from . import target
from .smtp import insecure_tls

imaplib._MAXLINE = 50_000_000


def connect(tls=False, timeout=60):
    if tls:
        return imaplib.IMAP4_SSL(target.HOST, target.port("imaps"), ssl_context=insecure_tls(), timeout=timeout)
    return imaplib.IMAP4(target.HOST, target.port("imap"), timeout=timeout)


def login(user, tls=False, mailbox=None, timeout=60):
    conn = connect(tls, timeout)
    ok(conn.login(user, target.PASSWORD))
    if mailbox:
        ok(conn.select(mailbox))
    return conn


def ok(answer):
    """The data of an OK answer; anything else is an error."""
    kind, data = answer
    if kind != "OK":
        raise RuntimeError(f"{kind} {data}")
    return data


def raw(conn, text):
    """Sends one command as it is; returns (status, final text, untagged lines)."""
    tag = conn._new_tag().decode()
    conn.send(tag.encode() + b" " + (text if isinstance(text, bytes) else text.encode()) + b"\r\n")
    return read_until(conn, tag)


def read_until(conn, tag):
    lines = []
    while True:
        line = read_line(conn)
        if line.startswith(tag.encode() + b" "):
            status, _, text = line[len(tag) + 1:].partition(b" ")
            return status.decode(), text.decode("utf-8", "replace"), lines
        lines.append(line)


def read_line(conn):
    """One answer line with its literals put in place."""
    line = conn.readline()
    while True:
        if not line.endswith(b"\r\n"):
            raise ConnectionError(f"closed in the middle of {line[:80]!r}")
        literal = re.search(rb"\{(\d+)\}\r\n$", line)
        if not literal:
            return line[:-2]
        line += conn.read(int(literal.group(1))) + conn.readline()


def bodies(conn, numbers="1:*", uid=False):
    """(uid, flags, size, body) of each message, in order. Bodies are exact."""
    kind, data = (conn.uid("FETCH", numbers, "(UID FLAGS RFC822.SIZE BODY.PEEK[])") if uid
                  else conn.fetch(numbers, "(UID FLAGS RFC822.SIZE BODY.PEEK[])"))
    ok((kind, data))
    for part in data:
        if isinstance(part, tuple):
            head, body = part
            number = int(re.search(rb"UID (\d+)", head).group(1))
            flags = re.search(rb"FLAGS \(([^)]*)\)", head).group(1).split()
            size = int(re.search(rb"RFC822.SIZE (\d+)", head).group(1))
            yield number, flags, size, body


def capabilities(conn):
    return set(b" ".join(ok(conn.capability())).decode().upper().split())


def by_subject(user, mailbox="INBOX"):
    """Flags but \\Recent by subject, as the server has it; `None` when the mailbox does not exist."""
    conn = login(user)
    try:
        if conn.select(f'"{mailbox}"', readonly=True)[0] != "OK":
            return None
        some = bodies(conn) if ok(conn.search(None, "ALL"))[0] else []
        return {re.search(rb"Subject: (.*)\r\n", body).group(1).decode(): {flag.decode() for flag in flags} - {"\\Recent"} for _, flags, _, body in some}
    finally:
        conn.logout()
