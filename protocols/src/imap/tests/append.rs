//! APPEND: flags, date, literals of both kinds, limits, missing mailboxes.
use super::{play, play_before_login, shared};

#[test]
fn append_and_read_back() {
    play(
        "C: a APPEND INBOX (\\Seen $Work) \"24-Nov-2026 05:50:48 +0200\" {13}
         S: + OK
         C: Subject: \u{0}x
         C: 
         S: a OK [APPENDUID ... 1] APPEND completed
         C: b EXAMINE INBOX
         S: * FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Work)
         S: * OK [PERMANENTFLAGS ()] ...
         S: * 1 EXISTS
         S: * 1 RECENT
         S: * OK [UIDVALIDITY ...
         S: * OK [UIDNEXT 2] ...
         S: * OK [HIGHESTMODSEQ ...
         S: b OK [READ-ONLY] ...
         C: c FETCH 1 (FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])
         S: * 1 FETCH (FLAGS (\\Seen $Work \\Recent) INTERNALDATE \"24-Nov-2026 03:50:48 +0000\" RFC822.SIZE 13 BODY[] {13}
         S: Subject: \u{0}x
         S: )
         S: c OK FETCH completed",
    );
}

#[test]
fn append_where_nothing_is() {
    play(
        "C: a APPEND missing {12}
         S: a NO [TRYCREATE] ...
         C: b APPEND missing {12+}
         C: Subject: x
         C: 
         S: b NO [TRYCREATE] ...
         C: c APPEND {7}
         S: + OK
         C: missing {12+}
         C: Subject: x
         C: 
         S: c NO [TRYCREATE] ...
         C: d APPEND INBOX (\\Nonsense) {12}
         S: d BAD \\Nonsense cannot be set
         C: e APPEND INBOX {0}
         S: e NO [CANNOT] ...
         C: f APPEND INBOX \"x\"
         S: f BAD ...
         C: g NOOP
         S: g OK ...",
    );
}

#[test]
fn a_message_that_is_too_large_is_refused_before_it_is_sent() {
    let mut shared = shared();
    shared.message_size_bytes_max = 20;
    play_before_login(
        shared,
        "S: * OK ...
         C: l LOGIN ann@example.org secret
         S: l OK [CAPABILITY ... APPENDLIMIT=20] ...
         C: a APPEND INBOX {21}
         S: a NO [TOOBIG] ...
         C: b APPEND INBOX {21+}
         C: Subject: x
         C: 
         C: 1234567
         S: b NO [TOOBIG] ...
         C: c APPEND INBOX {4294967295}
         S: c NO [TOOBIG] ...
         C: d NOOP
         S: d OK ...",
    );
}

#[test]
fn one_message_only() {
    play(
        "C: a APPEND INBOX {12+}
         C: Subject: x
         C:  {3+}
         S: a BAD ...",
    );
}
