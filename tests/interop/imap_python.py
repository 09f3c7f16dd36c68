#!/usr/bin/env python3
"""IMAP4rev1 and its extensions through Python's imaplib and raw commands."""
import re
import sys

from lib import imap, smtp, target
from lib.imap import ok, raw
from lib.report import Checks, want

USER = target.account("imap")
OTHER = target.account("imap", 1)
MAIL = b"From: \"A, B\" <a@x.test>\r\nTo: c@y.test\r\nSubject: needle in hay\r\nDate: Mon, 06 Jan 2025 10:00:00 +0000\r\nMessage-ID: <one@x.test>\r\n\r\nfirst line\r\nsecond haystack\r\n"
MIXED = (b"From: m@x.test\r\nSubject: =?utf-8?B?6am/56uZ?=\r\nMessage-ID: <two@x.test>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=bb\r\n\r\n"
         b"preamble\r\n--bb\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nhello\r\n--bb\r\nContent-Type: message/rfc822\r\n\r\n" + MAIL
         + b"\r\n--bb\r\nContent-Type: application/octet-stream; name=\"f.bin\"\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename=\"f.bin\"\r\n\r\nAAEC\r\n--bb--\r\n")


def done(answer, status="OK"):
    """The untagged lines of a raw command that must end with `status`."""
    got, text, lines = answer
    want(got == status, f"wanted {status}, got {got} {text}")
    return lines


def has(lines, pattern):
    return any(re.search(pattern, line, re.I | re.S) for line in lines)


def session(checks):
    with checks.check("greeting, CAPABILITY, LOGIN, NOOP, LOGOUT"):
        conn = imap.connect()
        want("IMAP4REV1" in imap.capabilities(conn), "no IMAP4rev1")
        conn.login(USER, target.PASSWORD)
        ok(conn.noop())
        caps = imap.capabilities(conn)
        lacking = {"IDLE", "UIDPLUS", "MOVE", "LITERAL+", "ID", "ENABLE", "UNSELECT", "NAMESPACE", "QUOTA", "CONDSTORE"} - caps
        want(not lacking, f"not offered: {sorted(lacking)}")
        conn.logout()
    with checks.check("a wrong password is NO and the connection lives on"):
        conn = imap.connect()
        want(raw(conn, f"LOGIN {USER} wrong")[0] == "NO", "no NO")
        conn.login(USER, target.PASSWORD)
        conn.logout()
    with checks.check("AUTHENTICATE PLAIN with initial response, and without"):
        import base64
        token = base64.b64encode(f"\0{USER}\0{target.PASSWORD}".encode()).decode()
        conn = imap.connect()
        done(raw(conn, f"AUTHENTICATE PLAIN {token}"))
        conn.send(b"x LOGOUT\r\n")
        conn = imap.connect()
        ok(conn.authenticate("PLAIN", lambda _: f"\0{USER}\0{target.PASSWORD}".encode()))
        conn.logout()
    with checks.check("implicit TLS and STARTTLS"):
        imap.login(USER, tls=True).logout()
        conn = imap.connect()
        ok(conn.starttls(smtp.insecure_tls()))
        conn.login(USER, target.PASSWORD)
        conn.logout()


def mailboxes(checks, conn):
    with checks.check("CREATE with children, LIST, LSUB, SUBSCRIBE, RENAME, DELETE"):
        sep = re.search(rb'"(.)" ', ok(conn.list('""', '""'))[0]).group(1).decode()
        for name in ("Work", f"Work{sep}2025", f"Work{sep}2025{sep}Q1"):
            done(raw(conn, f'CREATE "{name}"'))
        lines = done(raw(conn, f'LIST "" "Work{sep}%"'))
        want(has(lines, rb'Work.2025"?$') and not has(lines, rb"Q1"), f"% gives {lines}")
        want(has(done(raw(conn, 'LIST "" "Work*"')), rb"Q1"), "* lacks the grandchild")
        done(raw(conn, f'SUBSCRIBE "Work{sep}2025"'))
        want(has(done(raw(conn, 'LSUB "" "*"')), rb"Work.2025"), "LSUB lacks it")
        done(raw(conn, f'RENAME "Work" "Job"'))
        lines = done(raw(conn, 'LIST "" "*"'))
        want(has(lines, rb"Job.2025.Q1") and not has(lines, rb"Work"), f"RENAME took no children along: {lines}")
        for name in (f"Job{sep}2025{sep}Q1", f"Job{sep}2025", "Job"):
            done(raw(conn, f'DELETE "{name}"'))
        done(raw(conn, f'UNSUBSCRIBE "Work{sep}2025"'))
        raw(conn, 'DELETE "Job"')
        done(raw(conn, 'SELECT "Job"'), "NO")
        done(raw(conn, "CREATE INBOX"), "NO")
    with checks.check("mailbox names in modified UTF-7"):
        done(raw(conn, 'CREATE "&mX9zZQ-"'))
        want(has(done(raw(conn, 'LIST "" "*"')), rb"&mX9zZQ-"), "not listed as it was made")
        done(raw(conn, 'DELETE "&mX9zZQ-"'))
    with checks.check("NAMESPACE, ID, STATUS"):
        want(has(done(raw(conn, "NAMESPACE")), rb"^\* NAMESPACE \(\("), "no personal namespace")
        done(raw(conn, 'ID ("name" "test")'))
        lines = done(raw(conn, "STATUS INBOX (MESSAGES UIDNEXT UIDVALIDITY UNSEEN RECENT)"))
        want(has(lines, rb"MESSAGES \d+.*UIDVALIDITY [1-9]"), str(lines))
    with checks.check("GETQUOTAROOT and GETQUOTA"):
        lines = done(raw(conn, "GETQUOTAROOT INBOX"))
        want(has(lines, rb"^\* QUOTA .*\(STORAGE \d+ 1048576\)"), str(lines))


def appended(conn, mail, flags="()", box="Test"):
    done(raw(conn, f'CREATE "{box}"')) if raw(conn, f'STATUS "{box}" (MESSAGES)')[0] != "OK" else None
    conn.send(f'ap APPEND "{box}" {flags} "01-Feb-2025 03:04:05 +0800" {{{len(mail)}+}}\r\n'.encode() + mail + b"\r\n")
    status, text, _ = imap.read_until(conn, "ap")
    want(status == "OK", f"APPEND: {status} {text}")
    found = re.search(r"\[APPENDUID (\d+) (\d+)\]", text)
    want(found, f"no APPENDUID: {text}")
    return int(found.group(2))


def fetching(checks, conn):
    with checks.check("APPEND with flags and date, LITERAL+, APPENDUID; FETCH gives all back"):
        uid = appended(conn, MAIL, r"(\Seen \Flagged $Key)")
        conn.select("Test")
        (line,) = done(raw(conn, f"UID FETCH {uid} (UID FLAGS INTERNALDATE RFC822.SIZE)"))
        want(has([line], rb"\\Seen") and has([line], rb"\\Flagged") and has([line], rb"\$Key"), f"flags: {line}")
        want(b"RFC822.SIZE %d" % len(MAIL) in line, f"size: {line}")
        date = re.search(rb'INTERNALDATE "([^"]+)"', line).group(1)
        import imaplib
        import time
        want(time.mktime(imaplib.Internaldate2tuple(b'INTERNALDATE "' + date + b'"')) == 1738350245, f"date: {date}")
    with checks.check("FETCH ENVELOPE, BODY, BODYSTRUCTURE"):
        two = appended(conn, MIXED)
        ok(conn.noop())
        (line,) = done(raw(conn, f"UID FETCH {uid} ENVELOPE"))
        want(rb'"needle in hay" (("A, B" NIL "a" "x.test"))' in line and b'"<one@x.test>"' in line, str(line))
        (line,) = done(raw(conn, f"UID FETCH {two} BODYSTRUCTURE"))
        want(has([line], rb'"text" "plain".*"message" "rfc822".*"application" "octet-stream".*"mixed"'), str(line))
        want(has([line], rb'"attachment" \("filename" "f.bin"\)'), str(line))
        (line,) = done(raw(conn, f"UID FETCH {two} BODY"))
        want(b"attachment" not in line, f"BODY with extension data: {line}")
    with checks.check("FETCH sections: HEADER, TEXT, fields, parts, MIME, partials"):
        for item, text in (("BODY.PEEK[]", MAIL), ("BODY.PEEK[HEADER]", MAIL[:MAIL.index(b"\r\n\r\n") + 4]), ("BODY.PEEK[TEXT]", MAIL[MAIL.index(b"\r\n\r\n") + 4:]),
                           ("RFC822.HEADER", MAIL[:MAIL.index(b"\r\n\r\n") + 4]), ("BODY.PEEK[]<5.10>", MAIL[5:15]),
                           ("BODY.PEEK[HEADER.FIELDS (SUBJECT)]", b"Subject: needle in hay\r\n\r\n"), ("BODY.PEEK[1]", MAIL[MAIL.index(b"\r\n\r\n") + 4:])):
            (line,) = done(raw(conn, f"UID FETCH {uid} {item}"))
            got = literal(line)
            want(got == text, f"{item}: {got!r}")
        for item, text in (("BODY.PEEK[1]", b"hello"), ("BODY.PEEK[1.MIME]", b"Content-Type: text/plain; charset=utf-8\r\n\r\n"), ("BODY.PEEK[2]", MAIL),
                           ("BODY.PEEK[2.HEADER]", MAIL[:MAIL.index(b"\r\n\r\n") + 4]), ("BODY.PEEK[2.1]", MAIL[MAIL.index(b"\r\n\r\n") + 4:]), ("BODY.PEEK[3]", b"AAEC")):
            (line,) = done(raw(conn, f"UID FETCH {two} {item}"))
            got = literal(line)
            want(got == text, f"{item}: {got!r}")
    with checks.check("BODY[] sets \\Seen, BODY.PEEK[] does not"):
        lines = done(raw(conn, f"UID FETCH {two} (FLAGS BODY.PEEK[TEXT])"))
        want(not has(lines, rb"\\Seen"), "PEEK set it")
        lines = done(raw(conn, f"UID FETCH {two} BODY[TEXT]")) + done(raw(conn, f"UID FETCH {two} FLAGS"))
        want(has(lines, rb"\\Seen"), "not set")
    return uid, two


def literal(line):
    """The value of the one literal or quoted string that ends a FETCH answer."""
    found = re.search(rb"\{(\d+)\}\r\n", line)
    if found:
        return line[found.end():found.end() + int(found.group(1))]
    return re.search(rb'"((?:[^"\\]|\\.)*)"', line[line.rindex(b"]") if b"]" in line else 0:]).group(1)


def searching(checks, conn, uid, two):
    with checks.check("SEARCH keys"):
        for keys, answer in (("ALL", {uid, two}), ("SUBJECT needle", {uid}), ("NOT SUBJECT needle", {two}), ("BODY haystack", {uid, two}),
                             ("FROM x.test", {uid, two}), ("HEADER Message-ID one@x.test", {uid}), ("FLAGGED", {uid}), ("UNFLAGGED", {two}),
                             ("KEYWORD $Key", {uid}), ("OR FLAGGED SUBJECT zzz", {uid}), ("SMALLER 400", {uid}), ("LARGER 400", {two}),
                             ("SENTON 6-Jan-2025", {uid}), ("SENTSINCE 7-Jan-2025", set()), ("ON 1-Feb-2025", None), (f"UID {two}", {two}),
                             ("(SEEN FLAGGED)", {uid}), ("TEXT \"first line\"", {uid, two}), ("DELETED", set())):
            (line,) = [one for one in done(raw(conn, f"UID SEARCH {keys}")) if one.startswith(b"* SEARCH")]
            got = {int(n) for n in line.split()[2:]}
            want(answer is None or got == answer, f"{keys}: {got}, wanted {answer}")
    with checks.check("SEARCH CHARSET UTF-8 with a literal finds an encoded word"):
        conn.send("se UID SEARCH CHARSET UTF-8 SUBJECT {6+}\r\n驿站\r\n".encode())
        status, text, lines = imap.read_until(conn, "se")
        want(status == "OK" and has(lines, rb"SEARCH %d" % two), f"{status} {text} {lines}")
        status, text, _ = raw(conn, "SEARCH CHARSET X-NOPE TEXT a")
        want(status == "NO" and "BADCHARSET" in text, f"{status} {text}")


def many(checks, conn, two):
    """What few servers have yet; the peers are not asked."""
    caps = imap.capabilities(conn)
    if "MULTISEARCH" not in caps:
        return
    with checks.check("ESEARCH through all mailboxes, UIDBATCHES, SAVELIMIT"):
        lines = done(raw(conn, "ESEARCH IN (personal) RETURN (COUNT) SUBJECT needle"))
        want(has(lines, rb'^\* ESEARCH \(TAG "[^"]+" MAILBOX "?Test"? UIDVALIDITY \d+\) UID COUNT 1$'), str(lines))
        want(has(done(raw(conn, "UIDBATCHES 500")), rb'^\* UIDBATCHES \(TAG "[^"]+"\) %d:1$' % two), "no batch")
        want(any(cap.startswith("SAVELIMIT=") for cap in caps), "no SAVELIMIT")
    with checks.check("URLAUTH: another member reads what a URL is of, until it is taken back"):
        user = USER.replace("@", "%40")
        url = f"imap://{user}@{target.HOST}/Test/;UID={two}/;SECTION=1;EXPIRE=2999-01-01T00:00:00Z;URLAUTH=authuser"
        (line,) = done(raw(conn, f'GENURLAUTH "{url}" INTERNAL'))
        full = re.search(rb'GENURLAUTH "([^"]+)"', line).group(1).decode()
        other = imap.login(OTHER)
        (line,) = done(raw(other, f'URLFETCH "{full}"'))
        want(literal(line) == b"hello", str(line))
        done(raw(conn, "RESETKEY Test"))
        (line,) = done(raw(other, f'URLFETCH "{full}"'))
        want(line.endswith(b" NIL"), str(line))
        other.logout()


def changing(checks, conn, uid, two):
    with checks.check("STORE, +FLAGS, -FLAGS, .SILENT"):
        lines = done(raw(conn, f"UID STORE {uid} +FLAGS (\\Answered)"))
        want(has(lines, rb"FETCH .*\\Answered"), str(lines))
        lines = done(raw(conn, f"UID STORE {uid} -FLAGS.SILENT (\\Answered $Key)"))
        want(not has(lines, rb"FLAGS \("), f"silent said {lines}")
        lines = done(raw(conn, f"UID STORE {uid} FLAGS (\\Draft)"))
        want(has(lines, rb"\\Draft") and not has(lines, rb"\\Seen"), str(lines))
    with checks.check("COPY and MOVE with COPYUID"):
        done(raw(conn, "CREATE Elsewhere"))
        got, text, _ = raw(conn, f"UID COPY {uid} Elsewhere")
        want(got == "OK" and f"[COPYUID " in text, f"{got} {text}")
        got, text, lines = raw(conn, f"UID MOVE {two} Elsewhere")
        want(got == "OK" and has(lines + [text.encode()], rb"COPYUID \d+ %d \d+" % two) and has(lines, rb"\d+ EXPUNGE"), f"{got} {text} {lines}")
        want(has(done(raw(conn, "STATUS Elsewhere (MESSAGES)")), rb"MESSAGES 2"), "not two there")
        got, text, _ = raw(conn, f"UID COPY {uid} Nowhere")
        want(got == "NO" and "TRYCREATE" in text, f"{got} {text}")
    with checks.check("\\Deleted, UID EXPUNGE, EXPUNGE, CLOSE"):
        three, four = appended(conn, MAIL), appended(conn, MAIL)
        done(raw(conn, f"UID STORE {three},{four} +FLAGS (\\Deleted)"))
        lines = done(raw(conn, f"UID EXPUNGE {four}"))
        want(len([one for one in lines if one.endswith(b"EXPUNGE")]) == 1, str(lines))
        lines = done(raw(conn, "EXPUNGE"))
        want(len([one for one in lines if one.endswith(b"EXPUNGE")]) == 1, str(lines))
        done(raw(conn, f"UID STORE {uid} +FLAGS (\\Deleted)"))
        done(raw(conn, "CLOSE"))
        want(has(done(raw(conn, "STATUS Test (MESSAGES)")), rb"MESSAGES 0"), "CLOSE expunged nothing")
    with checks.check("EXAMINE is read-only, UNSELECT expunges nothing"):
        done(raw(conn, "EXAMINE Elsewhere"))
        raw(conn, "STORE 1 +FLAGS (\\Deleted)")
        want(not has(done(raw(conn, "FETCH 1 FLAGS")), rb"Deleted"), "STORE went through")
        done(raw(conn, "SELECT Elsewhere"))
        done(raw(conn, "STORE 1 +FLAGS (\\Deleted)"))
        done(raw(conn, "UNSELECT"))
        want(has(done(raw(conn, "STATUS Elsewhere (MESSAGES)")), rb"MESSAGES 2"), "UNSELECT expunged")
    with checks.check("CONDSTORE: HIGHESTMODSEQ, CHANGEDSINCE, UNCHANGEDSINCE"):
        text = b" ".join(done(raw(conn, "SELECT Elsewhere (CONDSTORE)")))
        modseq = int(re.search(rb"HIGHESTMODSEQ (\d+)", text).group(1))
        done(raw(conn, "STORE 2 +FLAGS (\\Flagged)"))
        lines = done(raw(conn, f"FETCH 1:* (FLAGS) (CHANGEDSINCE {modseq})"))
        want(len([one for one in lines if b"FETCH" in one]) == 1 and has(lines, rb"\* 2 FETCH .*MODSEQ"), str(lines))
        status, text, lines = raw(conn, f"STORE 2 (UNCHANGEDSINCE {modseq}) -FLAGS (\\Flagged)")
        want("MODIFIED" in text, f"{status} {text} {lines}")
        done(raw(conn, "CLOSE"))


def idling(checks):
    with checks.check("IDLE hears of a delivery and of another session's flags and expunge"):
        conn, other = imap.login(OTHER, mailbox="INBOX"), imap.login(OTHER, mailbox="INBOX")
        conn.send(b"id IDLE\r\n")
        want(conn.readline().startswith(b"+"), "no continuation")
        with smtp.Smtp("lmtp") as client:
            client.hello().deliver(target.marked("idle", MAIL), [OTHER])
        wait_line(conn, rb"^\* \d+ EXISTS")
        ok(other.noop())
        done(raw(other, "STORE * +FLAGS (\\Flagged)"))
        wait_line(conn, rb"FETCH .*\\Flagged")
        done(raw(other, "STORE * +FLAGS (\\Deleted)"))
        done(raw(other, "EXPUNGE"))
        wait_line(conn, rb"^\* \d+ EXPUNGE")
        conn.send(b"DONE\r\n")
        done(imap.read_until(conn, "id"))


def wait_line(conn, pattern):
    seen = []
    while not has(seen[-1:], pattern):
        seen.append(imap.read_line(conn))
        want(len(seen) < 50, f"{pattern} not among {seen[:5]}")


def main():
    checks = Checks("imap")
    session(checks)
    conn = imap.login(USER)
    mailboxes(checks, conn)
    uid, two = fetching(checks, conn)
    searching(checks, conn, uid, two)
    many(checks, conn, two)
    changing(checks, conn, uid, two)
    idling(checks)
    checks.finish()


if __name__ == "__main__":
    sys.exit(main())
