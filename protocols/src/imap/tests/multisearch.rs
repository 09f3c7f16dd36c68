//! ESEARCH through many mailboxes (RFC 7377): what is searched, what is told of it, and what is not a guest's to find.
use super::{play, play_with, sharing};

/// Mail in INBOX (2), work (1), work/a (1), work/a/b (1) and workshop (1), of which that in work and in work/a/b is read.
const TREE: &str = "C: a CREATE work/a/b
         S: a OK ...
         C: b CREATE workshop
         S: b OK ...
         C: c APPEND INBOX {12+}
         C: Subject: x
         C: 
         S: c OK ...
         C: c APPEND INBOX {12+}
         C: Subject: y
         C: 
         S: c OK ...
         C: c APPEND work (\\Seen) {12+}
         C: Subject: x
         C: 
         S: c OK ...
         C: c APPEND work/a (project) {12+}
         C: Subject: x
         C: 
         S: c OK ...
         C: c APPEND work/a/b (\\Seen) {12+}
         C: Subject: x
         C: 
         S: c OK ...
         C: c APPEND workshop {12+}
         C: Subject: x
         C: 
         S: c OK ...
";

#[test]
fn every_source() {
    play(Box::leak(
        (TREE.to_owned()
            + "C: d ESEARCH IN (mailboxes work) ALL
         S: * ESEARCH (TAG \"d\" MAILBOX work UIDVALIDITY ...) UID ALL 1
         S: d OK ESEARCH completed
         C: e ESEARCH IN (mailboxes (workshop \"work/a\" nothing INBOX)) RETURN (MIN MAX COUNT) SUBJECT x
         S: * ESEARCH (TAG \"e\" MAILBOX INBOX UIDVALIDITY ...) UID MIN 1 MAX 1 COUNT 1
         S: * ESEARCH (TAG \"e\" MAILBOX work/a UIDVALIDITY ...) UID MIN 1 MAX 1 COUNT 1
         S: * ESEARCH (TAG \"e\" MAILBOX workshop UIDVALIDITY ...) UID MIN 1 MAX 1 COUNT 1
         S: e OK ...
         C: f ESEARCH IN (subtree work) RETURN (ALL) ALL
         S: * ESEARCH (TAG \"f\" MAILBOX work UIDVALIDITY ...) UID ALL 1
         S: * ESEARCH (TAG \"f\" MAILBOX work/a UIDVALIDITY ...) UID ALL 1
         S: * ESEARCH (TAG \"f\" MAILBOX work/a/b UIDVALIDITY ...) UID ALL 1
         S: f OK ...
         C: g ESEARCH IN (subtree-one work) ALL
         S: * ESEARCH (TAG \"g\" MAILBOX work UIDVALIDITY ...) UID ALL 1
         S: * ESEARCH (TAG \"g\" MAILBOX work/a UIDVALIDITY ...) UID ALL 1
         S: g OK ...
         C: h ESEARCH IN (personal) UNSEEN SUBJECT x
         S: * ESEARCH (TAG \"h\" MAILBOX INBOX UIDVALIDITY ...) UID ALL 1
         S: * ESEARCH (TAG \"h\" MAILBOX work/a UIDVALIDITY ...) UID ALL 1
         S: * ESEARCH (TAG \"h\" MAILBOX workshop UIDVALIDITY ...) UID ALL 1
         S: h OK ...
         C: i ESEARCH IN (inboxes mailboxes INBOX subtree INBOX) RETURN (COUNT) SUBJECT y
         S: * ESEARCH (TAG \"i\" MAILBOX INBOX UIDVALIDITY ...) UID COUNT 1
         S: i OK ...
         C: j SUBSCRIBE workshop
         S: j OK ...
         C: j SUBSCRIBE nothing
         S: j OK ...
         C: k ESEARCH IN (subscribed) UID 1
         S: * ESEARCH (TAG \"k\" MAILBOX INBOX UIDVALIDITY ...) UID ALL 1
         S: * ESEARCH (TAG \"k\" MAILBOX workshop UIDVALIDITY ...) UID ALL 1
         S: k OK ...
         C: l ESEARCH IN (subtree \"\") KEYWORD project
         S: * ESEARCH (TAG \"l\" MAILBOX work/a UIDVALIDITY ...) UID ALL 1
         S: l OK ...
         C: m ESEARCH IN (personal) RETURN (COUNT) 2:9
         S: * ESEARCH (TAG \"m\" MAILBOX INBOX UIDVALIDITY ...) UID COUNT 1
         S: m OK ...
         C: n ESEARCH IN (personal) RETURN (PARTIAL 1:1) MODSEQ 2 RECENT
         S: * ESEARCH (TAG \"n\" MAILBOX INBOX UIDVALIDITY ...) UID PARTIAL (1:1 1) MODSEQ ...
         S: * ESEARCH (TAG \"n\" MAILBOX work UIDVALIDITY ...) UID PARTIAL (1:1 1) MODSEQ ...
         S: * ESEARCH (TAG \"n\" MAILBOX work/a UIDVALIDITY ...) UID PARTIAL (1:1 1) MODSEQ ...
         S: * ESEARCH (TAG \"n\" MAILBOX work/a/b UIDVALIDITY ...) UID PARTIAL (1:1 1) MODSEQ ...
         S: * ESEARCH (TAG \"n\" MAILBOX workshop UIDVALIDITY ...) UID PARTIAL (1:1 1) MODSEQ ...
         S: n OK ...
         C: o ESEARCH IN (mailboxes nothing) NONSENSE
         S: o BAD ...
         C: p ESEARCH IN (mailboxes nothing) ALL
         S: p OK ...
         C: q ESEARCH IN (personal) CHARSET EBCDIC ALL
         S: q NO [BADCHARSET ...
         C: r ESEARCH IN (selected personal) ALL
         S: r BAD ...
         C: s ESEARCH ALL
         S: s BAD ...
         C: t ESEARCH IN (personal) RETURN (SAVE) ALL
         S: t BAD ...")
            .into_boxed_str(),
    ));
}

#[test]
fn the_selected_mailbox_is_searched_as_the_client_knows_it() {
    play_with(
        3,
        "C: a ESEARCH SUBJECT 2
         S: * ESEARCH (TAG \"a\" MAILBOX INBOX UIDVALIDITY ...) UID ALL 2
         S: a OK ...
         C: b ESEARCH IN (selected) RETURN (SAVE COUNT) 2:9
         S: * ESEARCH (TAG \"b\" MAILBOX INBOX UIDVALIDITY ...) UID COUNT 2
         S: b OK ...
         C: c FETCH $ UID
         S: * 2 FETCH (UID 2)
         S: * 3 FETCH (UID 3)
         S: c OK ...
         C: d ESEARCH IN (selected mailboxes Trash) RETURN (COUNT) $
         S: * ESEARCH (TAG \"d\" MAILBOX INBOX UIDVALIDITY ...) UID COUNT 2
         S: d OK ...
         C: e ESEARCH IN (personal) RETURN (COUNT) $
         S: e OK ...
         C: f ESEARCH RETURN (COUNT) SUBJECT nothing
         S: f OK ESEARCH completed
         C: g ESEARCH RETURN (SAVE) SUBJECT 1
         S: g OK ...
         C: h FETCH $ UID
         S: * 1 FETCH (UID 1)
         S: h OK ...
         C: i ENABLE UIDONLY
         S: * ENABLED UIDONLY
         S: i OK ...
         C: j ESEARCH IN (personal) 1:2
         S: j BAD [UIDREQUIRED] ...
         C: k ESEARCH IN (personal) UID 2:3
         S: * ESEARCH (TAG \"k\" MAILBOX INBOX UIDVALIDITY ...) UID ALL 2:3
         S: k OK ...",
    );
}

#[test]
fn a_guest_finds_what_it_may_read() {
    sharing::play(
        "C: a CREATE open
         S: a OK ...
         C: a CREATE open/closed
         S: a OK ...
         C: a CREATE open/hidden
         S: a OK ...
         C: b SETACL open bob@example.org lr
         S: b OK ...
         C: b SETACL open/hidden bob@example.org r
         S: b OK ...
         C: b SETACL open/closed bob@example.org l
         S: b OK ...
         C: c APPEND open (\\Seen) {12+}
         C: Subject: x
         C: 
         S: c OK ...
         C: c APPEND open/closed {12+}
         C: Subject: x
         C: 
         S: c OK ...
         C: c APPEND open/hidden {12+}
         C: Subject: x
         C: 
         S: c OK ...
         C2: d ESEARCH IN (subtree \"Other Users/ann@example.org/open\") UNSEEN
         S2: * ESEARCH (TAG \"d\" MAILBOX \"Other Users/ann@example.org/open\" UIDVALIDITY ...) UID ALL 1
         S2: d OK ...
         C2: e ESEARCH IN (mailboxes (\"Other Users/ann@example.org/open/hidden\" \"Other Users/ann@example.org/open/closed\")) ALL
         S2: * ESEARCH (TAG \"e\" MAILBOX \"Other Users/ann@example.org/open/hidden\" UIDVALIDITY ...) UID ALL 1
         S2: e OK ...
         C2: f ESEARCH IN (personal) ALL
         S2: f OK ...
         C2: g ESEARCH IN (mailboxes \"Other Users/ann@example.org/INBOX\") ALL
         S2: g OK ...
         C2: h SUBSCRIBE \"Other Users/ann@example.org/open\"
         S2: h OK ...
         C2: i ESEARCH IN (subscribed) SEEN
         S2: i OK ...
         C2: j ESEARCH IN (subscribed) RETURN (COUNT) SUBJECT x
         S2: * ESEARCH (TAG \"j\" MAILBOX \"Other Users/ann@example.org/open\" UIDVALIDITY ...) UID COUNT 1
         S2: j OK ...
         C4: k ESEARCH IN (mailboxes \"Other Users/ann@example.org/open\" subtree \"\") ALL
         S4: k OK ...
         C3: l ESEARCH IN (subtree \"Other Users\" subtree Shared) ALL
         S3: l OK ...",
    );
}
