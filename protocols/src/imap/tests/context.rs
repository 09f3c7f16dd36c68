//! CONTEXT=SEARCH and CONTEXT=SORT (RFC 5267): searches whose results the client is told of as they change.
use super::{ImapService, logged_in, play_with};
use crate::imap::tests::shared;
use crate::limits;
use crate::runtime::sim::{self, Client};
use crate::testing::Random;
use std::sync::Arc;

/// What a second session needs to have INBOX selected.
const SELECT: &str = "C2: s SELECT INBOX
S2: >>> s OK ...
";

fn play_two(messages: usize, script: &str) {
    play_with(messages, &format!("{SELECT}{script}"));
}

#[test]
fn results_go_in_and_out_as_flags_change() {
    play_two(
        3,
        "C: a SEARCH RETURN (UPDATE COUNT ALL) UNSEEN NOT KEYWORD later
         S: * ESEARCH (TAG \"a\") COUNT 3 ALL 1:3
         S: a OK ...
         C: b UID SEARCH RETURN (UPDATE) FLAGGED
         S: * ESEARCH (TAG \"b\") UID
         S: b OK ...
         C2: c STORE 2:3 +FLAGS.SILENT (\\Seen \\Flagged)
         S2: c OK ...
         C: d NOOP
         S: * 2 FETCH (FLAGS (\\Flagged \\Seen ...))
         S: * 3 FETCH (FLAGS (\\Flagged \\Seen ...))
         S: * ESEARCH (TAG \"a\") REMOVEFROM (0 2:3)
         S: * ESEARCH (TAG \"b\") UID ADDTO (0 2:3)
         S: d OK ...
         C: e STORE 2 FLAGS ()
         S: * 2 FETCH (FLAGS (\\Recent))
         S: * ESEARCH (TAG \"a\") ADDTO (0 2)
         S: * ESEARCH (TAG \"b\") UID REMOVEFROM (0 2)
         S: e OK ...
         C: f STORE 1 +FLAGS.SILENT (later)
         S: * FLAGS ...
         S: * OK [PERMANENTFLAGS ...
         S: * ESEARCH (TAG \"a\") REMOVEFROM (0 1)
         S: f OK ...
         C: a SEARCH RETURN (UPDATE) ALL
         S: a BAD ...
         C: g CANCELUPDATE \"a\"
         S: g OK ...
         C: h CANCELUPDATE \"a\" \"b\"
         S: h NO ...
         C: i STORE 1:3 FLAGS.SILENT (\\Flagged)
         S: i OK ...
         C: a SEARCH RETURN (UPDATE MIN) ALL
         S: * ESEARCH (TAG \"a\") MIN 1
         S: a OK ...
         C: j UNSELECT
         S: j OK ...",
    );
}

#[test]
fn messages_come_and_go() {
    play_two(
        3,
        "C: a SEARCH RETURN (UPDATE ALL) SUBJECT 2
         S: * ESEARCH (TAG \"a\") ALL 2
         S: a OK ...
         C: b SEARCH RETURN (UPDATE COUNT) 1:2
         S: * ESEARCH (TAG \"b\") COUNT 2
         S: b OK ...
         C: c IDLE
         S: + idling
         C2: d APPEND INBOX {16+}
         C2: Subject: 22
         C2: 
         C2: x
         S2: * 4 EXISTS
         S2: ...
         S2: d OK ...
         S: * 4 EXISTS
         S: * ... RECENT
         S: * ESEARCH (TAG \"a\") ADDTO (0 4)
         C2: e STORE 1:2 +FLAGS.SILENT (\\Deleted)
         S2: e OK ...
         S: * 1 FETCH (FLAGS (\\Deleted \\Recent))
         S: * 2 FETCH (FLAGS (\\Deleted \\Recent))
         C2: f EXPUNGE
         S2: * 2 EXPUNGE
         S2: * 1 EXPUNGE
         S2: f OK ...
         S: * ESEARCH (TAG \"a\") REMOVEFROM (0 2)
         S: * ESEARCH (TAG \"b\") REMOVEFROM (0 1:2)
         S: * 2 EXPUNGE
         S: * 1 EXPUNGE
         C: DONE
         S: c OK ...",
    );
}

/// A removed message is told of before its EXPUNGE may be.
#[test]
fn what_is_gone_is_told_before_its_number() {
    play_two(
        2,
        "C: a UID SEARCH RETURN (UPDATE) ALL
         S: * ESEARCH (TAG \"a\") UID
         S: a OK ...
         C2: b STORE 1 +FLAGS.SILENT (\\Deleted)
         S2: b OK ...
         C2: c EXPUNGE
         S2: * 1 EXPUNGE
         S2: c OK ...
         C: d FETCH 2 (UID)
         S: * 2 FETCH (UID 2)
         S: * ESEARCH (TAG \"a\") UID REMOVEFROM (0 1)
         S: d OK ...
         C: e NOOP
         S: * 1 EXPUNGE
         S: e OK ...",
    );
}

#[test]
fn sorted_results_have_places() {
    play_two(
        3,
        "C: a UID SORT RETURN (UPDATE ALL) (REVERSE SUBJECT) UTF-8 UNDELETED
         S: * ESEARCH (TAG \"a\") UID ALL 3,2,1
         S: a OK ...
         C2: b APPEND INBOX {13+}
         C2: Subject: 25
         C2: 
         S2: * 4 EXISTS
         S2: ...
         S2: b OK ...
         C: c NOOP
         S: * 4 EXISTS
         S: * ... RECENT
         S: * ESEARCH (TAG \"a\") UID ADDTO (2 4)
         S: c OK ...
         C2: d STORE 1,3 +FLAGS.SILENT (\\Deleted)
         S2: d OK ...
         C: e NOOP
         S: * 1 FETCH ...
         S: * 3 FETCH ...
         S: * ESEARCH (TAG \"a\") UID REMOVEFROM (1 3 3 1)
         S: e OK ...
         C2: f STORE 1,3 -FLAGS.SILENT (\\Deleted)
         S2: f OK ...
         C: g NOOP
         S: * 1 FETCH ...
         S: * 3 FETCH ...
         S: * ESEARCH (TAG \"a\") UID ADDTO (1 3 4 1)
         S: g OK ...
         C2: h STORE 2,4 +FLAGS.SILENT (\\Deleted)
         S2: h OK ...
         C2: i EXPUNGE
         S2: * 4 EXPUNGE
         S2: * 2 EXPUNGE
         S2: i OK ...
         C: j NOOP
         S: * ESEARCH (TAG \"a\") UID REMOVEFROM (2 4,2)
         S: * 4 EXPUNGE
         S: * 2 EXPUNGE
         S: j OK ...",
    );
}

/// RFC 5465 section 7: what UPDATE and NOTIFY want to know of a new message comes in one FETCH, before ESEARCH.
#[test]
fn new_messages_are_fetched_for_searches() {
    play_two(
        1,
        "C: a SEARCH RETURN (COUNT UPDATE (UID BODY[HEADER.FIELDS (SUBJECT)])) SUBJECT boss
         S: * ESEARCH (TAG \"a\") COUNT 0
         S: a OK ...
         C: b NOTIFY SET (selected (MessageNew (UID RFC822.SIZE) MessageExpunge FlagChange))
         S: b OK ...
         C2: c APPEND INBOX {15+}
         C2: Subject: boss
         C2: 
         S2: * 2 EXISTS
         S2: ...
         S2: c OK ...
         S: * 2 EXISTS
         S: * ... RECENT
         S: * 2 FETCH (UID 2 RFC822.SIZE 15 BODY[HEADER.FIELDS (SUBJECT)] {17}
         S: Subject: boss
         S: 
         S: )
         S: * ESEARCH (TAG \"a\") ADDTO (0 2)
         C2: d APPEND INBOX {13+}
         C2: Subject: no
         C2: 
         S2: * 3 EXISTS
         S2: ...
         S2: d OK ...
         S: * 3 EXISTS
         S: * ... RECENT
         S: * 3 FETCH (UID 3 RFC822.SIZE 13)
         C2: e STORE 2 +FLAGS.SILENT (\\Flagged)
         S2: e OK ...
         S: * 2 FETCH (UID 2 FLAGS (\\Flagged...",
    );
}

#[test]
fn contexts_are_bounded() {
    let mut script = String::new();
    for number in 0..limits::IMAP_CONTEXTS_MAX {
        script += &format!("C: t{number} SEARCH RETURN (UPDATE COUNT) ALL\n");
        script += &format!("S: * ESEARCH (TAG \"t{number}\") COUNT 1\nS: t{number} OK ...\n");
    }
    script += "C: u SEARCH RETURN (UPDATE COUNT) ALL
        S: * ESEARCH (TAG \"u\") COUNT 1
        S: * NO [NOUPDATE \"u\"] ...
        S: u OK ...
        C: v CANCELUPDATE \"t0\" \"t1\"
        S: v OK ...
        C: u SEARCH RETURN (UPDATE COUNT) ALL
        S: * ESEARCH (TAG \"u\") COUNT 1
        S: u OK ...
        C: w CANCELUPDATE
        S: w BAD ...";
    play_with(1, &script);
}

/// A client that keeps lists by what it is told.
struct Lists {
    client: Client,
    /// What three searches have found, by uid.
    lists: [Vec<u32>; 3],
}

const SEARCHES: [&str; 3] = [
    "UID SEARCH RETURN (UPDATE ALL) OR FLAGGED SUBJECT 1",
    "UID SORT RETURN (UPDATE ALL) (SUBJECT) UTF-8 UNDELETED",
    "UID SORT RETURN (UPDATE ALL) (REVERSE SIZE ARRIVAL) UTF-8 NOT KEYWORD word",
];

fn numbers(set: &str) -> Vec<u32> {
    let ranges = set.split(',').filter(|range| !range.is_empty());
    let range = |range: &str| {
        let (from, to) = range.split_once(':').unwrap_or((range, range));
        from.parse::<u32>().expect("a number")..=to.parse().expect("a number")
    };
    ranges.flat_map(range).collect()
}

impl Lists {
    /// Sends a command and believes what is told.
    async fn run(&mut self, command: &str) {
        self.client.write(format!("{command}\r\n").as_bytes()).await;
        let tag = command.split(' ').next().expect("a tag");
        loop {
            let line = String::from_utf8_lossy(&self.client.read_line().await).trim_end().to_owned();
            if let Some(answer) = line.strip_prefix(&format!("{tag} ")) {
                assert!(answer.starts_with("OK"), "{command}: {line}");
                return;
            }
            if line.starts_with("* ESEARCH") {
                self.hear(&line);
            }
        }
    }

    fn hear(&mut self, line: &str) {
        let (tag, rest) =
            line.strip_prefix("* ESEARCH (TAG \"t").and_then(|rest| rest.split_once("\") UID")).expect("a tag");
        let list = &mut self.lists[tag.parse::<usize>().expect("a number") % 3];
        if let Some(all) = rest.strip_prefix(" ALL ") {
            *list = numbers(all);
        }
        for (word, adds) in [("REMOVEFROM (", false), ("ADDTO (", true)] {
            let Some((_, pieces)) = rest.split_once(word) else { continue };
            let words: Vec<&str> = pieces.split(')').next().expect("an end").split(' ').collect();
            for pair in words.chunks(2) {
                let (place, set) = (pair[0].parse::<usize>().expect("a place"), numbers(pair[1]));
                match (place, adds) {
                    (0, true) => {
                        list.extend(&set);
                        list.sort_unstable();
                    }
                    (0, false) => list.retain(|uid| !set.contains(uid)),
                    (place, true) => drop(list.splice(place - 1..place - 1, set)),
                    (place, false) => {
                        let gone: Vec<u32> = list.drain(place - 1..place - 1 + set.len()).collect();
                        assert_eq!(gone, set, "{line}");
                    }
                }
            }
        }
    }
}

/// Random work: the lists kept by what was told are those that the same searches find.
#[test]
fn who_believes_updates_has_what_a_search_finds() {
    for seed in 1..=30u64 {
        println!("seed {seed}");
        let service = ImapService::new(Arc::new(shared()));
        sim::run(move |net| async move {
            let mut random = Random(seed);
            let mut clients = Vec::new();
            for _ in 0..2 {
                let client = logged_in(&net, &service, "ann@example.org").await;
                clients.push(Lists { client, lists: Default::default() });
            }
            for client in &mut clients {
                client.run("s SELECT INBOX").await;
            }
            for (at, search) in SEARCHES.iter().enumerate() {
                clients[0].run(&format!("t{at} {search}")).await;
            }
            for _ in 0..60 {
                let who = &mut clients[random.below(2)];
                let (uid, sign) = (random.below(20) + 1, ["+", "-"][random.below(2)]);
                let flag = ["\\Deleted", "\\Flagged", "word"][random.below(3)];
                match random.below(6) {
                    0 | 1 => {
                        let subject = random.below(30);
                        let message = format!("Subject: {subject}\r\n\r\n{}", "x".repeat(random.below(5)));
                        who.run(&format!("a APPEND INBOX (\\Seen) {{{}+}}\r\n{message}", message.len())).await;
                    }
                    2 | 3 => {
                        who.run(&format!("b UID STORE {uid}:{} {sign}FLAGS ({flag})", uid + random.below(4))).await
                    }
                    4 => who.run("c EXPUNGE").await,
                    _ => who.run("d NOOP").await,
                }
            }
            clients[0].run("e NOOP").await;
            let believed = clients[0].lists.clone();
            for (at, search) in SEARCHES.iter().enumerate() {
                clients[0].lists[at].clear();
                clients[0].run(&format!("t{} {}", at + 3, search.replace("UPDATE ", ""))).await;
                assert_eq!(believed[at], clients[0].lists[at], "{search}");
            }
        });
    }
}
