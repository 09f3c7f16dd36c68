//! What an operator decides: what becomes of fetched messages, and who gets a header in UTF-8.
use super::{MAILS, append};
use crate::pop3::{Fetched, Policy, Pop3Service};
use crate::session::Shared;
use crate::testing::{play, shared_with};
use posthouse_engine::base::{Flags, MailboxId, SimClock};
use posthouse_engine::directory::{Change, Rule, ScopeName};
use posthouse_engine::disk::sim::SimDisk;
use posthouse_engine::index::SpecialUse;
use std::sync::Arc;

const DAY_MS: i64 = 86_400_000;

fn house() -> (Arc<Shared>, Arc<SimClock>) {
    let clock = Arc::new(SimClock::at_ms(1_795_492_248_000));
    let shared = shared_with(SimDisk::new(1), clock.clone());
    append(&shared, "ann@example.org", &MAILS);
    (Arc::new(shared), clock)
}

/// Sizes of the messages in INBOX that have a flag or have it not, and how many are in Trash.
fn inbox(shared: &Shared) -> (Vec<(u32, bool)>, usize) {
    let account = shared.engine.directory(|directory| directory.login("ann@example.org").map(|account| account.id));
    let account = shared.engine.account(account.expect("a member")).expect("open");
    let inbox = account.mailbox(MailboxId::INBOX).expect("there");
    let entries = inbox.entries.range(0..inbox.entries.len()).map(|entry| entry.expect("readable"));
    let trash = account.mailbox_for(SpecialUse::Trash).expect("there").entries.len();
    (entries.map(|entry| (entry.size_bytes, entry.flags.contains(Flags::SEEN))).collect(), trash)
}

/// A session that fetches the first message, looks at the top of the second, and ends so.
fn session(shared: &Arc<Shared>, fetched: Fetched, expire: &str, end: &str) {
    let script = format!(
        "S: +OK ...
         C: CAPA
         S: +OK ...
         S: TOP
         S: UIDL
         S: PIPELINING
         S: RESP-CODES
         S: AUTH-RESP-CODE
         S: UTF8 USER
         S: LANG
         S: EXPIRE {expire}
         S: USER
         S: SASL PLAIN LOGIN
         S: .
         C: USER ann@example.org
         S: +OK ...
         C: PASS secret
         S: +OK ...
         C: TOP 2 100
         S: +OK ...
         S: Subject: two
         S: ...
         S: no line end
         S: .
         C: RETR 1
         S: +OK 39 octets
         S: Subject: one
         S: ...
         S: Hello
         S: ..dot
         S: ...
         S: ...
         S: x
         S: .
         {end}"
    );
    let service = Pop3Service::with(shared.clone(), Policy { fetched, ..Policy::default() });
    play(service, Box::leak(script.into_boxed_str()));
}

/// A tenant's rule stands in the place of what the server's configuration says; EXPIRE tells of both before it is known whose maildrop it is.
#[test]
fn a_tenant_decides_for_itself() {
    let (shared, _) = house();
    let rule = |text: &str| {
        let (scope, rule) = (ScopeName::Tenant("example".into()), text.parse().expect("a rule"));
        let done = shared.engine.change_directory(vec![Change::RuleAdd { scope, rule }]).wait();
        done.into_iter().for_each(|done| done.expect("the rule is taken"));
    };
    rule("pop3 delete 30");
    rule("pop3 delete 0");
    session(
        &shared,
        Fetched::Keep,
        "0 USER",
        "C: CAPA\nS: +OK ...\nS: TOP\nS: UIDL\nS: PIPELINING\nS: RESP-CODES\n\
        S: AUTH-RESP-CODE\nS: UTF8 USER\nS: LANG\nS: EXPIRE 0\nS: USER\nS: SASL ...\nS: IMPLEMENTATION ...\nS: .\nC: QUIT\nS: +OK Bye\nS: ",
    );
    assert_eq!(inbox(&shared), (ALL[1..].to_vec(), 0));
    for bad in ["pop3", "pop3 keep 5", "pop3 trash x", "pop3 delete 3651", "pop3 burn 1"] {
        assert!(bad.parse::<Rule>().is_err(), "{bad}");
    }
}

const QUIT: &str = "C: QUIT\nS: +OK Bye\nS: ";
const ALL: [(u32, bool); 3] = [(39, false), (27, false), (41, false)];

#[test]
fn at_the_end_of_the_session() {
    let (first, rest) = (ALL[0], ALL[1..].to_vec());
    for (fetched, expire, left, trash) in [
        (Fetched::Keep, "NEVER", ALL.to_vec(), 0),
        (Fetched::Seen, "NEVER", [&[(first.0, true)], &ALL[1..]].concat(), 0),
        (Fetched::Trash { after_days: 0 }, "0", rest.clone(), 1),
        (Fetched::Delete { after_days: 0 }, "0", rest.clone(), 0),
    ] {
        let (shared, _) = house();
        session(&shared, fetched, expire, "C: NOOP\nS: +OK");
        assert_eq!(inbox(&shared), (ALL.to_vec(), 0), "{fetched:?}: the session broke off");
        session(&shared, fetched, expire, QUIT);
        assert_eq!(inbox(&shared), (left, trash), "{fetched:?}");
    }
}

/// A member may remove Trash; what is to go there is not lost for that.
#[test]
fn a_trash_that_is_gone_is_made_again() {
    let (shared, _) = house();
    let account = shared.engine.directory(|directory| directory.login("ann@example.org").map(|account| account.id));
    let account = account.expect("a member");
    let view = shared.engine.account(account).expect("open");
    let name = view.mailbox_for(SpecialUse::Trash).expect("there").name.to_string();
    shared.engine.delete_mailbox(account, &name).wait().expect("its member may");
    session(&shared, Fetched::Trash { after_days: 0 }, "0", QUIT);
    assert_eq!(inbox(&shared), (ALL[1..].to_vec(), 1));
}

/// A client that leaves mail on the server fetches each message once: it goes in a later session, when its time has come.
#[test]
fn days_later() {
    for (fetched, trash) in [(Fetched::Trash { after_days: 30 }, 1), (Fetched::Delete { after_days: 30 }, 0)] {
        let (shared, clock) = house();
        session(&shared, fetched, "30", QUIT);
        let idle = |shared: &Arc<Shared>| {
            let service = Pop3Service::with(shared.clone(), Policy { fetched, ..Policy::default() });
            play(
                service,
                "S: +OK ...\nC: USER ann@example.org\nS: +OK ...\nC: PASS secret\nS: +OK ...\nC: QUIT\nS: +OK Bye\nS: ",
            );
        };
        clock.advance_ms(30 * DAY_MS - 1_000);
        idle(&shared);
        assert_eq!(inbox(&shared), (ALL.to_vec(), 0), "{fetched:?}: its time has not come");
        clock.advance_ms(1_000);
        idle(&shared);
        assert_eq!(inbox(&shared), (ALL[1..].to_vec(), trash), "{fetched:?}");
    }
}

#[test]
fn a_header_in_utf8_for_who_has_asked() {
    let (shared, _) = house();
    append(&shared, "bob@example.org", &["Subject: é\r\n\r\nx\r\n".as_bytes(), "Subject: e\r\n\r\né\r\n".as_bytes()]);
    let policy = Policy { refuses_utf8: true, ..Policy::default() };
    play(
        Pop3Service::with(shared.clone(), policy),
        "S: +OK ...
         C: USER bob@example.org
         S: +OK ...
         C: PASS secret
         S: +OK ...
         C: RETR 1
         S: -ERR [UTF8] ...
         C: TOP 1 0
         S: -ERR [UTF8] ...
         C: TOP 2 1
         S: +OK ...
         S: Subject: e
         S: 
         S: é
         S: .",
    );
    play(
        Pop3Service::with(shared, policy),
        "S: +OK ...
         C: UTF8
         S: +OK ...
         C: USER bob@example.org
         S: +OK ...
         C: PASS secret
         S: +OK ...
         C: TOP 1 0
         S: +OK ...
         S: Subject: é
         S: 
         S: .",
    );
}
