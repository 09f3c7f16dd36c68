//! Mailboxes of others: access control lists, business mailboxes, what is shown and what is not, each member's own \Seen.
use super::{logged_in, sessions};
use crate::imap::ImapService;
use crate::runtime::sim;
use crate::session::Shared;
use crate::testing::{perform, shared_in};
use posthouse_engine::base::SimClock;
use posthouse_engine::directory::{Address, Change, Quota};
use posthouse_engine::disk::sim::SimDisk;
use std::sync::Arc;

/// Beside ann and bob: cid, the group team@ of bob alone, the business mailbox info@ that bob opens, and eve, who belongs to another
/// tenant. Shards: ann, cid and eve in one, bob and info@ in the other.
pub(super) fn town(shards: u16) -> Shared {
    town_on(SimDisk::new(1), shards)
}

pub(super) fn town_on(disk: SimDisk, shards: u16) -> Shared {
    let shared = shared_in(disk, Arc::new(SimClock::at_ms(1_795_492_248_000)), shards);
    let at = |address: &str| Address::parse(address).expect("an address");
    let engine = &shared.engine;
    if engine.directory(|directory| directory.account_at(&at("cid@example.org")).is_some()) {
        return shared;
    }
    let hash = engine.directory(|directory| {
        directory.account_at(&at("ann@example.org")).and_then(|ann| ann.password_hash.clone()).map(String::from)
    });
    let member = |address: &str| Change::MemberAdd {
        address: at(address),
        name: String::new(),
        password_hash: hash.clone(),
        vip: false,
        quota: Quota::Default,
    };
    let changes = vec![
        member("cid@example.org"),
        Change::BusinessAdd {
            address: at("info@example.org"),
            name: String::new(),
            password_hash: None,
            quota: Quota::Default,
            users: vec![at("bob@example.org")],
        },
        Change::GroupAdd { address: at("team@example.org"), name: String::new(), members: vec![at("bob@example.org")] },
        Change::TenantAdd { name: "other".into(), title: String::new(), accounts_max: None },
        Change::DomainAdd { tenant: "other".into(), domain: "other.test".into() },
        member("eve@other.test"),
    ];
    for done in engine.change_directory(changes).wait() {
        done.expect("the directory takes it");
    }
    let info = engine.directory(|directory| directory.account_at(&at("info@example.org")).map(|found| found.id));
    engine.open_account(info.expect("info@")).wait().expect("it is opened");
    shared
}

/// Plays a transcript in which session 1 is ann, 2 bob, 3 cid, 4 eve, 5 bob again; in one shard and in two.
pub(super) fn play(script: &'static str) {
    for shards in [1, 2] {
        let service = ImapService::new(Arc::new(town(shards)));
        sim::run(move |net| async move {
            let names = ["ann@example.org", "bob@example.org", "cid@example.org", "eve@other.test", "bob@example.org"];
            let mut clients = Vec::new();
            for name in &names[..sessions(script)] {
                clients.push(logged_in(&net, &service, name).await);
            }
            perform(&mut clients, script).await;
        });
    }
}

#[test]
fn lists_are_set_shown_and_taken_away() {
    play(
        "C: a GETACL INBOX
         S: * ACL INBOX ann@example.org lrswipkxteacd
         S: a OK ...
         C: b SETACL INBOX bob@example.org lr
         S: b OK SETACL completed
         C: c SETACL INBOX bob@example.org +sw
         S: c OK ...
         C: d SETACL INBOX anyone lc
         S: d OK ...
         C: e SETACL INBOX -bob@example.org s
         S: e OK ...
         C: f SETACL INBOX team@example.org d
         S: f OK ...
         C: g GETACL INBOX
         S: * ACL INBOX ann@example.org lrswipkxteacd bob@example.org lrsw -bob@example.org s anyone lkxc team@example.org ted
         S: g OK ...
         C: h SETACL INBOX bob@example.org -w
         S: h OK ...
         C: i DELETEACL INBOX anyone
         S: i OK ...
         C: j GETACL INBOX
         S: * ACL INBOX ann@example.org lrswipkxteacd bob@example.org lrs -bob@example.org s team@example.org ted
         S: j OK ...
         C: k LISTRIGHTS INBOX bob@example.org
         S: * LISTRIGHTS INBOX bob@example.org \"\" l r s w i p k x t e a c d
         S: k OK ...
         C: l LISTRIGHTS INBOX ann@example.org
         S: * LISTRIGHTS INBOX ann@example.org lrswipkxteacd
         S: l OK ...
         C: m MYRIGHTS INBOX
         S: * MYRIGHTS INBOX lrswipkxteacd
         S: m OK ...
         C2: n MYRIGHTS \"Other Users/ann@example.org/INBOX\"
         S2: * MYRIGHTS \"Other Users/ann@example.org/INBOX\" lrted
         S2: n OK ...
         C: o SETACL INBOX ann@example.org l
         S: o NO [CANNOT] ...
         C: p SETACL INBOX nobody@example.org l
         S: p NO [CANNOT] There is no member ...
         C: q SETACL INBOX eve@other.test l
         S: q NO [CANNOT] There is no member ...
         C: r SETACL INBOX bob@example.org q
         S: r BAD ...
         C: s SETACL INBOX bob@example.org L
         S: s BAD ...
         C: t SETACL missing bob@example.org l
         S: t NO [NONEXISTENT] ...
         C: u DELETEACL INBOX bob@example.org
         S: u OK ...
         C: v DELETEACL INBOX bob@example.org
         S: v OK ...
         C: w GETACL INBOX
         S: * ACL INBOX ann@example.org lrswipkxteacd -bob@example.org s team@example.org ted
         S: w OK ...",
    );
}

#[test]
fn what_is_not_shared_does_not_exist() {
    play(
        "C: a CREATE work/plans
         S: a OK ...
         C: b SETACL work/plans bob@example.org lr
         S: b OK ...
         C2: c LIST \"\" \"Other Users/*\"
         S2: * LIST (\\HasChildren \\Noselect) \"/\" \"Other Users/ann@example.org\"
         S2: * LIST (\\HasChildren \\Noselect) \"/\" \"Other Users/ann@example.org/work\"
         S2: * LIST (\\HasNoChildren) \"/\" \"Other Users/ann@example.org/work/plans\"
         S2: c OK ...
         C2: d SELECT \"Other Users/ann@example.org/work\"
         S2: d NO [NONEXISTENT] There is no such mailbox
         C2: e STATUS \"Other Users/ann@example.org/INBOX\" (MESSAGES)
         S2: e NO [NONEXISTENT] There is no such mailbox
         C2: f SELECT \"Other Users/cid@example.org/INBOX\"
         S2: f NO [NONEXISTENT] There is no such mailbox
         C2: g SELECT \"Other Users/nobody@example.org/INBOX\"
         S2: g NO [NONEXISTENT] There is no such mailbox
         C2: h GETACL \"Other Users/ann@example.org/work\"
         S2: h NO [NONEXISTENT] There is no such mailbox
         C2: i GETACL \"Other Users/ann@example.org/work/plans\"
         S2: i NO [NOPERM] ...
         C2: j CREATE \"Other Users/ann@example.org/work/plans/x\"
         S2: j NO [NOPERM] ...
         C2: k CREATE \"Other Users/nobody@example.org/x\"
         S2: k NO [NOPERM] ...
         C2: l DELETE \"Other Users/ann@example.org/work/plans\"
         S2: l NO [NOPERM] ...
         C2: m RENAME \"Other Users/ann@example.org/work/plans\" mine
         S2: m NO [NOPERM] ...
         C2: n CREATE \"Other Users\"
         S2: n NO [NOPERM] ...
         C3: o LIST \"\" \"Other Users*\"
         S3: o OK ...
         C3: p SELECT \"Other Users/ann@example.org/work/plans\"
         S3: p NO [NONEXISTENT] There is no such mailbox
         C: q SETACL work/plans anyone lr
         S: q OK ...
         C3: r LIST \"\" \"Other Users/ann@example.org/work/%\"
         S3: * LIST (\\HasNoChildren) \"/\" \"Other Users/ann@example.org/work/plans\"
         S3: r OK ...
         C4: s LIST \"\" \"*plans\"
         S4: s OK ...
         C4: t SELECT \"Other Users/ann@example.org/work/plans\"
         S4: t NO [NONEXISTENT] There is no such mailbox
         C4: u MYRIGHTS \"Other Users/ann@example.org/work/plans\"
         S4: u NO [NONEXISTENT] There is no such mailbox
         C: v DELETEACL work/plans anyone
         S: v OK ...
         C3: w LIST \"\" \"Other Users/*\"
         S3: w OK ...",
    );
}

#[test]
fn namespaces_and_business_mailboxes() {
    play(
        "C: a NAMESPACE
         S: * NAMESPACE ((\"\" \"/\")) ((\"Other Users/\" \"/\")) ((\"Shared/\" \"/\"))
         S: a OK ...
         C: b LIST \"\" \"Shared/*\"
         S: b OK ...
         C2: c LIST \"\" \"Shared/*\" RETURN (MYRIGHTS)
         S2: * LIST (\\HasChildren \\NonExistent) \"/\" Shared/info@example.org
         S2: * LIST (\\HasNoChildren) \"/\" Shared/info@example.org/Drafts
         S2: * MYRIGHTS Shared/info@example.org/Drafts lrswipkxtecd
         S2: * LIST (\\HasNoChildren) \"/\" Shared/info@example.org/INBOX
         S2: * MYRIGHTS Shared/info@example.org/INBOX lrswipkxtecd
         S2: * LIST (\\HasNoChildren) \"/\" Shared/info@example.org/Junk
         S2: * MYRIGHTS Shared/info@example.org/Junk lrswipkxtecd
         S2: * LIST (\\HasNoChildren) \"/\" Shared/info@example.org/Sent
         S2: * MYRIGHTS Shared/info@example.org/Sent lrswipkxtecd
         S2: * LIST (\\HasNoChildren) \"/\" Shared/info@example.org/Trash
         S2: * MYRIGHTS Shared/info@example.org/Trash lrswipkxtecd
         S2: c OK ...
         C2: d CREATE Shared/info@example.org/orders/2026
         S2: d OK ...
         C2: e SUBSCRIBE Shared/info@example.org/orders/2026
         S2: e OK ...
         C2: f LSUB Shared/ *
         S2: * LSUB () \"/\" Shared/info@example.org/orders/2026
         S2: f OK ...
         C2: g RENAME Shared/info@example.org/orders/2026 Shared/info@example.org/done
         S2: g OK ...
         C2: h LSUB Shared/ *
         S2: * LSUB (\\Noselect) \"/\" Shared/info@example.org/orders/2026
         S2: h OK ...
         C2: i DELETE Shared/info@example.org/done
         S2: i OK ...
         C2: j DELETE Shared/info@example.org/inbox
         S2: j NO [CANNOT] ...
         C2: k SETACL Shared/info@example.org/INBOX bob@example.org lra
         S2: k NO [NOPERM] ...
         C2: l RENAME Junk Shared/info@example.org/mine
         S2: l NO [CANNOT] A mailbox stays in its account
         C2: m GETQUOTAROOT Shared/info@example.org/INBOX
         S2: * QUOTAROOT Shared/info@example.org/INBOX Shared/info@example.org
         S2: * QUOTA Shared/info@example.org (STORAGE 0 1048576)
         S2: m OK ...
         C2: n GETQUOTA Shared/info@example.org
         S2: * QUOTA Shared/info@example.org (STORAGE 0 1048576)
         S2: n OK ...
         C: o GETQUOTA Shared/info@example.org
         S: o NO [NONEXISTENT] ...
         C2: p SETQUOTA Shared/info@example.org (STORAGE 5)
         S2: p NO [NOPERM] ...",
    );
}

#[test]
fn made_below_and_renamed() {
    play(
        "C: a CREATE work
         S: a OK ...
         C: b SETACL work bob@example.org lrik
         S: b OK ...
         C2: c CREATE \"Other Users/ann@example.org/work/a/b\"
         S2: c OK [MAILBOXID ...
         C: d GETACL work/a/b
         S: * ACL work/a/b ann@example.org lrswipkxteacd bob@example.org lrikc
         S: d OK ...
         C: e GETACL work/a
         S: * ACL work/a ann@example.org lrswipkxteacd bob@example.org lrikc
         S: e OK ...
         C2: f RENAME \"Other Users/ann@example.org/work/a/b\" \"Other Users/ann@example.org/work/c\"
         S2: f NO [NOPERM] ...
         C: g SETACL work/a/b bob@example.org +x
         S: g OK ...
         C2: h RENAME \"Other Users/ann@example.org/work/a/b\" \"Other Users/ann@example.org/top\"
         S2: h NO [NOPERM] ...
         C2: i RENAME \"Other Users/ann@example.org/work/a/b\" \"Other Users/ann@example.org/work/c\"
         S2: i OK ...
         C: j GETACL work/c
         S: * ACL work/c ann@example.org lrswipkxteacd bob@example.org lrikxc
         S: j OK ...
         C2: k DELETE \"Other Users/ann@example.org/work/c\"
         S2: k OK ...
         C2: l CREATE \"Other Users/ann@example.org/work/s\" (USE (\\Archive))
         S2: l NO [USEATTR] ...
         C: m CREATE work/mine
         S: m OK ...
         C2: n MYRIGHTS \"Other Users/ann@example.org/work/mine\"
         S2: * MYRIGHTS \"Other Users/ann@example.org/work/mine\" lrikc
         S2: n OK ...",
    );
}

#[test]
fn annotations_of_shared_mailboxes() {
    play(
        "C: a SETMETADATA INBOX (/private/comment \"mine\" /shared/comment \"ours\")
         S: a OK ...
         C: b SETACL INBOX bob@example.org lr
         S: b OK ...
         C2: c GETMETADATA (DEPTH infinity) \"Other Users/ann@example.org/INBOX\" (/private/comment /shared/comment)
         S2: * METADATA \"Other Users/ann@example.org/INBOX\" (/shared/comment \"ours\")
         S2: c OK ...
         C2: d SETMETADATA \"Other Users/ann@example.org/INBOX\" (/shared/comment \"x\")
         S2: d NO [NOPERM] ...
         C: e SETACL INBOX bob@example.org +w
         S: e OK ...
         C2: f SETMETADATA \"Other Users/ann@example.org/INBOX\" (/shared/comment \"x\")
         S2: f OK ...
         C2: g SETMETADATA \"Other Users/ann@example.org/INBOX\" (/private/comment \"x\")
         S2: g NO [METADATA NOPRIVATE] ...
         C: h GETMETADATA INBOX (/private/comment /shared/comment)
         S: * METADATA INBOX (/private/comment \"mine\" /shared/comment \"x\")
         S: h OK ...",
    );
}

#[test]
fn a_mailbox_of_ones_own_hides_the_namespace() {
    // Made when nobody shared anything, or brought along from elsewhere: nothing of it is lost.
    let shared = town(1);
    let bob = shared.engine.directory(|directory| directory.login("bob@example.org").map(|bob| bob.id)).expect("bob");
    shared.engine.open_account(bob).wait().expect("it is opened");
    shared.engine.create_mailbox(bob, "Shared/mine", None).wait().expect("it is made");
    let service = ImapService::new(Arc::new(shared));
    sim::run(move |net| async move {
        let mut clients = vec![logged_in(&net, &service, "bob@example.org").await];
        let script = "C: a LIST \"\" Shared*
             S: * LIST (\\HasChildren) \"/\" Shared
             S: * LIST (\\HasNoChildren) \"/\" Shared/mine
             S: a OK ...
             C: b SELECT Shared/info@example.org/INBOX
             S: b NO [NONEXISTENT] ...
             C: c CREATE Shared/more
             S: c OK ...
             C: d DELETE Shared
             S: d OK ...
             C: e STATUS Shared/mine (MESSAGES)
             S: * STATUS Shared/mine (MESSAGES 0)
             S: e OK ...";
        perform(&mut clients, script).await;
    });
}
