//! What becomes of a command whose client is gone: counted in turns of the session, not in time.
use super::{ImapService, logged_in};
use crate::runtime::sim::{self, Client, Net};
use crate::runtime::yield_now;
use crate::testing::{append, shared};
use std::sync::Arc;

const MESSAGES: usize = 6000;

/// A service over a large INBOX, and what all of its sessions hold.
fn service() -> (ImapService, Arc<crate::session::Shared>) {
    let shared = shared();
    append(&shared, "ann@example.org", &[b"Subject: x\r\nMessage-ID: <a@b>\r\n\r\nabc\r\n".as_slice(); MESSAGES]);
    let shared = Arc::new(shared);
    (ImapService::new(shared.clone()), shared)
}

/// A session that has been asked something and has had so many turns since.
async fn busy(net: &Net, service: &ImapService, command: &str, turns: usize) -> Client {
    let mut client = logged_in(net, service, "ann@example.org").await;
    client.write(b"s EXAMINE INBOX\r\n").await;
    client.read_until(b"s OK").await;
    client.read_line().await;
    client.write(format!("t {command}\r\n").as_bytes()).await;
    for _ in 0..turns {
        yield_now().await;
    }
    client
}

#[test]
fn a_search_ends_at_its_next_turn() {
    let (service, shared) = service();
    sim::run(move |net| async move {
        let idle = Arc::strong_count(&shared);
        let pieces = MESSAGES / crate::limits::IMAP_BATCH_MESSAGES;
        for (command, turns) in [
            ("SEARCH UNSEEN", 5),
            ("SEARCH TEXT nowhere", 1000),
            ("ESEARCH IN (personal) TEXT nowhere", 1000),
            ("SORT (SUBJECT) UTF-8 ALL", 5),
            ("SORT (SUBJECT) UTF-8 ALL", pieces + 10),
            ("THREAD ORDEREDSUBJECT UTF-8 ALL", pieces + 10),
            ("THREAD REFERENCES UTF-8 ALL", pieces + 1000),
        ] {
            let client = busy(&net, &service, command, turns).await;
            assert_eq!(Arc::strong_count(&shared), idle + 1, "{command} is over too soon");
            drop(client);
            let mut more = 0;
            while Arc::strong_count(&shared) > idle {
                more += 1;
                yield_now().await;
            }
            assert!(more < 5, "{command} had {more} more turns after {turns}");
        }
    });
}

/// Scripts send what they have to say, close their side and read.
#[test]
fn a_client_that_only_sends_nothing_more_is_answered() {
    let (service, _) = service();
    sim::run(move |net| async move {
        for command in ["SEARCH RETURN (COUNT) TEXT abc", "SORT RETURN (COUNT) (SUBJECT) UTF-8 ALL"] {
            let mut client = busy(&net, &service, command, 5).await;
            client.shutdown();
            let answer = client.read_to_end().await;
            let answer = String::from_utf8_lossy(&answer);
            let lines: Vec<&str> = answer.lines().collect();
            let found = format!("* ESEARCH (TAG \"t\") COUNT {MESSAGES}");
            let completed = format!("t OK {} completed", command.split(' ').next().unwrap_or_default());
            assert_eq!(lines, ["* OK Still working", &found, &completed]);
        }
    });
}
