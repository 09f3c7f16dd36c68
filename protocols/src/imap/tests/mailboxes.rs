//! SELECT, EXAMINE, CREATE, DELETE, RENAME, SUBSCRIBE, LIST, LSUB, STATUS, quota.
use super::{play, play_as};

#[test]
fn select_and_examine() {
    play(
        "C: a SELECT inbox
         S: * FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)
         S: * OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft \\*)] ...
         S: * 0 EXISTS
         S: * 0 RECENT
         S: * OK [UIDVALIDITY ...] UIDs valid
         S: * OK [UIDNEXT 1] ...
         S: * OK [HIGHESTMODSEQ ...] ...
         S: * OK [MAILBOXID (...
         S: a OK [READ-WRITE] SELECT completed
         C: b EXAMINE INBOX
         S: * OK [CLOSED] Previous mailbox closed
         S: * FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)
         S: * OK [PERMANENTFLAGS ()] ...
         S: * 0 EXISTS
         S: * 0 RECENT
         S: * OK [UIDVALIDITY ...] UIDs valid
         S: * OK [UIDNEXT 1] ...
         S: * OK [HIGHESTMODSEQ ...] ...
         S: * OK [MAILBOXID (...
         S: b OK [READ-ONLY] EXAMINE completed
         C: c EXPUNGE
         S: c NO [CANNOT] ...
         C: d SELECT missing
         S: * OK [CLOSED] Previous mailbox closed
         S: d NO [NONEXISTENT] ...
         C: e CHECK
         S: e BAD No mailbox is selected",
    );
}

#[test]
fn create_rename_delete() {
    play(
        "C: a CREATE INBOX
         S: a NO [ALREADYEXISTS] ...
         C: b CREATE work/2026/
         S: b OK [MAILBOXID (...)] CREATE completed
         C: c CREATE work
         S: c NO [ALREADYEXISTS] ...
         C: d RENAME work job
         S: d OK RENAME completed
         C: e LIST \"\" job*
         S: * LIST (\\HasChildren) \"/\" job
         S: * LIST (\\HasNoChildren) \"/\" job/2026
         S: e OK LIST completed
         C: f DELETE job
         S: f OK DELETE completed
         C: g LIST \"\" job%
         S: * LIST (\\HasChildren \\Noselect) \"/\" job
         S: g OK LIST completed
         C: h DELETE missing
         S: h NO [NONEXISTENT] ...
         C: i DELETE INBOX
         S: i NO [CANNOT] ...
         C: j CREATE \"bad//name\"
         S: j NO [CANNOT] ...
         C: k CREATE Papers (USE (\\Archive))
         S: k OK [MAILBOXID (...)] CREATE completed
         C: l LIST \"\" Papers
         S: * LIST (\\HasNoChildren \\Archive) \"/\" Papers
         S: l OK LIST completed
         C: m CREATE x (USE (\\Nonsense))
         S: m NO [USEATTR] ...",
    );
}

#[test]
fn names_beyond_ascii() {
    play(
        "C: a CREATE &XfJT0ZAB-
         S: a OK [MAILBOXID (...)] CREATE completed
         C: b LIST \"\" &XfJT0ZAB-
         S: * LIST (\\HasNoChildren) \"/\" &XfJT0ZAB-
         S: b OK LIST completed
         C: c STATUS \"已发送\" (MESSAGES)
         S: * STATUS &XfJT0ZAB- (MESSAGES 0)
         S: c OK STATUS completed
         C: d CREATE \"R&D\"
         S: d NO [CANNOT] ...
         C: e CREATE \"a b\"
         S: e OK ...
         C: f LIST \"\" \"a b\"
         S: * LIST (\\HasNoChildren) \"/\" \"a b\"
         S: f OK ...",
    );
}

#[test]
fn list_of_a_new_account() {
    play(
        "C: a LIST \"\" \"\"
         S: * LIST (\\Noselect) \"/\" \"\"
         S: a OK LIST completed
         C: b LIST \"\" *
         S: * LIST (\\HasNoChildren) \"/\" INBOX
         S: * LIST (\\HasNoChildren \\Drafts) \"/\" Drafts
         S: * LIST (\\HasNoChildren \\Junk) \"/\" Junk
         S: * LIST (\\HasNoChildren \\Sent) \"/\" Sent
         S: * LIST (\\HasNoChildren \\Trash) \"/\" Trash
         S: b OK LIST completed
         C: c LIST \"\" iNbOx
         S: * LIST (\\HasNoChildren) \"/\" INBOX
         S: c OK LIST completed",
    );
}

#[test]
fn subscriptions() {
    play(
        "C: a CREATE a/b
         S: a OK ...
         C: b SUBSCRIBE a/b
         S: b OK SUBSCRIBE completed
         C: c SUBSCRIBE gone
         S: c ...
         C: d LSUB \"\" *
         S: ...
         C: e NOOP
         S: ...",
    );
    play(
        "C: a CREATE a/b
         S: a OK ...
         C: b SUBSCRIBE a/b
         S: b OK SUBSCRIBE completed
         C: d LSUB \"\" a*
         S: * LSUB () \"/\" a/b
         S: d OK LSUB completed
         C: e LSUB \"\" a%
         S: * LSUB (\\Noselect) \"/\" a
         S: e OK LSUB completed
         C: f DELETE a/b
         S: f OK ...
         C: g LSUB \"\" a*
         S: * LSUB (\\Noselect) \"/\" a/b
         S: g OK LSUB completed
         C: h UNSUBSCRIBE a/b
         S: h OK UNSUBSCRIBE completed
         C: i LSUB \"\" a*
         S: i OK LSUB completed",
    );
}

#[test]
fn status_has_every_item() {
    play(
        "C: a APPEND INBOX (\\Deleted) {12+}
         C: Subject: x
         C: 
         S: a OK [APPENDUID ...] ...
         C: b STATUS INBOX (MESSAGES RECENT UIDNEXT UNSEEN SIZE DELETED DELETED-STORAGE)
         S: * STATUS INBOX (MESSAGES 1 RECENT 1 UIDNEXT 2 UNSEEN 1 SIZE 12 DELETED 1 DELETED-STORAGE 12)
         S: b OK STATUS completed
         C: c STATUS INBOX (UIDVALIDITY HIGHESTMODSEQ)
         S: * STATUS INBOX (UIDVALIDITY ... HIGHESTMODSEQ ...)
         S: c OK STATUS completed
         C: d STATUS missing (MESSAGES)
         S: d NO [NONEXISTENT] ...",
    );
}

#[test]
fn quota() {
    play_as(
        "bob@example.org",
        "C: a GETQUOTAROOT INBOX
         S: * QUOTAROOT INBOX account
         S: * QUOTA account (STORAGE 0 9)
         S: a OK GETQUOTAROOT completed
         C: b GETQUOTA account
         S: * QUOTA account (STORAGE 0 9)
         S: b OK GETQUOTA completed
         C: c GETQUOTA other
         S: c NO [NONEXISTENT] ...
         C: d SETQUOTA account (STORAGE 100)
         S: d NO [NOPERM] ...
         C: e APPEND INBOX {10001}
         S: e NO [OVERQUOTA] Quota exceeded: 0 bytes of 9.8 KiB used",
    );
}

#[test]
fn close_and_unselect() {
    play(
        "C: a APPEND Trash (\\Deleted) {12+}
         C: Subject: x
         C: 
         S: a OK ...
         C: b SELECT Trash
         S: * FLAGS ...
         S: * OK [PERMANENTFLAGS ...
         S: * 1 EXISTS
         S: * 1 RECENT
         S: * OK [UNSEEN 1] ...
         S: * OK [UIDVALIDITY ...
         S: * OK [UIDNEXT 2] ...
         S: * OK [HIGHESTMODSEQ ...
         S: * OK [MAILBOXID (...
         S: b OK [READ-WRITE] ...
         C: c UNSELECT
         S: c OK UNSELECT completed
         C: d STATUS Trash (MESSAGES RECENT)
         S: * STATUS Trash (MESSAGES 1 RECENT 0)
         S: d OK ...
         C: e SELECT Trash
         S: * FLAGS ...
         S: * OK [PERMANENTFLAGS ...
         S: * 1 EXISTS
         S: * 0 RECENT
         S: * OK [UNSEEN 1] ...
         S: * OK [UIDVALIDITY ...
         S: * OK [UIDNEXT 2] ...
         S: * OK [HIGHESTMODSEQ ...
         S: * OK [MAILBOXID (...
         S: e OK [READ-WRITE] ...
         C: f CLOSE
         S: f OK CLOSE completed
         C: g STATUS Trash (MESSAGES)
         S: * STATUS Trash (MESSAGES 0)
         S: g OK ...",
    );
}
