//! Sessions played against a real engine on a simulated disk: what a client sends and what it must hear, as transcripts.
mod bad_input;
mod large;
mod login;
mod policy;
mod sizes;
mod soup;
mod tls;
mod transaction;
mod uidl;
mod update;

use super::Pop3Service;
use crate::runtime::sim::{Client, Net};
use crate::session::Shared;
use crate::testing::{append, play, shared};
use std::sync::Arc;

/// Three messages: 39, 27 and 41 bytes; with leading dots, without a line end at the end, without a body.
const MAILS: [&[u8]; 3] = [
    b"Subject: one\r\n\r\nHello\r\n.dot\r\n..\r\n.\r\nx\r\n",
    b"Subject: two\r\n\r\nno line end",
    b"Subject: three\r\nX-Empty: yes, all of it\r\n",
];

/// The store of `testing::shared` with `MAILS` in ann's INBOX.
fn filled() -> Shared {
    let shared = shared();
    append(&shared, "ann@example.org", &MAILS);
    shared
}

fn service(shared: Shared) -> Pop3Service {
    Pop3Service::new(Arc::new(shared))
}

/// Plays a transcript with one client that has logged in as ann, who has `MAILS`.
fn play_logged_in(script: &'static str) {
    let script = format!(
        "S: +OK mail.example.org ready
         C: USER ann@example.org
         S: +OK ...
         C: PASS secret
         S: +OK 3 messages (107 octets)
         {script}"
    );
    play(service(filled()), script.leak());
}

async fn logged_in(net: &Net, service: &Pop3Service, name: &str) -> Client {
    let mut client = net.connect(service);
    client.read_line().await;
    ask(&mut client, &format!("USER {name}")).await;
    let answer = ask(&mut client, "PASS secret").await;
    assert!(answer.starts_with("+OK "), "{answer}");
    client
}

/// Sends a line and hears one.
async fn ask(client: &mut Client, line: &str) -> String {
    assert!(client.write(format!("{line}\r\n").as_bytes()).await, "the server has gone before {line}");
    String::from_utf8_lossy(&client.read_line().await).trim_end().to_owned()
}
