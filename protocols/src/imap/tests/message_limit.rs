//! How many messages a command works on (RFC 9738), and batches of uids (RFC 10022).
use super::{play_before_login, play_with};
use crate::session::MessageLimit;
use crate::testing::{append, shared};

/// Ann's INBOX with five messages, of which the second has been expunged, where a command works on three at most.
fn play_limited(cuts: bool, script: &str) {
    let mut whole = String::from("C: l LOGIN ann@example.org secret\nS: l OK ...\n");
    for number in 1..=6 {
        whole += &format!("C: a APPEND INBOX {{12+}}\nC: Subject: {number}\nC: \nS: a OK ...\n");
    }
    whole += "C: s SELECT INBOX\nS: * FLAGS ...\nS: * OK ...\nS: * 6 EXISTS\nS: * 6 RECENT\nS: * OK [UNSEEN 1] ...\n\
              S: * OK [UIDVALIDITY ...\nS: * OK [UIDNEXT ...\nS: * OK [HIGHESTMODSEQ ...\nS: * OK [MAILBOXID ...\nS: s OK ...\n\
              C: t STORE 2 +FLAGS.SILENT (\\Deleted)\nS: t OK ...\nC: u EXPUNGE\nS: * 2 EXPUNGE\nS: u OK ...\n";
    whole += script;
    let mut shared = shared();
    shared.message_limit = MessageLimit { messages_max: 3, cuts };
    let greeting = "S: * OK ...\n".to_owned();
    play_before_login(shared, Box::leak((greeting + &whole).into_boxed_str()));
}

#[test]
fn a_client_that_knows_of_no_limit_loses_nothing() {
    play_limited(
        false,
        "C: a FETCH 1:* UID
         S: * 1 FETCH (UID 1)
         S: * 2 FETCH (UID 3)
         S: * 3 FETCH (UID 4)
         S: * 4 FETCH (UID 5)
         S: * 5 FETCH (UID 6)
         S: a OK FETCH completed
         C: b SEARCH ALL
         S: * SEARCH 1 2 3 4 5
         S: b OK SEARCH completed
         C: c COPY 1:* Trash
         S: c OK [COPYUID ... 1,3:6 1:5] ...
         C: d STORE 1:* +FLAGS.SILENT (\\Deleted)
         S: d OK STORE completed
         C: e UID EXPUNGE 1:*
         S: * 5 EXPUNGE
         S: * 4 EXPUNGE
         S: * 3 EXPUNGE
         S: * 2 EXPUNGE
         S: * 1 EXPUNGE
         S: e OK EXPUNGE completed
         C: f CAPABILITY
         S: * CAPABILITY ... SAVELIMIT=3 ...
         S: f OK ...",
    );
}

#[test]
fn appends_are_limited_in_any_case() {
    play_limited(
        false,
        "C: a APPEND Drafts {12+}
         C: Subject: 1
         C:  {12+}
         C: Subject: 2
         C:  {12+}
         C: Subject: 3
         C: 
         S: a OK [APPENDUID ... 1:3] ...
         C: b APPEND Drafts {12+}
         C: Subject: 1
         C:  {12+}
         C: Subject: 2
         C:  {12+}
         C: Subject: 3
         C:  {12+}
         C: Subject: 4
         C: 
         S: b NO [MESSAGELIMIT 3] ...
         C: c STATUS Drafts (MESSAGES)
         S: * STATUS Drafts (MESSAGES 3)
         S: c OK ...",
    );
}

#[test]
fn the_last_messages_are_fetched_and_searched() {
    play_limited(
        true,
        "C: a CAPABILITY
         S: * CAPABILITY ... MESSAGELIMIT=3 ...
         S: a OK ...
         C: b FETCH 1:* UID
         S: * 3 FETCH (UID 4)
         S: * 4 FETCH (UID 5)
         S: * 5 FETCH (UID 6)
         S: b OK [MESSAGELIMIT 3 4] FETCH completed for the last 3 messages
         C: c UID FETCH 1:3 FLAGS
         S: * 1 FETCH (UID 1 FLAGS (\\Recent))
         S: * 2 FETCH (UID 3 FLAGS (\\Recent))
         S: c OK FETCH completed
         C: d UID FETCH 1:* UID (PARTIAL 1:4)
         S: d NO [MESSAGELIMIT 3] ...
         C: e UID FETCH 1:* UID (PARTIAL 1:2)
         S: * 1 FETCH (UID 1)
         S: * 2 FETCH (UID 3)
         S: e OK FETCH completed
         C: f UID SEARCH RETURN (SAVE COUNT) UIDBEFORE 6 UNDELETED
         S: * ESEARCH (TAG \"f\") UID COUNT 3
         S: f OK [MESSAGELIMIT 3 3] SEARCH completed for the last 3 messages
         C: g FETCH $ UID
         S: * 2 FETCH (UID 3)
         S: * 3 FETCH (UID 4)
         S: * 4 FETCH (UID 5)
         S: g OK FETCH completed
         C: h UID SEARCH UIDAFTER 3 SUBJECT 4
         S: * SEARCH 4
         S: h OK SEARCH completed
         C: i UID SEARCH UIDAFTER 4294967295
         S: * SEARCH
         S: i OK SEARCH completed
         C: j UID SEARCH UIDBEFORE 1
         S: * SEARCH
         S: j OK SEARCH completed
         C: k SORT (SUBJECT) UTF-8 ALL
         S: k NO [MESSAGELIMIT 3] ...
         C: l SORT (REVERSE SUBJECT) UTF-8 2:4
         S: * SORT 4 3 2
         S: l OK ...
         C: m THREAD REFERENCES UTF-8 ALL
         S: m NO [MESSAGELIMIT 3] ...",
    );
}

#[test]
fn the_last_messages_are_changed() {
    play_limited(
        true,
        "C: a UID STORE 1:* +FLAGS (\\Seen)
         S: * 3 FETCH (UID 4 FLAGS (\\Seen \\Recent))
         S: * 4 FETCH (UID 5 FLAGS (\\Seen \\Recent))
         S: * 5 FETCH (UID 6 FLAGS (\\Seen \\Recent))
         S: a OK [MESSAGELIMIT 3 4] STORE completed for the last 3 messages
         C: b UID STORE 1:* (UNCHANGEDSINCE 2) +FLAGS.SILENT (\\Flagged)
         S: * OK [HIGHESTMODSEQ ...
         S: * NO [MESSAGELIMIT 3 4] ...
         S: b OK [MODIFIED 4:6] ...
         C: c UID COPY 1:* Trash
         S: c NO [MESSAGELIMIT 3 4] ...
         C: d STATUS Trash (MESSAGES)
         S: * STATUS Trash (MESSAGES 0)
         S: d OK ...
         C: e UID STORE 1:3 +FLAGS.SILENT (\\Deleted)
         S: * 1 FETCH (UID 1 MODSEQ ...
         S: * 2 FETCH (UID 3 MODSEQ ...
         S: e OK STORE completed
         C: f UID STORE 4:6 +FLAGS.SILENT (\\Deleted)
         S: * 3 FETCH (UID 4 MODSEQ ...
         S: * 4 FETCH (UID 5 MODSEQ ...
         S: * 5 FETCH (UID 6 MODSEQ ...
         S: f OK STORE completed
         C: g UID EXPUNGE 1:5
         S: * 4 EXPUNGE
         S: * 3 EXPUNGE
         S: * 2 EXPUNGE
         S: * NO [MESSAGELIMIT 3 3] ...
         S: g OK [HIGHESTMODSEQ ...
         C: h APPEND INBOX {12+}
         C: Subject: 7
         C: 
         S: * 3 EXISTS
         S: * 3 RECENT
         S: h OK ...
         C: i APPEND INBOX {12+}
         C: Subject: 8
         C: 
         S: * 4 EXISTS
         S: * 4 RECENT
         S: i OK ...
         C: j UID MOVE 1:* Trash
         S: * OK [COPYUID ... 6:8 1:3] Moved
         S: * 4 EXPUNGE
         S: * 3 EXPUNGE
         S: * 2 EXPUNGE
         S: * NO [MESSAGELIMIT 3 6] ...
         S: j OK [HIGHESTMODSEQ ...
         C: k UID MOVE 1:* Trash
         S: * OK [COPYUID ... 1 4] Moved
         S: * 1 EXPUNGE
         S: k OK [HIGHESTMODSEQ ...",
    );
}

#[test]
fn expunge_has_no_limit() {
    play_limited(
        true,
        "C: a STORE 1:2 +FLAGS.SILENT (\\Deleted)
         S: a OK ...
         C: b STORE 3:5 +FLAGS.SILENT (\\Deleted)
         S: b OK ...
         C: c EXPUNGE
         S: * 5 EXPUNGE
         S: * 4 EXPUNGE
         S: * 3 EXPUNGE
         S: * 2 EXPUNGE
         S: * 1 EXPUNGE
         S: c OK EXPUNGE completed",
    );
}

#[test]
fn uids_in_batches() {
    play_with(
        4,
        "C: a UIDBATCHES 500
         S: * UIDBATCHES (TAG \"a\") 4:1
         S: a OK UIDBATCHES completed
         C: b UIDBATCHES 499
         S: b NO [TOOFEW] ...
         C: c UIDBATCHES 500 2:1
         S: c BAD [CLIENTBUG] ...
         C: d UIDBATCHES 500 2:4
         S: * UIDBATCHES (TAG \"d\")
         S: d OK UIDBATCHES completed
         C: e UIDBATCHES 500 1:1
         S: * UIDBATCHES (TAG \"e\") 4:1
         S: e OK UIDBATCHES completed
         C: f UIDBATCHES
         S: f BAD ...
         C: g UIDBATCHES 0
         S: g BAD ...
         C: h UIDBATCHES 500 1
         S: h BAD ...
         C: i UNSELECT
         S: i OK ...
         C: j UIDBATCHES 500
         S: j BAD ...",
    );
}

#[test]
fn one_batch_ends_where_the_next_begins() {
    let shared = shared();
    let messages: Vec<&[u8]> = vec![b"Subject: x\r\n"; 1300];
    append(&shared, "ann@example.org", &messages);
    play_before_login(
        shared,
        "S: * OK ...
         C: l LOGIN ann@example.org secret
         S: l OK ...
         C: s SELECT INBOX
         S: * FLAGS ...
         S: * OK ...
         S: * 1300 EXISTS
         S: * 1300 RECENT
         S: * OK [UNSEEN 1] ...
         S: * OK [UIDVALIDITY ...
         S: * OK [UIDNEXT ...
         S: * OK [HIGHESTMODSEQ ...
         S: * OK [MAILBOXID ...
         S: s OK ...
         C: a UIDBATCHES 500
         S: * UIDBATCHES (TAG \"a\") 1300:801,800:301,300:1
         S: a OK UIDBATCHES completed
         C: b STORE 1:100,700:899 +FLAGS.SILENT (\\Deleted)
         S: b OK ...
         C: c ENABLE QRESYNC UIDONLY
         S: * OK [HIGHESTMODSEQ ...
         S: * ENABLED QRESYNC UIDONLY
         S: c OK ...
         C: d UID EXPUNGE 1:*
         S: * VANISHED 1:100,700:899
         S: d OK ...
         C: e UIDBATCHES 500 2:3
         S: * UIDBATCHES (TAG \"e\") 600:1
         S: e OK UIDBATCHES completed
         C: f UIDBATCHES 500 1:1
         S: * UIDBATCHES (TAG \"f\") 1300:601
         S: f OK UIDBATCHES completed",
    );
}
