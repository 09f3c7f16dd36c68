//! Sessions played against a real engine on a simulated disk, in all three roles.
mod author;
mod bad_input;
mod burl;
mod bytes;
mod chunks;
mod circles;
mod delivery;
mod filter;
mod flow;
mod forged;
mod front;
mod hosts;
mod injection;
mod later;
mod login;
mod mail;
mod member;
mod memory;
mod rates;
mod refused;
mod reports;
mod soup;
mod steps;
mod success;
mod terms;
mod tls;

use super::SmtpService;
use crate::lmtp::LmtpService;
use crate::runtime::Service;
use crate::session::Shared;
use crate::testing;
use posthouse_engine::base::MailboxId;
use posthouse_engine::directory::{Address, Change};
use std::sync::Arc;

/// PLAIN for ann@example.org with `secret`, and with a wrong password.
const PLAIN: &str = "AGFubkBleGFtcGxlLm9yZwBzZWNyZXQ=";
const PLAIN_WRONG: &str = "AGFubkBleGFtcGxlLm9yZwB3cm9uZw==";

/// The store of `testing` with a group and an alias beside its members.
fn shared() -> Arc<Shared> {
    let shared = testing::shared();
    let address = |text: &str| Address::parse(text).expect("an address");
    let changes = vec![
        Change::AliasAdd { account: address("ann@example.org"), alias: address("a.n.n@example.org") },
        Change::GroupAdd {
            address: address("all@example.org"),
            name: "All".into(),
            members: vec![address("ann@example.org"), address("bob@example.org"), address("carl@elsewhere.test")],
        },
    ];
    for done in shared.engine.change_directory(changes).wait() {
        done.expect("the directory takes it");
    }
    Arc::new(shared)
}

fn mx(script: &'static str) -> Arc<Shared> {
    let shared = shared();
    testing::play(SmtpService::mx(shared.clone()), script);
    shared
}

fn submission(script: &'static str) -> Arc<Shared> {
    let shared = shared();
    testing::play(SmtpService::submission(shared.clone()), script);
    shared
}

fn lmtp(script: &'static str) -> Arc<Shared> {
    let shared = shared();
    testing::play(LmtpService::new(shared.clone()), script);
    shared
}

/// What the service answers to bytes as they are, up to its goodbye or the end.
fn answers(service: impl Service, bytes: Vec<u8>) -> String {
    let heard = super::fuzz_session(Arc::new(service), bytes);
    String::from_utf8(heard).expect("replies are UTF-8")
}

/// The messages in an account's INBOX, oldest first.
pub(crate) fn inbox(shared: &Shared, address: &str) -> Vec<String> {
    let engine = &shared.engine;
    let address = Address::parse(address).expect("an address");
    let account = engine.directory(|known| known.account_at(&address).map(|account| account.id)).expect("an account");
    let Ok(view) = engine.mailbox(account, MailboxId::INBOX) else {
        return Vec::new();
    };
    let text = |at| {
        let entry = view.entries.get(at).expect("an entry");
        let message = engine.message(account, &entry).wait().expect("its message");
        String::from_utf8_lossy(&message).into_owned()
    };
    (0..view.entries.len()).map(text).collect()
}
