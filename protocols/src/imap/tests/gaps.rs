//! Sets with gaps cost what sets in a row cost: commits and turns are counted for each so many messages, not for each range.
use super::turns::{selected, turns_beside, turns_during};
use super::{ImapService, logged_in};
use crate::runtime::sim;
use crate::testing::{append, shared};
use std::sync::Arc;

/// Every second number below `end`.
fn odd(end: usize) -> String {
    (1..end).step_by(2).map(|number| number.to_string()).collect::<Vec<_>>().join(",")
}

#[test]
fn bodies_with_gaps_become_seen_in_one_commit() {
    let shared = Arc::new(shared());
    let engine = shared.engine.clone();
    append(&shared, "ann@example.org", &[b"Subject: x\r\n\r\n".as_slice(); 64]);
    let service = ImapService::new(shared);
    sim::run(move |net| async move {
        let mut client = logged_in(&net, &service, "ann@example.org").await;
        client.write(b"s SELECT INBOX\r\n").await;
        client.read_until(b"s OK").await;
        let groups = || engine.status().shards.iter().map(|shard| shard.groups).sum::<u64>();
        let before = groups();
        client.write(format!("f FETCH {} BODY[]\r\n", odd(64)).as_bytes()).await;
        let heard = client.read_until(b"f OK").await;
        assert_eq!(heard.windows(12).filter(|window| window == b"FLAGS (\\Seen").count(), 32);
        assert_eq!(groups() - before, 1, "commits of one FETCH");
        client.write(b"g UID SEARCH SEEN\r\n").await;
        let heard = client.read_until(b"g OK").await;
        let found = format!("* SEARCH {}\r\n", odd(64).replace(',', " "));
        assert!(heard.windows(found.len()).any(|window| window == found.as_bytes()));
    });
}

/// Others have their turn between pieces, and not after the last one.
#[test]
fn sets_with_gaps_take_no_turn_for_each_range() {
    let shared = shared();
    append(&shared, "ann@example.org", &[b"Subject: x\r\n\r\n".as_slice(); 600]);
    let service = ImapService::new(Arc::new(shared));
    sim::run(move |net| async move {
        let mut client = selected(&net, &service).await;
        let (alone, _) = turns_beside(&net, &mut client, "STATUS INBOX (MESSAGES)").await;
        let (one, _) = turns_beside(&net, &mut client, "FETCH 1 FLAGS").await;
        assert_eq!(one, alone, "turns of a FETCH of one message, and of STATUS");
        for (end, messages, pieces) in [(64, 32, 1), (600, 300, 2)] {
            let (turns, answer) = turns_beside(&net, &mut client, &format!("FETCH {} FLAGS", odd(end))).await;
            assert_eq!(answer.windows(5).filter(|window| window == b"FETCH").count(), messages + 1);
            // Beside those between pieces some for what is sent.
            assert!(turns < alone + pieces + 2, "{turns} turns for {messages} messages, {alone} for STATUS");
        }
        client.write(b"e ENABLE QRESYNC\r\n").await;
        client.read_until(b"e OK").await;
        client.read_line().await;
        client.write(b"t STATUS INBOX (UIDVALIDITY)\r\n").await;
        let heard = client.read_until(b")\r\nt OK").await;
        client.read_line().await;
        let heard = String::from_utf8_lossy(&heard);
        let validity = heard.split("UIDVALIDITY ").nth(1).and_then(|rest| rest.split(')').next()).expect("it is told");
        let examine = format!("EXAMINE INBOX (QRESYNC ({validity} 1 {}))", odd(600));
        let (plain, _) = turns_beside(&net, &mut client, "EXAMINE INBOX").await;
        let (turns, answer) = turns_beside(&net, &mut client, &examine).await;
        assert_eq!(answer.windows(8).filter(|window| window == b" FETCH (").count(), 300);
        assert!(turns < plain + 4, "{turns} turns for what 300 messages are, {plain} for EXAMINE alone");
    });
}

/// NULs are looked for in steps: between what goes out before a part of some megabytes and its own first byte others have their turn.
#[test]
fn a_large_binary_part_is_looked_through_in_steps() {
    const MEBIBYTES: usize = 4;
    let shared = shared();
    let header = format!("MIME-Version: 1.0\r\nContent-Transfer-Encoding: 8bit\r\n{}", "X-Long: x\r\n".repeat(20_000));
    let body = "0123456789abcd\r\n".repeat(MEBIBYTES << 16);
    append(&shared, "ann@example.org", &[format!("{header}\r\n{body}").as_bytes()]);
    let service = ImapService::new(Arc::new(shared));
    sim::run(move |net| async move {
        let mut client = selected(&net, &service).await;
        client.write(b"t FETCH 1 (BODY.PEEK[HEADER] BINARY.PEEK[1])\r\n").await;
        client.read_until(b"X-Long").await;
        let (turns, _) = turns_during(&net, client.read_until(b" BINARY[1] {")).await;
        assert!(turns >= MEBIBYTES * 4 - 1, "{turns} turns");
        let rest = client.read_until(b"t OK FETCH").await;
        assert!(rest.windows(body.len()).any(|window| window == body.as_bytes()));
    });
}
