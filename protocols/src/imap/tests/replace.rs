//! REPLACE.
use super::{play_as, play_with};

#[test]
fn a_message_for_a_message() {
    play_with(
        3,
        "C: a REPLACE 2 INBOX (\\Seen) {14+}
         C: Subject: new
         C: 
         S: * OK [APPENDUID ... 4] Replacement
         S: * 2 EXPUNGE
         S: * 3 EXISTS
         S: * 3 RECENT
         S: a OK REPLACE completed
         C: b UID FETCH 1:* (RFC822.SIZE)
         S: * 1 FETCH (UID 1 RFC822.SIZE 12)
         S: * 2 FETCH (UID 3 RFC822.SIZE 12)
         S: * 3 FETCH (UID 4 RFC822.SIZE 14)
         S: b OK ...
         C: c UID REPLACE 3 Drafts {14}
         S: + OK
         C: Subject: new
         C: 
         S: * OK [APPENDUID ... 1] Replacement
         S: * 2 EXPUNGE
         S: c OK ...
         C: d UID REPLACE 3 Drafts {14+}
         C: Subject: new
         C: 
         S: d NO [NONEXISTENT] ...
         C: e REPLACE 1:2 Drafts {14+}
         C: Subject: new
         C: 
         S: e BAD ...
         C: f REPLACE 1 missing {14}
         S: f NO [TRYCREATE] ...
         C: g REPLACE 1 INBOX {12+}
         C: Subject: x
         C:  {12}
         S: g BAD ...
         C: h REPLACE 7 INBOX {12}
         S: h BAD ...
         C: i NOOP
         S: i OK ...
         C: j EXAMINE INBOX
         S: * OK [CLOSED] ...
         S: * FLAGS ...
         S: * OK [PERMANENTFLAGS ()] ...
         S: * 2 EXISTS
         S: * 0 RECENT
         S: * OK [UNSEEN 1] ...
         S: * OK [UIDVALIDITY ...
         S: * OK [UIDNEXT 5] ...
         S: * OK [HIGHESTMODSEQ ...
         S: * OK [MAILBOXID (...
         S: j OK [READ-ONLY] ...
         C: k REPLACE 1 INBOX {12}
         S: k NO [CANNOT] ...",
    );
}

#[test]
fn a_full_account_can_replace() {
    let message = format!("Subject: x\r\n\r\n{}", "x".repeat(8986));
    let script = format!(
        "C: a APPEND INBOX {{9000+}}\nC: Subject: x\nC: \nC: {}\nS: a OK ...\nC: s SELECT INBOX\nS: * FLAGS ...\nS: * OK [PERM...\n\
         S: * 1 EXISTS\nS: * 1 RECENT\nS: * OK [UNSEEN 1] ...\nS: * OK [UIDV...\nS: * OK [UIDN...\nS: * OK [HIGH...\nS: * OK [MAILB...\n\
         S: s OK ...\nC: b REPLACE 1 INBOX {{9000+}}\nC: Subject: x\nC: \nC: {}\nS: * OK [APPENDUID ... 2] ...\nS: * 1 EXPUNGE\n\
         S: * 1 EXISTS\nS: * 1 RECENT\nS: b OK ...\nC: c REPLACE 1 INBOX {{10001}}\nS: c NO [OVERQUOTA] ...",
        &message[14..],
        &message[14..]
    );
    play_as("bob@example.org", Box::leak(script.into_boxed_str()));
}
