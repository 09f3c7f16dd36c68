"""The running server as the environment describes it, and the mails to send to it."""
import os
import re

from . import paths

HOST = os.environ.get("PH_HOST", "127.0.0.1")
DOMAIN = os.environ.get("PH_DOMAIN", "bench.test")
PASSWORD = os.environ.get("PH_PASSWORD", "bench-secret")
ACCOUNTS = int(os.environ.get("PH_ACCOUNTS", "104"))
SERVER = os.environ.get("PH_SERVER", "posthouse")
FOLDER = os.environ.get("PH_FOLDER", "/tmp")
PID = int(os.environ.get("PH_PID", "0"))
IS_POSTHOUSE = SERVER == "posthouse"


def port(protocol):
    return int(os.environ[f"PH_{protocol.upper()}_PORT"])


def user(number):
    return f"u{number % ACCOUNTS}@{DOMAIN}"


# Each script works in accounts of its own, so that one's mails never disturb another's counts.
FIRST = {"lmtp": 0, "smtp": 50, "imap": 90, "node": 92, "pop3": 94, "curl": 95, "submit": 96, "bad": 97, "slow": 98, "client": 100, "sync": 101, "scram": 103, "share": 42, "getmail": 45, "alpine": 47, "thunderbird": 48, "notify": 40, "msmtp": 49}


def account(script, offset=0):
    return user(FIRST[script] + offset)


MARK = b"X-Posthouse-Test: "


def marked(ident, raw):
    """A mail with its mark as the first header: what stands before it on the way back is trace."""
    return MARK + ident.encode() + b"\r\n" + raw


def corpus(name="spamassassin", limit=None):
    """(ident, marked mail) of one set, in order."""
    folder = os.path.join(paths.CORPUS, name)
    for file_name in sorted(n for n in os.listdir(folder) if n.endswith(".eml"))[:limit]:
        with open(os.path.join(folder, file_name), "rb") as file:
            ident = f"{name}-{file_name[:-4]}"
            yield ident, marked(ident, file.read())


TRACE = re.compile(rb"(?:(?:Return-Path|Delivered-To|X-Posthouse-Passed|Received|X-Original-To|X-TUID)[ \t]*:[^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*)*", re.I)


def split_trace(stored):
    """(ident, trace headers, the rest from the mark on); raises when anything else comes first."""
    end = TRACE.match(stored).end()
    if not stored.startswith(MARK, end):
        raise ValueError(f"after the trace headers comes {stored[end:end + 80]!r}")
    line_end = stored.index(b"\r\n", end)
    return stored[end + len(MARK):line_end].decode(), stored[:end], stored[end:]


PATH = re.compile(rb"^Return-Path[ \t]*:[^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*", re.I | re.M)


def without_path(mail):
    """What a mail host may make of a mail that has a Return-Path already (RFC 5321 section 4.4)."""
    head, blank, body = mail.partition(b"\r\n\r\n")
    return PATH.sub(b"", head + b"\r\n")[:-2] + blank + body


def difference(sent, got):
    """Where two mails differ, for a person."""
    at = next((i for i, (a, b) in enumerate(zip(sent, got)) if a != b), min(len(sent), len(got)))
    return f"byte {at} of {len(sent)}/{len(got)}: sent {sent[max(0, at - 20):at + 30]!r}, got {got[max(0, at - 20):at + 30]!r}"
