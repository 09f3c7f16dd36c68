//! Sessions played against a real engine on a simulated disk: what a client sends and what it must hear, as transcripts.
mod append;
mod bad_input;
mod compress;
mod condstore;
mod context;
mod copy;
mod crowd;
mod esearch;
mod fetch;
mod first_unseen;
mod full_disk;
mod gaps;
mod gone;
mod list;
mod login;
mod mailboxes;
mod memory;
mod message_limit;
mod metadata;
mod model;
mod modes;
mod multisearch;
mod notify;
mod notify_shared;
mod objects;
mod qresync;
mod quota;
mod replace;
mod search;
mod shared_mail;
mod shared_model;
mod sharing;
mod sizes;
mod sort;
mod soup;
mod store;
mod sync;
mod turns;
mod url_auth;

use super::ImapService;
use crate::runtime::sim::{self, Client, Net};
use crate::session::Shared;
use crate::testing::{self, perform, sessions, shared};
use std::sync::Arc;

/// Plays a transcript (see `testing::play`) with clients that have logged in as ann.
fn play(script: &'static str) {
    play_as("ann@example.org", script);
}

fn play_as(name: &'static str, script: &'static str) {
    let service = ImapService::new(Arc::new(shared()));
    sim::run(move |net| async move {
        let mut clients = Vec::new();
        for _ in 0..sessions(script) {
            clients.push(logged_in(&net, &service, name).await);
        }
        perform(&mut clients, script).await;
    });
}

/// Plays a transcript with a client that has only connected.
fn play_before_login(shared: Shared, script: &'static str) {
    testing::play(ImapService::new(Arc::new(shared)), script);
}

/// Plays a transcript in INBOX with so many messages, `Subject: 1` and so on, selected by the first session.
fn play_with(messages: usize, script: &str) {
    let mut whole = String::new();
    for number in 1..=messages {
        whole += &format!("C: a APPEND INBOX {{12+}}\nC: Subject: {number}\nC: \nS: a OK ...\n");
    }
    whole += "C: s SELECT INBOX\nS: * FLAGS ...\nS: * OK [PERMANENTFLAGS ...\n";
    whole += &format!("S: * {messages} EXISTS\nS: * {messages} RECENT\n");
    if messages > 0 {
        whole += "S: * OK [UNSEEN 1] ...\n";
    }
    whole += "S: * OK [UIDVALIDITY ...\nS: * OK [UIDNEXT ...\nS: * OK [HIGHESTMODSEQ ...\nS: * OK [MAILBOXID ...\n";
    whole += "S: s OK [READ-WRITE] ...\n";
    whole += script;
    play(Box::leak(whole.into_boxed_str()));
}

async fn logged_in(net: &Net, service: &ImapService, name: &str) -> Client {
    let mut client = net.connect(service);
    client.read_line().await;
    client.write(format!("login LOGIN {name} secret\r\n").as_bytes()).await;
    let answer = client.read_line().await;
    assert!(answer.starts_with(b"login OK "), "{}", String::from_utf8_lossy(&answer));
    client
}
