//! APPEND: flags, date, literals of every kind, several messages, CATENATE, limits, missing mailboxes.
use super::{play, play_as, play_before_login, shared};

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
         S: * OK [MAILBOXID (...
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
fn several_messages_or_none() {
    play(
        "C: a APPEND INBOX (\\Seen) {12+}
         C: Subject: x
         C:  (work) \"24-Nov-2026 05:50:48 +0200\" {12}
         S: + OK
         C: Subject: y
         C:  {12+}
         C: Subject: z
         C: 
         S: a OK [APPENDUID ... 1:3] APPEND completed
         C: b APPEND INBOX {12+}
         C: Subject: x
         C:  {0}
         S: b NO [CANNOT] ...
         C: c APPEND INBOX {12+}
         C: Subject: x
         C:  (\\Nonsense) {12+}
         C: Subject: y
         C:  {12}
         S: c BAD \\Nonsense cannot be set
         C: d STATUS INBOX (MESSAGES UNSEEN UIDNEXT)
         S: * STATUS INBOX (MESSAGES 3 UNSEEN 2 UIDNEXT 4)
         S: d OK ...
         C: e APPEND INBOX {12+}
         C: Subject: x
         C:  nonsense
         S: e BAD ...",
    );
}

#[test]
fn a_quota_holds_for_all_messages_together() {
    play_as(
        "bob@example.org",
        "C: a APPEND INBOX {12+}
         C: Subject: x
         C:  {9990}
         S: a NO [OVERQUOTA] ...
         C: b STATUS INBOX (MESSAGES)
         S: * STATUS INBOX (MESSAGES 0)
         S: b OK ...",
    );
}

#[test]
fn binary_and_utf8_literals() {
    play(
        "C: a APPEND INBOX ~{12+}
         C: Subject: x
         C: 
         S: a OK [APPENDUID ... 1] ...
         C: b APPEND INBOX (\\Seen) UTF8 (~{14+}
         C: Subject: \u{65e5}
         C: )
         S: b OK [APPENDUID ... 2] ...
         C: c APPEND INBOX UTF8 (~{12+}
         C: Subject: x
         C:  
         S: c BAD ...",
    );
}

#[test]
fn messages_put_together() {
    play(
        "C: a APPEND INBOX {62+}
         C: From: a@example.org
         C: Subject: first
         C: To: b@example.org
         C: 
         C: body
         S: a OK ...
         C: b APPEND Drafts CATENATE (URL \"/INBOX/;UID=1/;SECTION=HEADER\" TEXT {5+}
         C: new
         C:  URL \"/INBOX/;UID=1/;SECTION=TEXT/;PARTIAL=1.2\")
         S: b OK [APPENDUID ... 1] ...
         C: c EXAMINE Drafts
         S: * FLAGS ...
         S: * OK [PERMANENTFLAGS ()] ...
         S: * 1 EXISTS
         S: * 1 RECENT
         S: * OK [UNSEEN 1] ...
         S: * OK [UIDVALIDITY ...
         S: * OK [UIDNEXT 2] ...
         S: * OK [HIGHESTMODSEQ ...
         S: * OK [MAILBOXID (...
         S: c OK [READ-ONLY] ...
         C: d FETCH 1 BODY[]
         S: * 1 FETCH (BODY[] {65}
         S: From: a@example.org
         S: Subject: first
         S: To: b@example.org
         S: 
         S: new
         S: od)
         S: d OK ...
         C: e APPEND Drafts CATENATE (URL \"/INBOX/;UID=2\")
         S: e NO [BADURL \"/INBOX/;UID=2\"] ...
         C: l APPEND Drafts CATENATE (URL {8193}
         S: l NO [LIMIT] A URL may have 8.0 KiB here
         C: l NOOP
         S: l OK ...
         C: f APPEND Drafts CATENATE (URL \"/;UID=1\" URL {18}
         S: + OK
         C: imap://other/x/;UI)
         S: f NO [BADURL ...
         C: g APPEND Drafts CATENATE (NONSENSE)
         S: g BAD ...
         C: h APPEND Drafts CATENATE (URL \"/;UID=1\")
         S: * 2 EXISTS
         S: * 2 RECENT
         S: h OK [APPENDUID ... 2] ...",
    );
}
