//! OBJECTID, SAVEDATE, PREVIEW, BINARY: what FETCH and SEARCH know beyond RFC 3501.
use super::{play, play_with};

#[test]
fn names_that_last() {
    play_with(
        2,
        "C: a COPY 1 Trash
         S: a OK ...
         C: b STATUS INBOX (MAILBOXID APPENDLIMIT)
         S: * STATUS INBOX (MAILBOXID (M1-1795492248) APPENDLIMIT 52428800)
         S: b OK ...
         C: c FETCH 1 (THREADID SAVEDATE)
         S: * 1 FETCH (THREADID NIL SAVEDATE \"24-Nov-2026 ... +0000\")
         S: c OK ...
         C: d SEARCH EMAILID E00000000000000000000000000000000
         S: * SEARCH
         S: d OK ...
         C: e SEARCH THREADID T1
         S: * SEARCH
         S: e OK ...
         C: f SEARCH SAVEDON 24-Nov-2026
         S: * SEARCH 1 2
         S: f OK ...
         C: g SEARCH SAVEDBEFORE 24-Nov-2026
         S: * SEARCH
         S: g OK ...
         C: h SEARCH SAVEDSINCE 25-Nov-2026
         S: * SEARCH
         S: h OK ...
         C: i SEARCH SAVEDATESUPPORTED
         S: * SEARCH 1 2
         S: i OK ...
         C: j FETCH 2 EMAILID
         S: * 2 FETCH (EMAILID (E...))
         S: j OK ...",
    );
}

#[test]
fn a_mailbox_keeps_its_name_for_ever_when_it_is_renamed() {
    play(
        "C: a CREATE x
         S: a OK [MAILBOXID (M1-1795492253)] ...
         C: b RENAME x y
         S: b OK ...
         C: c STATUS y (MAILBOXID)
         S: * STATUS y (MAILBOXID (M1-1795492253))
         S: c OK ...
         C: d DELETE y
         S: d OK ...
         C: e CREATE y
         S: e OK [MAILBOXID (M1-1795492254)] ...",
    );
}

#[test]
fn first_words() {
    play(
        "C: a APPEND INBOX {32+}
         C: Subject: x
         C: 
         C:  Hello,
         C: 
         C: world
         C: 
         S: a OK ...
         C: b EXAMINE INBOX
         S: * FLAGS ...
         S: * OK [PERMANENTFLAGS ()] ...
         S: * 1 EXISTS
         S: * 1 RECENT
         S: * OK [UNSEEN 1] ...
         S: * OK [UIDVALIDITY ...
         S: * OK [UIDNEXT 2] ...
         S: * OK [HIGHESTMODSEQ ...
         S: * OK [MAILBOXID (...
         S: b OK [READ-ONLY] ...
         C: c FETCH 1 (PREVIEW (LAZY) UID)
         S: * 1 FETCH (PREVIEW \"Hello, world\" UID 1)
         S: c OK ...
         C: d FETCH 1 PREVIEW
         S: * 1 FETCH (PREVIEW \"Hello, world\")
         S: d OK ...",
    );
}

/// Text in base64, a part with a NUL, an encoding that nobody knows.
const ENCODED: &str = "C: a APPEND INBOX {276+}
C: Content-Type: multipart/mixed; boundary=b
C: 
C: --b
C: Content-Transfer-Encoding: base64
C: 
C: aGVsbG8=
C: --b
C: Content-Type: application/octet-stream
C: Content-Transfer-Encoding: base64
C: 
C: AAE=
C: --b
C: Content-Type: application/x
C: Content-Transfer-Encoding: x-unheard-of
C: 
C: xyz
C: --b--
C: 
C: 
S: a OK ...
C: b EXAMINE INBOX
S: * FLAGS ...
S: * OK [PERMANENTFLAGS ()] ...
S: * 1 EXISTS
S: * 1 RECENT
S: * OK [UNSEEN 1] ...
S: * OK [UIDVALIDITY ...
S: * OK [UIDNEXT 2] ...
S: * OK [HIGHESTMODSEQ ...
S: * OK [MAILBOXID (...
S: b OK [READ-ONLY] ...
C: c FETCH 1 (BINARY.SIZE[1] BINARY[1] BINARY.PEEK[1]<1.3>)
S: * 1 FETCH (BINARY.SIZE[1] 5 BINARY[1] {5}
S: hello BINARY[1]<1> {3}
S: ell)
S: c OK ...
C: d FETCH 1 BINARY.PEEK[2]
S: * 1 FETCH (BINARY[2] ~{2}
S: \u{0}\u{1})
S: d OK ...
C: e FETCH 1 BINARY.PEEK[3]
S: e NO [UNKNOWN-CTE] ...
C: f FETCH 1 (UID BINARY.SIZE[3])
S: f NO [UNKNOWN-CTE] ...
C: g FETCH 1 BINARY.PEEK[4]
S: * 1 FETCH (BINARY[4] NIL)
S: g OK ...
C: h FETCH 1 BODY.PEEK[1]
S: * 1 FETCH (BODY[1] {8}
S: aGVsbG8=)
S: h OK ...
";

#[test]
fn parts_without_their_transfer_encoding() {
    play(ENCODED);
}
