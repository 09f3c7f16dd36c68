//! How often others have their turn while one client asks for much at once: counted in turns, not in time.
use super::{ImapService, logged_in};
use crate::limits;
use crate::runtime::sim::{self, Client, Net};
use crate::runtime::yield_now;
use crate::testing::{append, shared};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use posthouse_engine::base::MailboxId;
use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

/// A session that has selected INBOX.
pub(super) async fn selected(net: &Net, service: &ImapService) -> Client {
    let mut client = logged_in(net, service, "ann@example.org").await;
    client.write(b"s EXAMINE INBOX\r\n").await;
    client.read_until(b"s OK").await;
    client.read_line().await;
    client
}

/// What a command is answered, and how many turns another task has had until then.
pub(super) async fn turns_beside(net: &Net, client: &mut Client, command: &str) -> (usize, Vec<u8>) {
    turns_during(net, async {
        client.write(format!("t {command}\r\n").as_bytes()).await;
        let mut answer = client.read_until(b"\r\nt ").await;
        answer.extend(client.read_line().await);
        answer
    })
    .await
}

/// How many turns another task has had until something is done, and what came of it.
pub(super) async fn turns_during<T>(net: &Net, done: impl Future<Output = T>) -> (usize, T) {
    let (turns, ended) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(false)));
    let (counted, seen) = (turns.clone(), ended.clone());
    net.spawn(async move {
        while !seen.get() {
            counted.set(counted.get() + 1);
            yield_now().await;
        }
    });
    let came = done.await;
    ended.set(true);
    (turns.get(), came)
}

/// A client that has selected an INBOX of 64,000 messages, made by a few copies of the first thousand.
async fn with_many(net: &Net, service: &ImapService) -> Client {
    let mut client = logged_in(net, service, "ann@example.org").await;
    client.write(b"s SELECT INBOX\r\n").await;
    for _ in 0..6 {
        client.write(b"c COPY 1:* INBOX\r\n").await;
        client.read_until(b"\nc OK").await;
    }
    client
}

#[test]
fn header_fields_and_parts_are_looked_for_in_pieces() {
    let shared = shared();
    let header: String = (0..20_000).map(|number| format!("f{number}: x\r\n")).collect();
    let part = STANDARD.encode([b'x'; 30_000]);
    let head = "MIME-Version: 1.0\r\nSubject: x\r\nContent-Transfer-Encoding: base64\r\n";
    append(&shared, "ann@example.org", &[format!("{head}{header}\r\n{part}").as_bytes()]);
    let service = ImapService::new(Arc::new(shared));
    sim::run(move |net| async move {
        let mut client = selected(&net, &service).await;
        let (alone, _) = turns_beside(&net, &mut client, "FETCH 1 BODY.PEEK[HEADER.FIELDS (Subject)]").await;
        let fields: String = (0..50).map(|number| format!(" BODY.PEEK[HEADER.FIELDS (f{number} Subject)]")).collect();
        let (turns, answer) = turns_beside(&net, &mut client, &format!("FETCH 1 ({})", fields.trim_start())).await;
        assert!(answer.ends_with(b"t OK FETCH completed\r\n") && answer.len() > 50 * 20);
        // Ten megabytes are gone through.
        assert!(turns > alone + 30, "{turns} turns, {alone} for one item");
        let bytes: String = (0..200).map(|number| format!(" BINARY.PEEK[1]<{}.1>", 29_000 + number)).collect();
        let (turns, answer) = turns_beside(&net, &mut client, &format!("FETCH 1 ({})", bytes.trim_start())).await;
        assert!(answer.ends_with(b"t OK FETCH completed\r\n") && answer.len() > 200 * 20);
        assert!(turns > alone + 25, "{turns} turns, {alone} for one item");
    });
}

#[test]
fn so_many_fields_can_be_named() {
    let shared = shared();
    append(&shared, "ann@example.org", &[b"a: b\r\nf255: c\r\n\r\n"]);
    let service = ImapService::new(Arc::new(shared));
    sim::run(move |net| async move {
        let mut client = selected(&net, &service).await;
        for (names, expected) in [(256, "t OK FETCH completed\r\n"), (257, "t NO [LIMIT] At most 256 fields")] {
            let names: String = (0..names).map(|number| format!(" f{number}")).collect();
            client.write(format!("t FETCH 1 BODY.PEEK[HEADER.FIELDS ({})]\r\n", names.trim_start()).as_bytes()).await;
            let answer = client.read_until(b"t ").await;
            let rest = client.read_line().await;
            let heard = [b"t ".as_slice(), &rest].concat();
            assert!(heard.starts_with(expected.as_bytes()), "{}", String::from_utf8_lossy(&heard));
            let found = answer.windows(10).any(|window| window == b"f255: c\r\n\r");
            assert_eq!(found, expected.starts_with("t OK"));
        }
    });
}

/// What a message is put together from is gone through in pieces, however little of each is taken.
#[test]
fn a_message_is_put_together_in_pieces() {
    const URLS: usize = 500;
    const FIELDS: usize = 20;
    let shared = shared();
    let header: String = (0..15_000).map(|number| format!("f{number}: x\r\n")).collect();
    append(&shared, "ann@example.org", &[b"Subject: x\r\n\r\nabc", format!("{header}\r\nabc").as_bytes()]);
    let service = ImapService::new(Arc::new(shared));
    sim::run(move |net| async move {
        let mut client = selected(&net, &service).await;
        let fields = "2/;SECTION=HEADER.FIELDS.NOT%20(a)";
        let steps = header.len() / limits::IMAP_SECTION_STEP_BYTES;
        for (url, count, expected) in [("1/;PARTIAL=0.1", URLS, URLS), (fields, FIELDS, FIELDS * (steps + 1))] {
            let urls = vec![format!("URL \"/;UID={url}\""); count].join(" ");
            let command = format!("NOOP\r\nt APPEND Drafts CATENATE ({urls})");
            let (turns, answer) = turns_beside(&net, &mut client, &command).await;
            let answer = String::from_utf8_lossy(&answer);
            assert!(answer.contains("t OK [APPENDUID"), "{answer}");
            assert!(turns > expected, "{turns} turns for {count} URLs");
        }
        client.write(b"g SELECT Drafts\r\nh FETCH 2 (BODY.PEEK[])\r\n").await;
        client.read_until(b"\ng OK").await;
        let copied = client.read_until(b"\nh OK").await;
        let whole = format!("{header}\r\n").repeat(FIELDS).into_bytes();
        assert!(copied.windows(whole.len()).any(|window| window == whole));
    });
}

/// Parts and headers that are longer than one step of the search for them.
#[test]
fn long_parts_come_out_whole() {
    let shared = shared();
    let bytes: Vec<u8> = (0..300_000u32).map(|number| (number % 251) as u8).collect();
    let encoded = STANDARD.encode(&bytes);
    let lines: Vec<&str> = encoded.as_bytes().chunks(76).filter_map(|line| std::str::from_utf8(line).ok()).collect();
    let folds = " fold\r\n".repeat(20_000);
    let header = format!("Long: x\r\n{folds}MIME-Version: 1.0\r\nContent-Transfer-Encoding: base64\r\n\r\n");
    append(&shared, "ann@example.org", &[format!("{header}{}\r\n", lines.join("\r\n")).as_bytes()]);
    let service = ImapService::new(Arc::new(shared));
    sim::run(move |net| async move {
        let mut client = selected(&net, &service).await;
        let literal = |bytes: &[u8], nul: bool| {
            [format!("{}{{{}}}\r\n", if nul { "~" } else { "" }, bytes.len()).as_bytes(), bytes].concat()
        };
        let long = format!("Long: x\r\n{folds}\r\n").into_bytes();
        for (item, label, expected) in [
            ("BINARY.PEEK[1]", "BINARY[1]", literal(&bytes, true)),
            ("BINARY.SIZE[1]", "BINARY.SIZE[1]", b"300000".to_vec()),
            ("BINARY.PEEK[1]<200000.90000>", "BINARY[1]<200000>", literal(&bytes[200_000..290_000], true)),
            ("BINARY.PEEK[1]<200060.50>", "BINARY[1]<200060>", literal(&bytes[200_060..200_110], false)),
            ("BINARY.PEEK[1]<300000.9>", "BINARY[1]<300000>", literal(b"", false)),
            ("BODY.PEEK[HEADER.FIELDS (long)]", "BODY[HEADER.FIELDS (long)]", literal(&long, false)),
            ("BODY.PEEK[HEADER.FIELDS (long)]<90000.9>", "BODY[HEADER.FIELDS (long)]<90000>", {
                literal(&long[90_000..90_009], false)
            }),
        ] {
            client.write(format!("t FETCH 1 {item}\r\n").as_bytes()).await;
            let answer = client.read_until(b"\r\nt OK").await;
            client.read_line().await;
            let expected = [format!("* 1 FETCH ({label} ").as_bytes(), &expected, b")\r\nt OK"].concat();
            assert!(answer == expected, "{item}: {} bytes, {} expected", answer.len(), expected.len());
        }
    });
}

/// What others did to thousands of messages is told in pieces: flags, then that they are gone, then what a client has missed.
#[test]
fn much_that_has_changed_is_told_in_pieces() {
    const MESSAGES: usize = 6000;
    let shared = shared();
    append(&shared, "ann@example.org", &[b"Subject: x\r\n\r\n".as_slice(); MESSAGES]);
    let service = ImapService::new(Arc::new(shared));
    sim::run(move |net| async move {
        let mut told = selected(&net, &service).await;
        let mut quick = logged_in(&net, &service, "ann@example.org").await;
        quick.write(b"e ENABLE QRESYNC\r\ns EXAMINE INBOX\r\n").await;
        let heard = quick.read_until(b"\ns OK").await;
        let heard = String::from_utf8_lossy(&heard);
        let modseq = heard.split("HIGHESTMODSEQ ").nth(1).and_then(|rest| rest.split(']').next()).expect("it is told");
        quick.read_line().await;
        let mut busy = logged_in(&net, &service, "ann@example.org").await;
        busy.write(b"s SELECT INBOX\r\nf STORE 1:* +FLAGS.SILENT (\\Flagged)\r\n").await;
        busy.read_until(b"\nf OK").await;
        let pieces = MESSAGES / limits::IMAP_BATCH_MESSAGES;
        let (turns, answer) = turns_beside(&net, &mut told, "NOOP").await;
        assert_eq!(answer.windows(9).filter(|window| window == b"\\Flagged ").count(), MESSAGES);
        assert!(turns > pieces, "{turns} turns while flags are told");

        // What lies far apart is remembered coarsely: most of the mailbox has to be gone through.
        let some: Vec<String> = (1..MESSAGES).step_by(5).map(|number| number.to_string()).collect();
        busy.write(format!("d STORE {} +FLAGS.SILENT (\\Deleted)\r\n", some.join(",")).as_bytes()).await;
        busy.write(b"x EXPUNGE\r\n").await;
        busy.read_until(b"\nx OK").await;
        let (turns, answer) = turns_beside(&net, &mut told, "NOOP").await;
        assert_eq!(answer.windows(7).filter(|window| window == b"EXPUNGE").count(), some.len());
        assert!(turns > some.len() / limits::IMAP_BATCH_MESSAGES, "{turns} turns while expunges are told");

        turns_beside(&net, &mut quick, "NOOP").await;
        let since = format!("UID FETCH 1:* (FLAGS) (CHANGEDSINCE {modseq}");
        let (alone, _) = turns_beside(&net, &mut quick, &format!("{since})")).await;
        let (turns, answer) = turns_beside(&net, &mut quick, &format!("{since} VANISHED)")).await;
        assert!(answer.starts_with(b"* VANISHED (EARLIER) "));
        assert!(turns > alone + pieces / 2, "{turns} turns, {alone} without VANISHED");
    });
}

/// A pattern that matches slowly is worth more turns than one that does not.
#[test]
fn long_names_and_patterns_are_matched_in_pieces() {
    let service = ImapService::new(Arc::new(shared()));
    sim::run(move |net| async move {
        let mut client = logged_in(&net, &service, "ann@example.org").await;
        let levels = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbb/".repeat(31);
        for number in 0..8 {
            let name = format!("{levels}{number}");
            client.write(format!("s CREATE {name}\r\nt SUBSCRIBE {name}\r\n").as_bytes()).await;
            client.read_until(b"t OK").await;
            client.read_line().await;
        }
        let slow = format!("{}*/0", "*b".repeat(200));
        for (command, least) in [("LIST", 15), ("LSUB", 60)] {
            let (alone, _) = turns_beside(&net, &mut client, &format!("{command} \"\" */0")).await;
            let (turns, answer) = turns_beside(&net, &mut client, &format!("{command} \"\" {slow}")).await;
            let text = String::from_utf8_lossy(&answer);
            assert!(text.contains("/0\r\nt OK") && text.lines().count() == 2, "{text}");
            assert!(turns > alone + least, "{command}: {turns} turns, {alone} for a short pattern");
        }
    });
}

/// What is \Deleted is added up in pieces, and once however often it is asked for.
#[test]
fn deleted_storage_is_counted_in_pieces() {
    const MESSAGES: usize = 6000;
    let shared = shared();
    append(&shared, "ann@example.org", &[b"Subject: x\r\n\r\n".as_slice(); MESSAGES]);
    let service = ImapService::new(Arc::new(shared));
    sim::run(move |net| async move {
        let mut client = logged_in(&net, &service, "ann@example.org").await;
        client.write(format!("s SELECT INBOX\r\nd STORE 1,{MESSAGES} +FLAGS.SILENT (\\Deleted)\r\n").as_bytes()).await;
        client.read_until(b"\nd OK").await;
        client.read_line().await;
        let (alone, _) = turns_beside(&net, &mut client, "STATUS INBOX (MESSAGES)").await;
        let pieces = MESSAGES / limits::IMAP_BATCH_MESSAGES;
        for command in ["STATUS INBOX", "LIST \"\" INBOX RETURN (STATUS"] {
            let end = if command.starts_with("LIST") { ")" } else { "" };
            let items = "DELETED-STORAGE DELETED DELETED-STORAGE";
            let (turns, answer) = turns_beside(&net, &mut client, &format!("{command} ({items}){end}")).await;
            let text = String::from_utf8_lossy(&answer);
            assert!(text.contains("* STATUS INBOX (DELETED-STORAGE 28 DELETED 2)\r\n"), "{text}");
            assert!(turns >= alone + pieces && turns < alone + 2 * pieces, "{turns} turns, {alone} without");
        }
    });
}

/// What goes out of a search's results is looked at and told in pieces.
#[test]
fn changed_results_are_told_in_pieces() {
    const MESSAGES: usize = 6000;
    let shared = shared();
    append(&shared, "ann@example.org", &[b"Subject: x\r\n\r\n".as_slice(); MESSAGES]);
    let service = ImapService::new(Arc::new(shared));
    sim::run(move |net| async move {
        let mut told = selected(&net, &service).await;
        let mut busy = logged_in(&net, &service, "ann@example.org").await;
        busy.write(b"s SELECT INBOX\r\n").await;
        let some: Vec<String> = (1..MESSAGES).step_by(2).map(|number| number.to_string()).collect();
        let some = some.join(",");
        busy.write(format!("f STORE {some} +FLAGS.SILENT (\\Flagged)\r\n").as_bytes()).await;
        busy.read_until(b"\nf OK").await;
        let (alone, _) = turns_beside(&net, &mut told, "NOOP").await;
        turns_beside(&net, &mut told, "SEARCH RETURN (UPDATE COUNT) FLAGGED").await;
        busy.write(format!("f STORE {some} -FLAGS.SILENT (\\Flagged)\r\n").as_bytes()).await;
        busy.read_until(b"\nf OK").await;
        let (turns, answer) = turns_beside(&net, &mut told, "NOOP").await;
        let removed = format!("* ESEARCH (TAG \"t\") REMOVEFROM (0 {some})\r\n");
        assert!(answer.windows(removed.len()).any(|line| line == removed.as_bytes()));
        let pieces = MESSAGES / 2 / limits::IMAP_BATCH_MESSAGES;
        assert!(turns > alone + 2 * pieces, "{turns} turns, {alone} without a search, {pieces} pieces");
    });
}

/// While a change of very many messages is planned, nobody else's can be: it is cut.
#[test]
fn changes_of_very_many_messages_are_several_commits() {
    const MESSAGES: usize = 64_000;
    let shared = Arc::new(shared());
    let engine = shared.engine.clone();
    append(&shared, "ann@example.org", &[b"Subject: x\r\n\r\n".as_slice(); 1000]);
    let account = engine.directory(|directory| directory.login("ann@example.org").map(|account| account.id));
    let account = account.expect("a member");
    let service = ImapService::new(shared);
    sim::run(move |net| async move {
        let mut client = with_many(&net, &service).await;
        let modseq = || engine.mailbox(account, MailboxId::INBOX).expect("INBOX").highest_modseq.0;
        let made = modseq();
        for (command, answer, commits) in [
            ("STORE 1:* +FLAGS.SILENT (\\Deleted)", "OK STORE completed", 2),
            (&format!("STORE 1:* (UNCHANGEDSINCE {made}) -FLAGS.SILENT (\\Deleted)"), "OK [MODIFIED 1:64000]", 0),
            ("STORE 1:10 -FLAGS.SILENT (\\Deleted)", "OK STORE completed", 1),
            ("EXPUNGE", "OK [HIGHESTMODSEQ", 2),
            ("SEARCH RETURN (COUNT) ALL", "OK SEARCH", 0),
        ] {
            let before = modseq();
            client.write(format!("t {command}\r\n").as_bytes()).await;
            let heard = client.read_until(b"\r\nt ").await;
            let tagged = client.read_line().await;
            assert!(tagged.starts_with(answer.as_bytes()), "{command}: {}", String::from_utf8_lossy(&tagged));
            assert_eq!(modseq() - before, commits, "{command}");
            let told = heard.windows(7).filter(|window| window == b"EXPUNGE").count();
            assert_eq!(told, if command == "EXPUNGE" { MESSAGES - 10 } else { 0 }, "{command}");
            assert!(!command.starts_with("SEARCH") || heard.windows(9).any(|window| window == b" COUNT 10"));
        }
    });
}

#[test]
fn copies_and_moves_of_very_many_messages_are_several_commits() {
    const MESSAGES: usize = 64_000;
    let shared = Arc::new(shared());
    let engine = shared.engine.clone();
    append(&shared, "ann@example.org", &[b"Subject: x\r\n\r\n".as_slice(); 1000]);
    let account = engine.directory(|directory| directory.login("ann@example.org").map(|account| account.id));
    let account = account.expect("a member");
    let service = ImapService::new(shared);
    sim::run(move |net| async move {
        let mut client = with_many(&net, &service).await;
        client.read_line().await;
        let requests = || engine.status().shards.iter().map(|shard| shard.requests).sum::<u64>();
        let before = requests();
        client.write(b"t COPY 1:* Drafts\r\n").await;
        let answer = client.read_until(b"\r\n").await;
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.starts_with("t OK [COPYUID ") && answer.contains(" 1:64000 1:64000] "), "{answer}");
        assert!(requests() >= before + 2, "one commit");
        let modseq = || engine.mailbox(account, MailboxId::INBOX).expect("INBOX").highest_modseq.0;
        let before = modseq();
        client.write(b"t MOVE 1:* Drafts\r\n").await;
        let heard = client.read_until(b"\r\nt OK").await;
        assert!(heard.windows(24).any(|window| window == b" 1:64000 64001:128000] M"));
        assert_eq!(heard.windows(7).filter(|window| window == b"EXPUNGE").count(), MESSAGES);
        assert_eq!(modseq() - before, MESSAGES.div_ceil(limits::COMMIT_COPIES_MAX) as u64);
    });
}
