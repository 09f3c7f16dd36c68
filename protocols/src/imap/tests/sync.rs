//! Two sessions: what one does, the other hears, when it may.
use super::play;

const TWO_SELECTED: &str = "C: a APPEND INBOX {12+}
C: Subject: 1
C: 
S: a OK ...
C: a APPEND INBOX {12+}
C: Subject: 2
C: 
S: a OK ...
C: a APPEND INBOX {12+}
C: Subject: 3
C: 
S: a OK ...
C: s SELECT INBOX
S: * FLAGS ...
S: * OK [PERMANENTFLAGS ...
S: * 3 EXISTS
S: * 3 RECENT
S: * OK [UNSEEN 1] ...
S: * OK [UIDVALIDITY ...
S: * OK [UIDNEXT 4] ...
S: * OK [HIGHESTMODSEQ ...
S: * OK [MAILBOXID (...
S: s OK [READ-WRITE] ...
C2: s SELECT INBOX
S2: * FLAGS ...
S2: * OK [PERMANENTFLAGS ...
S2: * 3 EXISTS
S2: * 0 RECENT
S2: * OK [UNSEEN 1] ...
S2: * OK [UIDVALIDITY ...
S2: * OK [UIDNEXT 4] ...
S2: * OK [HIGHESTMODSEQ ...
S2: * OK [MAILBOXID (...
S2: s OK [READ-WRITE] ...
";

fn play_two(script: &str) {
    play(Box::leak(format!("{TWO_SELECTED}{script}").into_boxed_str()));
}

#[test]
fn a_store_tells_of_others_whether_it_changes_anything_or_not() {
    play_two(
        "C2: b STORE 3 +FLAGS.SILENT (\\Seen)
         S2: b OK ...
         C: b STORE 1 -FLAGS.SILENT (\\Flagged)
         S: * 3 FETCH (FLAGS (\\Seen \\Recent))
         S: b OK ...
         C2: c STORE 3 -FLAGS.SILENT (\\Seen)
         S2: c OK ...
         C: c STORE 1 +FLAGS (\\Flagged)
         S: * 3 FETCH (FLAGS (\\Recent))
         S: * 1 FETCH (FLAGS (\\Flagged \\Recent))
         S: c OK ...
         C2: d NOOP
         S2: * 1 FETCH (FLAGS (\\Flagged))
         S2: d OK ...",
    );
}

#[test]
fn flags_and_new_messages() {
    play_two(
        "C: b STORE 2 +FLAGS.SILENT (\\Seen)
         S: b OK ...
         C2: b NOOP
         S2: * 2 FETCH (FLAGS (\\Seen))
         S2: b OK ...
         C2: c APPEND INBOX {12+}
         C2: Subject: 4
         C2: 
         S2: * 4 EXISTS
         S2: * 1 RECENT
         S2: c OK [APPENDUID ... 4] ...
         C: d FETCH 1 UID
         S: * 1 FETCH (UID 1)
         S: * 4 EXISTS
         S: * 3 RECENT
         S: d OK ...",
    );
}

#[test]
fn no_expunge_while_numbers_are_in_use() {
    play_two(
        "C: b STORE 1 +FLAGS.SILENT (\\Deleted)
         S: b OK ...
         C: c EXPUNGE
         S: * 1 EXPUNGE
         S: c OK ...
         C2: d FETCH 2 (UID FLAGS)
         S2: * 2 FETCH (UID 2 FLAGS ())
         S2: d OK ...
         C: e STORE 1 +FLAGS.SILENT (\\Flagged)
         S: e OK ...
         C2: f STORE 3 +FLAGS (\\Seen)
         S2: * 2 FETCH (FLAGS (\\Flagged))
         S2: * 3 FETCH (FLAGS (\\Seen))
         S2: f OK ...
         C2: g SEARCH FLAGGED
         S2: * SEARCH 2
         S2: g OK ...
         C2: h FETCH 1:3 FLAGS
         S2: * 1 FETCH (FLAGS ...)
         S2: * 2 FETCH (FLAGS (\\Flagged))
         S2: * 3 FETCH (FLAGS (\\Seen))
         S2: h OK ...
         C2: i NOOP
         S2: * 1 EXPUNGE
         S2: i OK ...
         C2: j FETCH 1:* (UID FLAGS)
         S2: * 1 FETCH (UID 2 FLAGS (\\Flagged))
         S2: * 2 FETCH (UID 3 FLAGS (\\Seen))
         S2: j OK ...",
    );
}

#[test]
fn idle_hears_at_once() {
    play_two(
        "C2: i IDLE
         S2: + idling
         C: b STORE 2 +FLAGS.SILENT (\\Deleted)
         S: b OK ...
         S2: * 2 FETCH (FLAGS (\\Deleted))
         C: c EXPUNGE
         S: * 2 EXPUNGE
         S: c OK ...
         S2: * 2 EXPUNGE
         C: d APPEND INBOX {12+}
         C: Subject: 4
         C: 
         S: * 3 EXISTS
         S: * 3 RECENT
         S: d OK ...
         S2: * 3 EXISTS
         S2: * ... RECENT
         C2: DONE
         S2: i OK IDLE completed
         C2: j IDLE
         S2: + idling
         C2: NOOP
         S2: j BAD DONE was expected",
    );
}

#[test]
fn a_deleted_mailbox_ends_the_sessions_in_it() {
    play(
        "C: a CREATE x
         S: a OK ...
         C2: s SELECT x
         S2: * FLAGS ...
         S2: * OK [PERMANENTFLAGS ...
         S2: * 0 EXISTS
         S2: * 0 RECENT
         S2: * OK [UIDVALIDITY ...
         S2: * OK [UIDNEXT 1] ...
         S2: * OK [HIGHESTMODSEQ ...
         S2: * OK [MAILBOXID (...
         S2: s OK [READ-WRITE] ...
         C: b DELETE x
         S: b OK ...
         C2: c NOOP
         S2: * BYE The selected mailbox has been deleted
         S2: c OK ...
         S2: ",
    );
}
