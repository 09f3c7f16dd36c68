//! Who sees quotas and who sets them (RFC 9208).
use super::sharing::town;
use super::{logged_in, sessions};
use crate::imap::ImapService;
use crate::runtime::sim;
use crate::testing::perform;
use posthouse_engine::directory::{Address, Change, Permission, Rule, ScopeName};
use std::sync::Arc;

/// Session 1 is ann, who administers the quotas of her tenant, 2 bob, who does not, 3 eve of another tenant, who does there.
fn play(script: &'static str) {
    let shared = town(1);
    let admin = |address: &str| Change::RuleAdd {
        scope: ScopeName::Account(Address::parse(address).expect("an address")),
        rule: Rule::Admin(Permission::Quotas),
    };
    let changes = vec![admin("ann@example.org"), admin("eve@other.test")];
    for done in shared.engine.change_directory(changes).wait() {
        done.expect("the directory takes it");
    }
    let service = ImapService::new(Arc::new(shared));
    sim::run(move |net| async move {
        let mut clients = Vec::new();
        for name in ["ann@example.org", "bob@example.org", "eve@other.test"].into_iter().take(sessions(script)) {
            clients.push(logged_in(&net, &service, name).await);
        }
        perform(&mut clients, script).await;
    });
}

#[test]
fn administrators_set_quotas() {
    play(
        "C: a GETQUOTA \"Other Users/bob@example.org\"
         S: * QUOTA \"Other Users/bob@example.org\" (STORAGE 0 9)
         S: a OK GETQUOTA completed
         C: b SETQUOTA \"Other Users/bob@example.org\" (STORAGE 1048576)
         S: * QUOTA \"Other Users/bob@example.org\" (STORAGE 0 1048576)
         S: b OK SETQUOTA completed
         C2: c GETQUOTA account
         S2: * QUOTA account (STORAGE 0 1048576)
         S2: c OK ...
         C: d SETQUOTA \"Other Users/bob@example.org\" ()
         S: * QUOTA \"Other Users/bob@example.org\" ()
         S: d OK ...
         C: e GETQUOTA \"Other Users/bob@example.org\"
         S: * QUOTA \"Other Users/bob@example.org\" ()
         S: e OK ...
         C2: f GETQUOTA account
         S2: f NO [NONEXISTENT] ...
         C2: f GETQUOTAROOT INBOX
         S2: * QUOTAROOT INBOX
         S2: f OK ...
         C: g SETQUOTA \"Other Users/cid@example.org\" (storage 1048576)
         S: * QUOTA \"Other Users/cid@example.org\" (STORAGE 0 1048576)
         S: g OK ...
         C: h SETQUOTA Shared/info@example.org ()
         S: * QUOTA Shared/info@example.org ()
         S: h OK ...
         C: i SETQUOTA account ()
         S: * QUOTA account ()
         S: i OK ...",
    );
}

#[test]
fn what_is_not_allowed_is_said() {
    play(
        "C: a SETQUOTA account (STORAGE 512)
         S: a NO [CANNOT] ...(STORAGE 1048576)...
         C: b SETQUOTA account (MESSAGE 100)
         S: b NO [CANNOT] ...
         C: c SETQUOTA account (STORAGE 1048576 MESSAGE 100)
         S: c NO [CANNOT] ...
         C: d SETQUOTA account (STORAGE)
         S: d BAD ...
         C: e SETQUOTA account
         S: e BAD ...
         C: f SETQUOTA nothing ()
         S: f NO [NONEXISTENT] ...
         C: g SETQUOTA \"Other Users/eve@other.test\" ()
         S: g NO [NONEXISTENT] ...
         C: h SETQUOTA \"Other Users/info@example.org\" ()
         S: h NO [NONEXISTENT] ...
         C: i GETQUOTA account
         S: * QUOTA account (STORAGE 0 1048576)
         S: i OK ...
         C: j CAPABILITY
         S: * CAPABILITY ... QUOTASET ...
         S: j OK ...
         C2: k SETQUOTA account ()
         S2: k NO [NOPERM] ...
         C2: l GETQUOTA \"Other Users/cid@example.org\"
         S2: l NO [NONEXISTENT] ...
         C3: m SETQUOTA \"Other Users/ann@example.org\" ()
         S3: m NO [NONEXISTENT] ...
         C3: n GETQUOTA \"Other Users/ann@example.org\"
         S3: n NO [NONEXISTENT] ...
         C3: o SETQUOTA account ()
         S3: * QUOTA account ()
         S3: o OK ...",
    );
}

/// Bob may hold two messages.
const MESSAGES: &str = "C2: a APPEND INBOX {12+}
        C2: Subject: 1
        C2: 
        S2: a OK ...
        C2: b APPEND INBOX {12+}
        C2: Subject: 2
        C2:  {12+}
        C2: Subject: 3
        C2: 
        S2: b NO [OVERQUOTA] Quota exceeded: 1 of 2 messages held
        C2: c APPEND INBOX {12+}
        C2: Subject: 2
        C2: 
        S2: c OK ...
        C2: d GETQUOTAROOT INBOX
        S2: * QUOTAROOT INBOX account
        S2: * QUOTA account (STORAGE 1 9 MESSAGE 2 2)
        S2: d OK ...
        C2: e APPEND INBOX {12+}
        C2: Subject: 3
        C2: 
        S2: e NO [OVERQUOTA] ...
        C2: f SELECT INBOX
        S2: * FLAGS ...
        S2: * OK ...
        S2: * 2 EXISTS
        S2: * 2 RECENT
        S2: * OK [UNSEEN 1] ...
        S2: * OK [UIDVALIDITY ...
        S2: * OK [UIDNEXT ...
        S2: * OK [HIGHESTMODSEQ ...
        S2: * OK [MAILBOXID ...
        S2: f OK ...
        C2: g COPY 1 Trash
        S2: g NO [OVERQUOTA] ...
        C2: h REPLACE 1 INBOX {12+}
        C2: Subject: 4
        C2: 
        S2: * OK [APPENDUID ...
        S2: * 1 EXPUNGE
        S2: * 2 EXISTS
        S2: * 2 RECENT
        S2: h OK ...
        C2: i MOVE 1 Trash
        S2: * OK [COPYUID ...
        S2: * 1 EXPUNGE
        S2: i OK ...
        C2: j STORE 1 +FLAGS.SILENT (\\Deleted)
        S2: j OK ...
        C2: k EXPUNGE
        S2: * 1 EXPUNGE
        S2: k OK ...
        C2: l GETQUOTA account
        S2: * QUOTA account (STORAGE 1 9 MESSAGE 1 2)
        S2: l OK ...
        C: m SETQUOTA \"Other Users/bob@example.org\" (STORAGE 1048576)
        S: * QUOTA \"Other Users/bob@example.org\" (STORAGE 1 1048576)
        S: m OK ...
        C2: n APPEND Trash {12+}
        C2: Subject: 5
        C2:  {12+}
        C2: Subject: 6
        C2: 
        S2: n OK ...";

#[test]
fn messages_are_a_resource_where_they_are_limited() {
    let shared = town(1);
    let limit = |address: &str, rule: &str| Change::RuleAdd {
        scope: ScopeName::Account(Address::parse(address).expect("an address")),
        rule: rule.parse().expect("a rule"),
    };
    let changes = vec![limit("bob@example.org", "messages 2"), limit("ann@example.org", "admin quotas")];
    for done in shared.engine.change_directory(changes).wait() {
        done.expect("the directory takes it");
    }
    let service = ImapService::new(Arc::new(shared));
    sim::run(move |net| async move {
        let mut clients = Vec::new();
        for name in ["ann@example.org", "bob@example.org"] {
            clients.push(logged_in(&net, &service, name).await);
        }
        perform(&mut clients, MESSAGES).await;
    });
}
