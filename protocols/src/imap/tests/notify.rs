//! NOTIFY (RFC 5465): what sessions are told without asking, while they send no command.
use super::{ImapService, logged_in, play, play_with};
use crate::limits;
use crate::runtime::sim;
use std::sync::Arc;

#[test]
fn the_selected_mailbox_is_told_at_once() {
    play_with(
        2,
        "C: a NOTIFY SET (selected (MessageNew (UID BODY.PEEK[HEADER.FIELDS (SUBJECT)]) MessageExpunge FlagChange))
         S: a OK NOTIFY completed
         C2: b EXAMINE INBOX
         S2: >>> b OK ...
         C2: c APPEND INBOX (\\Seen) {14+}
         C2: Subject: new
         C2: 
         S2: * 3 EXISTS
         S2: * ... RECENT
         S2: c OK ...
         S: * 3 EXISTS
         S: * ... RECENT
         S: * 3 FETCH (UID 3 BODY[HEADER.FIELDS (SUBJECT)] {16}
         S: Subject: new
         S: 
         S: )
         C3: d SELECT INBOX
         S3: >>> d OK ...
         C3: e STORE 1:2 +FLAGS.SILENT (\\Deleted)
         S3: e OK ...
         S: * 1 FETCH (UID 1 FLAGS (\\Deleted \\Recent))
         S: * 2 FETCH (UID 2 FLAGS (\\Deleted \\Recent))
         C3: f EXPUNGE
         S3: * 2 EXPUNGE
         S3: * 1 EXPUNGE
         S3: f OK ...
         S: * 2 EXPUNGE
         S: * 1 EXPUNGE
         C: g APPEND INBOX {3+}
         C: own
         S: * 2 EXISTS
         S: * ... RECENT
         S: g OK [APPENDUID ...
         C: h NOOP
         S: h OK ...",
    );
}

#[test]
fn expunges_wait_where_numbers_are_used() {
    play_with(
        3,
        "C: a NOTIFY SET (selected-delayed (MessageNew MessageExpunge FlagChange))
         S: a OK ...
         C2: b SELECT INBOX
         S2: >>> b OK ...
         C2: c STORE 1 +FLAGS.SILENT (\\Deleted)
         S2: c OK ...
         S: * 1 FETCH (UID 1 FLAGS (\\Deleted \\Recent))
         C2: d EXPUNGE
         S2: * 1 EXPUNGE
         S2: d OK ...
         C2: e STORE 1 +FLAGS.SILENT (\\Flagged)
         S2: e OK ...
         S: * 2 FETCH (UID 2 FLAGS (\\Flagged \\Recent))
         C: f FETCH 3 (UID)
         S: * 3 FETCH (UID 3)
         S: f OK ...
         C: g NOOP
         S: * 1 EXPUNGE
         S: g OK ...",
    );
}

#[test]
fn without_the_selected_mailbox_it_stays_as_it_was() {
    play_with(
        2,
        "C: a NOTIFY SET (selected NONE)
         S: a OK ...
         C2: b SELECT INBOX
         S2: >>> b OK ...
         C2: c APPEND INBOX {3+}
         C2: abc
         S2: * 3 EXISTS
         S2: ...
         S2: c OK ...
         C2: d STORE 1 +FLAGS.SILENT (\\Deleted)
         S2: d OK ...
         C2: e EXPUNGE
         S2: * 1 EXPUNGE
         S2: e OK ...
         C2: f STORE 1 +FLAGS.SILENT (\\Flagged)
         S2: f OK ...
         C: g NOOP
         S: g OK ...
         C: h FETCH 1:* (UID)
         S: * 1 FETCH (UID 1)
         S: * 2 FETCH (UID 2)
         S: h OK ...
         C: i STORE 2 +FLAGS (\\Answered)
         S: * 2 FETCH (FLAGS (\\Answered \\Flagged \\Recent))
         S: i OK ...
         C: j NOOP
         S: j OK ...
         C: k IDLE
         S: + idling
         C: DONE
         S: k OK ...
         C: l NOTIFY SET (selected (MessageNew MessageExpunge))
         S: * 1 EXPUNGE
         S: * 2 EXISTS
         S: * ... RECENT
         S: * 1 FETCH (UID 2 FLAGS (\\Answered \\Flagged \\Recent))
         S: l OK ...
         C2: m STORE 2 +FLAGS.SILENT (\\Flagged)
         S2: * 1 FETCH (FLAGS (\\Answered \\Flagged))
         S2: m OK ...
         C2: n APPEND INBOX {3+}
         C2: abc
         S2: * 3 EXISTS
         S2: ...
         S2: n OK ...
         S: * 3 EXISTS
         S: * ... RECENT
         C: o NOTIFY SET (selected (MessageNew MessageExpunge FlagChange))
         S: * 2 FETCH (UID 3 FLAGS (\\Flagged...
         S: * 3 FETCH (UID 4 FLAGS (...
         S: o OK ...",
    );
}

#[test]
fn none_is_told_nothing_but_what_it_does_itself() {
    play_with(
        2,
        "C: p NOTIFY NONE
         S: p OK ...
         C2: q APPEND INBOX {3+}
         C2: abc
         S2: q OK ...
         C: r UID STORE 2 +FLAGS.SILENT (\\Deleted)
         S: r OK ...
         C: s EXPUNGE
         S: * 2 EXPUNGE
         S: * 2 EXISTS
         S: * ... RECENT
         S: s OK ...",
    );
}

#[test]
fn other_mailboxes_are_told_by_their_status() {
    play(
        "C: a CREATE Lists/a
         S: a OK ...
         C: b NOTIFY SET STATUS (subtree Lists (MessageNew MessageExpunge FlagChange)) (mailboxes INBOX (MessageNew MessageExpunge))
         S: * STATUS INBOX (MESSAGES 0 UIDNEXT 1 UIDVALIDITY ...)
         S: * STATUS Lists (MESSAGES 0 UIDNEXT 1 UIDVALIDITY ... UNSEEN 0 HIGHESTMODSEQ 1)
         S: * STATUS Lists/a (MESSAGES 0 UIDNEXT 1 UIDVALIDITY ... UNSEEN 0 HIGHESTMODSEQ 1)
         S: b OK ...
         C2: c APPEND Lists/a {3+}
         C2: abc
         S2: c OK ...
         S: * STATUS Lists/a (MESSAGES 1 UIDNEXT 2 UNSEEN 1 UIDVALIDITY ...)
         C2: d SELECT Lists/a
         S2: >>> d OK ...
         C2: e STORE 1 FLAGS.SILENT (\\Flagged)
         S2: e OK ...
         C2: f STORE 1 FLAGS.SILENT (\\Seen)
         S2: f OK ...
         S: * STATUS Lists/a (UNSEEN 0 UIDVALIDITY ...)
         C: g ENABLE CONDSTORE
         S: * ENABLED CONDSTORE
         S: g OK ...
         C2: h STORE 1 +FLAGS.SILENT (\\Deleted)
         S2: h OK ...
         S: * STATUS Lists/a (HIGHESTMODSEQ 5 UIDVALIDITY ...)
         C2: i EXPUNGE
         S2: * 1 EXPUNGE
         S2: i OK ...
         S: * STATUS Lists/a (MESSAGES 0 UIDNEXT 2 HIGHESTMODSEQ 6 UIDVALIDITY ...)
         C: j IDLE
         S: + idling
         C2: k APPEND INBOX (\\Seen) {3+}
         C2: abc
         S2: k OK ...
         S: * STATUS INBOX (MESSAGES 1 UIDNEXT 2 HIGHESTMODSEQ 2 UIDVALIDITY ...)
         C: DONE
         S: j OK ...
         C: l APPEND Lists/a {3+}
         C: own
         S: l OK ...
         C: m NOOP
         S: m OK ...
         C2: n NOOP
         S2: * 1 EXISTS
         S2: ...
         S2: n OK ...
         C: o NOTIFY NONE
         S: o OK ...
         C2: p APPEND INBOX {3+}
         C2: abc
         S2: p OK ...
         C: q NOOP
         S: q OK ...",
    );
}

/// While a mailbox is selected it is not told of by STATUS; once another is, what the client has missed is.
#[test]
fn what_is_left_is_watched_again() {
    play_with(
        1,
        "C: a NOTIFY SET (selected NONE) (personal (MessageNew MessageExpunge))
         S: a OK ...
         C2: b APPEND INBOX {3+}
         C2: abc
         S2: b OK ...
         C: c NOOP
         S: c OK ...
         C: d UNSELECT
         S: d OK ...
         S: * STATUS INBOX (MESSAGES 2 UIDNEXT 3 UIDVALIDITY ...)
         C: e CREATE x
         S: e OK ...
         C: f NOOP
         S: f OK ...",
    );
}

#[test]
fn names_subscriptions_and_annotations() {
    play(
        "C: a NOTIFY SET (personal (MailboxName SubscriptionChange MailboxMetadataChange ServerMetadataChange))
         S: a OK ...
         C2: b CREATE x/y
         S2: b OK ...
         S: * LIST (\\HasChildren) \"/\" x
         S: * LIST (\\HasNoChildren) \"/\" x/y
         C2: c RENAME x z
         S2: c OK ...
         S: * LIST (\\HasChildren) \"/\" z (\"OLDNAME\" (x))
         C2: d SUBSCRIBE z/y
         S2: d OK ...
         S: * LIST (\\HasNoChildren \\Subscribed) \"/\" z/y
         C2: e DELETE z/y
         S2: e OK ...
         S: * LIST (\\HasNoChildren) \"/\" z
         S: * LIST (\\HasNoChildren \\NonExistent \\Subscribed) \"/\" z/y
         C2: f UNSUBSCRIBE z/y
         S2: f OK ...
         S: * LIST (\\HasNoChildren \\NonExistent) \"/\" z/y
         C2: g SETMETADATA z (/private/comment \"x\" /shared/comment \"y\")
         S2: g OK ...
         S: * METADATA z /private/comment /shared/comment
         C2: h SETMETADATA z (/private/comment NIL /shared/comment \"y\")
         S2: h OK ...
         S: * METADATA z /private/comment
         C2: i SETMETADATA \"\" (/private/vendor/x \"x\")
         S2: i OK ...
         S: * METADATA \"\" /private/vendor/x
         C2: j DELETE z
         S2: j OK ...
         S: * LIST (\\HasNoChildren \\NonExistent) \"/\" z
         C: k CREATE own/x
         S: k OK ...
         C: l RENAME own mine
         S: l OK ...
         C: m SUBSCRIBE mine
         S: m OK ...
         C: n SETMETADATA mine (/private/comment \"x\")
         S: n OK ...
         C: o DELETE mine/x
         S: o OK ...
         C: p SETMETADATA \"\" (/private/vendor/x NIL)
         S: p OK ...
         C: q NOOP
         S: q OK ...
         C2: r DELETE mine
         S2: r OK ...
         S: * LIST (\\HasNoChildren \\NonExistent \\Subscribed) \"/\" mine",
    );
}

/// `subscribed` is what is subscribed at that time.
#[test]
fn what_is_subscribed_is_looked_up_again() {
    play(
        "C: a CREATE x
         S: a OK ...
         C: b NOTIFY SET (subscribed (MessageNew MessageExpunge))
         S: b OK ...
         C2: c APPEND x {3+}
         C2: abc
         S2: c OK ...
         C: n NOOP
         S: n OK ...
         C2: d SUBSCRIBE x
         S2: d OK ...
         C2: e APPEND x {3+}
         C2: abc
         S2: e OK ...
         S: * STATUS x (MESSAGES 2 UIDNEXT 3 UIDVALIDITY ...)
         C2: f UNSUBSCRIBE x
         S2: f OK ...
         C2: g APPEND x {3+}
         C2: abc
         S2: g OK ...
         C: h NOOP
         S: h OK ...",
    );
}

#[test]
fn what_is_refused_changes_nothing() {
    play(
        "C: a NOTIFY SET (personal (MailboxName))
         S: a OK ...
         C: b NOTIFY SET (personal (MailboxName Novelty))
         S: b NO [BADEVENT (MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange MailboxMetadataChange ServerMetadataChange)] ...
         C: c NOTIFY SET (personal (FlagChange))
         S: c BAD ...
         C: d NOTIFY
         S: d BAD ...
         C: e NOTIFY GET
         S: e BAD ...
         C: f NOTIFY NONE x
         S: f BAD ...
         C2: g CREATE x
         S2: g OK ...
         S: * LIST (\\HasNoChildren) \"/\" x",
    );
    let names = (0..=limits::IMAP_NOTIFY_NAMES_MAX).map(|at| format!("a{at}")).collect::<Vec<_>>().join(" ");
    let script = format!(
        "C: a NOTIFY SET (mailboxes ({names}) (MailboxName))
         S: a NO [NOTIFICATIONOVERFLOW] ..."
    );
    play(Box::leak(script.into_boxed_str()));
}

/// A client that has half a command on its way is not told anything in between.
#[test]
fn half_a_command_is_not_disturbed() {
    let service = ImapService::new(Arc::new(crate::testing::shared()));
    sim::run(move |net| async move {
        let mut watcher = logged_in(&net, &service, "ann@example.org").await;
        let mut other = logged_in(&net, &service, "ann@example.org").await;
        watcher.write(b"a NOTIFY SET (personal (MailboxName))\r\n").await;
        assert!(watcher.read_line().await.starts_with(b"a OK"));
        watcher.write(b"b NO").await;
        for name in ["x", "y"] {
            other.write(format!("c CREATE {name}\r\n").as_bytes()).await;
            assert!(other.read_line().await.starts_with(b"c OK"));
        }
        watcher.write(b"OP\r\n").await;
        for expected in
            ["* LIST (\\HasNoChildren) \"/\" x\r\n", "* LIST (\\HasNoChildren) \"/\" y\r\n", "b OK NOOP completed\r\n"]
        {
            assert_eq!(String::from_utf8_lossy(&watcher.read_line().await), expected);
        }
    });
}
