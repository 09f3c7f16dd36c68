//! Commands stirred from the words that commands are made of, well-formed and not: no panic, no hang, an answer or a goodbye. Prints
//! its seed.
use super::shared;
use crate::imap::{ImapService, fuzz_parse, fuzz_session};
use crate::testing::Random;
use std::sync::Arc;

const WORDS: [&str; 72] = [
    "UID ",
    "FETCH ",
    "STORE ",
    "SEARCH ",
    "COPY ",
    "MOVE ",
    "EXPUNGE",
    "NOOP",
    "CLOSE",
    "SELECT ",
    "EXAMINE ",
    "INBOX",
    "Trash",
    "x/y",
    "CREATE ",
    "DELETE ",
    "RENAME ",
    "LIST ",
    "LSUB ",
    "STATUS ",
    "APPEND ",
    "IDLE",
    "DONE",
    "1",
    "1:*",
    "2,4:3,*",
    "99",
    "0",
    "FLAGS",
    "+FLAGS ",
    "-FLAGS.SILENT ",
    "\\Seen",
    "\\Deleted",
    "\\Recent",
    "kw",
    "(",
    ")",
    " ",
    " ",
    "\"",
    "\"\"",
    "*",
    "%",
    "BODY[]",
    "BODY.PEEK[1.2.HEADER.FIELDS (A B)]<0.9>",
    "ENVELOPE",
    "BODYSTRUCTURE",
    "MODSEQ",
    "(CHANGEDSINCE 2)",
    "(UNCHANGEDSINCE 1) ",
    "NOT ",
    "OR ",
    "SUBJECT x",
    "BODY x",
    "SINCE 1-Jan-2020",
    "{3+}\r\nabc",
    "{3}\r\nabc",
    "{99999999999}",
    "\r\n",
    "&AGE-",
    "&U,BTFw-",
    "\0",
    "(CONDSTORE)",
    "CHARSET UTF-8 ",
    "NOTIFY SET ",
    "STATUS (selected (MessageNew (UID BODY[]) MessageExpunge FlagChange)) ",
    "(personal (MessageNew MessageExpunge MailboxName SubscriptionChange)) ",
    "NONE",
    "SORT ",
    "RETURN (UPDATE ALL) ",
    "(SUBJECT) UTF-8 ",
    "CANCELUPDATE \"t\"",
];

fn soup(random: &mut Random) -> Vec<u8> {
    let mut soup =
        b"l LOGIN ann@example.org secret\r\na APPEND INBOX {12+}\r\nSubject: x\r\n\r\ns SELECT INBOX\r\n".to_vec();
    for _ in 0..40 {
        soup.extend_from_slice(b"t ");
        for _ in 0..1 + random.below(6) {
            soup.extend_from_slice(WORDS[random.below(WORDS.len())].as_bytes());
        }
        if random.below(20) == 0 {
            soup.push(random.below(256) as u8);
        }
        soup.extend_from_slice(b"\r\n");
    }
    soup
}

#[test]
fn soup_is_survived() {
    let service = Arc::new(ImapService::new(Arc::new(shared())));
    for seed in 1..=60 {
        println!("seed {seed}");
        let soup = soup(&mut Random(seed));
        fuzz_parse(&soup);
        let heard = fuzz_session(service.clone(), soup);
        assert!(heard.starts_with(b"* OK "));
        assert!(heard.ends_with(b"\r\n"));
    }
}

#[test]
fn random_bytes_are_no_commands() {
    let mut random = Random(7);
    for _ in 0..2000 {
        let bytes: Vec<u8> = (0..random.below(200)).map(|_| random.below(256) as u8).collect();
        fuzz_parse(&bytes);
    }
}
