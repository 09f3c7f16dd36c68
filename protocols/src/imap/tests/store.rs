//! STORE: modes, silence, keywords, read-only.
use super::{play, play_with};

#[test]
fn modes_and_keywords() {
    play(
        "C: a APPEND INBOX {12+}
         C: Subject: 1
         C: 
         S: a OK ...
         C: s SELECT INBOX
         S: * FLAGS ...
         S: * OK [PERMANENTFLAGS ...
         S: * 1 EXISTS
         S: * 1 RECENT
         S: * OK [UNSEEN 1] ...
         S: * OK [UIDVALIDITY ...
         S: * OK [UIDNEXT 2] ...
         S: * OK [HIGHESTMODSEQ ...
         S: * OK [MAILBOXID (...
         S: s OK [READ-WRITE] ...
         C: b STORE 1 FLAGS (\\Seen \\Flagged)
         S: * 1 FETCH (FLAGS (\\Flagged \\Seen \\Recent))
         S: b OK STORE completed
         C: c STORE 1 -FLAGS \\Seen
         S: * 1 FETCH (FLAGS (\\Flagged \\Recent))
         S: c OK STORE completed
         C: d UID STORE 1 +FLAGS ($Work)
         S: * FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Work)
         S: * OK [PERMANENTFLAGS (... $Work \\*)] ...
         S: * 1 FETCH (UID 1 FLAGS (\\Flagged $Work \\Recent))
         S: d OK STORE completed
         C: e STORE 1 FLAGS.SILENT (\\Answered)
         S: e OK STORE completed
         C: f FETCH 1 FLAGS
         S: * 1 FETCH (FLAGS (\\Answered \\Recent))
         S: f OK ...
         C: g STORE 1 FLAGS ()
         S: * 1 FETCH (FLAGS (\\Recent))
         S: g OK ...
         C: h STORE 1 +FLAGS (\\Recent)
         S: h BAD ...
         C: i STORE 2 +FLAGS (\\Seen)
         S: i BAD ...
         C: j UID STORE 2 +FLAGS (\\Seen)
         S: j OK No matching messages
         C: k SEARCH KEYWORD $work
         S: * SEARCH
         S: k OK ...
         C: l SEARCH UNKEYWORD never-seen
         S: * SEARCH 1
         S: l OK ...",
    );
}

/// The server's own mark of what POP3 has fetched removes mail in time: nobody sets it.
#[test]
fn the_mark_of_fetched_mail_cannot_be_set() {
    play_with(
        1,
        "C: a STORE 1 +FLAGS ($pop3fetched work)
         S: * FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft work)
         S: ...
         S: * 1 FETCH (FLAGS (work ...
         S: a OK ...",
    );
}
