//! NOTIFY (RFC 5465) for mailboxes of others: rights that come and go, business mailboxes, and what is too much.
use super::sharing::{play as play_shared, town};
use super::{ImapService, logged_in};
use crate::limits;
use crate::runtime::sim;
use crate::testing::perform;
use posthouse_engine::Engine;
use posthouse_engine::base::MailboxId;
use posthouse_engine::directory::{AclChange, AclMode, Address, Change, Grantee, Quota, Rights};
use std::sync::Arc;

#[test]
fn rights_come_and_go() {
    play_shared(
        "C: a CREATE work
         S: a OK ...
         C2: b NOTIFY SET STATUS (subtree \"Other Users\" (MessageNew MessageExpunge MailboxName))
         S2: b OK ...
         C: c APPEND work {3+}
         C: abc
         S: c OK ...
         C: d SETACL work bob@example.org l
         S: d OK ...
         S2: * LIST (\\HasNoChildren \\NoAccess) \"/\" \"Other Users/ann@example.org/work\"
         C: e APPEND work {3+}
         C: abc
         S: e OK ...
         C: f SETACL work bob@example.org lr
         S: f OK ...
         S2: * LIST (\\HasNoChildren) \"/\" \"Other Users/ann@example.org/work\"
         S2: * STATUS \"Other Users/ann@example.org/work\" (MESSAGES 2 UIDNEXT 3 UIDVALIDITY ...)
         C: g APPEND work {3+}
         C: abc
         S: g OK ...
         S2: * STATUS \"Other Users/ann@example.org/work\" (MESSAGES 3 UIDNEXT 4 UIDVALIDITY ...)
         C: h APPEND INBOX {3+}
         C: abc
         S: h OK ...
         C2: i NOOP
         S2: i OK ...
         C: j RENAME work play
         S: j OK ...
         S2: * LIST (\\HasNoChildren) \"/\" \"Other Users/ann@example.org/play\" (\"OLDNAME\" (\"Other Users/ann@example.org/work\"))
         C: k DELETEACL play bob@example.org
         S: k OK ...
         S2: * LIST (\\HasNoChildren \\NonExistent \\NoAccess) \"/\" \"Other Users/ann@example.org/play\"
         C: l APPEND play {3+}
         C: abc
         S: l OK ...
         C2: m NOOP
         S2: m OK ...
         C: n SETACL play anyone lr
         S: n OK ...
         S2: * LIST (\\HasNoChildren) \"/\" \"Other Users/ann@example.org/play\"
         S2: * STATUS \"Other Users/ann@example.org/play\" (MESSAGES 4 UIDNEXT 5 UIDVALIDITY ...)
         C: o SETACL play anyone l
         S: o OK ...
         S2: * LIST (\\HasNoChildren \\NoAccess) \"/\" \"Other Users/ann@example.org/play\"
         C2: p NOTIFY SET (mailboxes (\"Other Users/ann@example.org/play\" nowhere) (MessageNew MessageExpunge))
         S2: * LIST (\\HasNoChildren \\NoAccess) \"/\" \"Other Users/ann@example.org/play\"
         S2: p OK ...",
    );
}

/// A business mailbox is told to all who may open it, with what each has not seen.
#[test]
fn business_mailboxes_are_watched() {
    play_shared(
        "C5: a NOTIFY SET STATUS (subtree Shared (MessageNew MessageExpunge FlagChange MailboxMetadataChange))
         S5: * STATUS Shared/info@example.org/INBOX (MESSAGES 0 ...
         S5: * STATUS Shared/info@example.org/...
         S5: * STATUS Shared/info@example.org/...
         S5: * STATUS Shared/info@example.org/...
         S5: * STATUS Shared/info@example.org/...
         S5: a OK ...
         C2: b APPEND Shared/info@example.org/INBOX {3+}
         C2: abc
         S2: b OK ...
         S5: * STATUS Shared/info@example.org/INBOX (MESSAGES 1 UIDNEXT 2 UNSEEN 1 UIDVALIDITY ...)
         C2: c SETMETADATA Shared/info@example.org/INBOX (/shared/comment \"x\")
         S2: c OK ...
         S5: * METADATA Shared/info@example.org/INBOX /shared/comment",
    );
}

/// A new member that lets bob into its INBOX.
fn share(engine: &Engine, number: usize) {
    let address = Address::parse(&format!("m{number}@example.org")).expect("an address");
    let id = |address: &Address| {
        engine.directory(|directory| directory.account_at(address).map(|account| account.id)).expect("a member")
    };
    let done =
        |change| engine.change_directory(vec![change]).wait().into_iter().for_each(|done| done.expect("it is done"));
    done(Change::MemberAdd {
        address: address.clone(),
        name: String::new(),
        password_hash: None,
        vip: false,
        quota: Quota::Default,
    });
    let (owner, who) = (id(&address), Grantee::Account(id(&Address::parse("bob@example.org").expect("an address"))));
    let (mailbox, mode, rights) = (MailboxId::INBOX, AclMode::Replace, Rights::ALL);
    done(Change::Acl(AclChange::Set { owner, mailbox, who, negative: false, mode, rights }));
}

/// More accounts share something than one session watches.
#[test]
fn too_much_to_watch_ends_it() {
    let shared = town(1);
    let engine = shared.engine.clone();
    let room = Change::TenantSet { name: "example".into(), title: None, accounts_max: Some(1000), disabled: None };
    engine.change_directory(vec![room]).wait().into_iter().for_each(|done| done.expect("it is done"));
    (0..limits::IMAP_NOTIFY_ACCOUNTS_MAX).for_each(|number| share(&engine, number));
    let service = ImapService::new(Arc::new(shared));
    sim::run(move |net| async move {
        let mut clients = vec![logged_in(&net, &service, "bob@example.org").await];
        perform(
            &mut clients,
            "C: a NOTIFY SET (subtree \"Other Users\" (MessageNew MessageExpunge))
             S: a OK ...",
        )
        .await;
        share(&engine, limits::IMAP_NOTIFY_ACCOUNTS_MAX);
        perform(
            &mut clients,
            "S: * OK [NOTIFICATIONOVERFLOW] ...
             C: b NOTIFY SET (subtree \"Other Users\" (MessageNew MessageExpunge))
             S: b NO [NOTIFICATIONOVERFLOW] ...",
        )
        .await;
    });
}
