//! Three to five members, some with two sessions, at random work in one mailbox, several at once: what each has been told is what it would be
//! told if it asked, each \Seen is its own, everything else is everybody's, and what two move at once is in one place. Prints its seed, and
//! repeats one with POSTHOUSE_SEED.
use super::logged_in;
use super::sharing::town;
use crate::imap::ImapService;
use crate::runtime::sim::{self, Client, Net};
use crate::session::Shared;
use crate::testing::Random;
use posthouse_engine::directory::{Address, Change, Quota};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// uid -> flags; the \Seen of member 3 is `\Seen3` in the truth.
type Flags = BTreeMap<u32, BTreeSet<String>>;

/// The owner, and guests: in the owner's shard and in the other one.
const MEMBERS: [&str; 5] = ["ann", "bob", "cid", "dan", "fay"];

/// A session, and what it has been told.
struct Session {
    client: Client,
    /// Which of the members.
    who: usize,
    told: Vec<Option<(u32, BTreeSet<String>)>>,
    /// What the last command has put somewhere: the uid of APPENDUID, or that something was moved.
    put: Option<u32>,
}

/// What a session does.
#[derive(Clone, Debug, PartialEq)]
enum Deed {
    Append,
    Store { uid: u32, flag: String, on: bool, replaces: bool },
    Move { uid: u32 },
    Expunge,
    Close,
    Look,
}

impl Session {
    /// The shared mailbox, as the member knows it.
    fn name(&self) -> &'static str {
        if self.who == 0 { "INBOX" } else { "Other Users/ann@example.org/INBOX" }
    }

    /// Where the member moves mail to.
    fn target(&self) -> &'static str {
        if self.who == 0 { "Trash" } else { "INBOX" }
    }

    fn seen(&self) -> String {
        format!("\\Seen{}", self.who)
    }

    async fn write(&mut self, command: &str) {
        assert!(self.client.write(format!("t {command}\r\n").as_bytes()).await);
    }

    /// Takes in what is told up to the tagged answer.
    async fn hear_answer(&mut self) -> String {
        self.put = None;
        loop {
            let line = self.client.read_line().await;
            let line = String::from_utf8_lossy(&line).trim_end().to_owned();
            if let Some(answer) = line.strip_prefix("t ") {
                self.hear_code(answer);
                return answer.to_owned();
            }
            self.hear_code(&line);
            self.hear(&line);
        }
    }

    fn hear_code(&mut self, line: &str) {
        let code =
            line.split_once("UID ").filter(|(before, _)| before.ends_with("[APPEND") || before.ends_with("[COPY"));
        if let Some((_, numbers)) = code {
            let last = numbers.split([' ', ']']).nth(1).and_then(|number| number.parse().ok());
            self.put = Some(last.expect("a uid"));
        }
    }

    async fn run(&mut self, command: &str) -> String {
        self.write(command).await;
        let answer = self.hear_answer().await;
        assert!(answer.starts_with("OK"), "{command}: {answer}");
        answer
    }

    fn hear(&mut self, line: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        let Some(number) = words.get(1).and_then(|word| word.parse::<usize>().ok()) else { return };
        match words.get(2).copied() {
            Some("EXISTS") => self.told.resize(number, None),
            Some("EXPUNGE") => drop(self.told.remove(number - 1)),
            Some("FETCH") => {
                let uid = words.iter().position(|word| word.ends_with("UID"));
                let uid = uid.map(|at| words[at + 1].trim_end_matches(')').parse().expect("a uid"));
                let flags = line.split_once("FLAGS (").map(|(_, rest)| {
                    let flags = rest.split(')').next().unwrap_or_default();
                    let flags = flags.split(' ').filter(|flag| !flag.is_empty() && *flag != "\\Recent");
                    flags.map(str::to_owned).collect::<BTreeSet<String>>()
                });
                let known = &mut self.told[number - 1];
                let uid = uid.or(known.as_ref().map(|known| known.0));
                if let (Some(uid), Some(flags)) = (uid, flags) {
                    *known = Some((uid, flags));
                }
            }
            _ => {}
        }
    }

    async fn select(&mut self) {
        self.told.clear();
        self.run(&format!("SELECT \"{}\"", self.name())).await;
        self.look().await;
    }

    async fn look(&mut self) {
        if !self.told.is_empty() {
            self.run("FETCH 1:* (UID FLAGS)").await;
        }
    }

    fn flags(&self) -> Flags {
        self.told.iter().flatten().cloned().collect()
    }

    fn command(&self, deed: &Deed) -> String {
        match deed {
            Deed::Append => format!("APPEND \"{}\" (\\Seen word) {{14+}}\r\nSubject: x\r\n\r\n", self.name()),
            Deed::Store { uid, flag, on, replaces } => {
                let sign = if *replaces { "" } else { ["-", "+"][usize::from(*on)] };
                format!("UID STORE {uid} {sign}FLAGS ({flag})")
            }
            Deed::Move { uid } => format!("UID MOVE {uid} {}", self.target()),
            Deed::Expunge => "EXPUNGE".into(),
            Deed::Close => "CLOSE".into(),
            Deed::Look => "UID SEARCH DELETED".into(),
        }
    }
}

/// What the sessions of a round do, so that it does not matter who is first: nobody changes what another one changes, and nobody marks what
/// another one may remove. But several may move one message.
struct Round {
    wanted: u32,
    stored: BTreeSet<u32>,
    marks: bool,
    removes: bool,
}

impl Round {
    fn deed(&mut self, uids: &[u32], random: &mut Random) -> Deed {
        let uid = uids.get(random.below(uids.len())).copied().unwrap_or(1);
        let flag = ["\\Seen", "\\Deleted", "\\Flagged", "word"][random.below(4)];
        let (on, replaces) = (random.below(2) == 1, random.below(3) == 0);
        match random.below(9) {
            0 | 1 => Deed::Append,
            2 if !self.marks => {
                self.removes = true;
                [Deed::Expunge, Deed::Close][random.below(2)].clone()
            }
            3 | 4 if !uids.is_empty() => Deed::Move { uid: self.wanted },
            5..=7 if !uids.is_empty() && !self.stored.contains(&uid) => {
                let marks = flag == "\\Deleted" || replaces;
                if marks && self.removes {
                    return Deed::Look;
                }
                self.marks |= marks;
                self.stored.insert(uid);
                Deed::Store { uid, flag: flag.into(), on: on || replaces, replaces }
            }
            _ => Deed::Look,
        }
    }
}

/// Does to the truth what a session has done.
fn note(truth: &mut Flags, session: &Session, deed: &Deed) {
    let seen = session.seen();
    match deed {
        Deed::Append => {
            let uid = session.put.expect("APPENDUID");
            assert!(truth.insert(uid, [seen, "word".to_owned()].into()).is_none(), "uid {uid} came twice");
        }
        Deed::Store { uid, flag, on, replaces } => {
            let Some(flags) = truth.get_mut(uid) else { return };
            let kept = if flag == "\\Seen" { seen.clone() } else { flag.clone() };
            if *replaces {
                flags.retain(|flag| flag.starts_with("\\Seen") && *flag != seen);
            }
            flags.remove(&kept);
            flags.extend(on.then_some(kept));
        }
        Deed::Expunge | Deed::Close => truth.retain(|_, flags| !flags.contains("\\Deleted")),
        Deed::Move { .. } | Deed::Look => {}
    }
}

/// Some sessions do something at once; `moved` counts what each member has moved away.
async fn round(sessions: &mut [Session], truth: &mut Flags, random: &mut Random, moved: &mut [u64]) {
    let uids: Vec<u32> = truth.keys().copied().collect();
    let wanted = uids.get(random.below(uids.len())).copied().unwrap_or(1);
    let mut round = Round { wanted, stored: BTreeSet::new(), marks: false, removes: false };
    let mut deeds: Vec<(usize, Deed)> = Vec::new();
    for _ in 0..2 + random.below(sessions.len() - 1) {
        let at = random.below(sessions.len());
        if deeds.iter().all(|(other, _)| *other != at) {
            deeds.push((at, round.deed(&uids, random)));
        }
    }
    for (at, _) in &deeds {
        // A command with uids means the messages that its session knows of.
        sessions[*at].run("NOOP").await;
    }
    for (at, deed) in &deeds {
        let command = sessions[*at].command(deed);
        sessions[*at].write(&command).await;
    }
    for (at, deed) in &deeds {
        let session = &mut sessions[*at];
        let answer = session.hear_answer().await;
        let is_busy = matches!(deed, Deed::Move { .. }) && answer.starts_with("NO [LIMIT]");
        assert!(answer.starts_with("OK") || is_busy, "{deed:?}: {answer}");
        if let (Deed::Move { uid }, Some(_)) = (deed, session.put) {
            assert!(truth.remove(uid).is_some(), "two have uid {uid}");
            moved[session.who] += 1;
        }
    }
    // What is removed is what was marked before.
    deeds.sort_by_key(|(_, deed)| matches!(deed, Deed::Store { .. }));
    for (at, deed) in &deeds {
        note(truth, &sessions[*at], deed);
        if *deed == Deed::Close {
            sessions[*at].select().await;
        }
    }
}

/// What a member is to see of the truth.
fn seen_by(truth: &Flags, who: usize) -> Flags {
    let own = format!("\\Seen{who}");
    let shown = |flag: &String| match flag.strip_prefix("\\Seen") {
        Some(_) => (*flag == own).then(|| "\\Seen".to_owned()),
        None => Some(flag.clone()),
    };
    truth.iter().map(|(uid, flags)| (*uid, flags.iter().filter_map(shown).collect())).collect()
}

async fn check(sessions: &mut [Session], truth: &Flags, moved: &[u64]) {
    for session in sessions {
        session.run("NOOP").await;
        // New messages come without their flags; everything else it knows from being told.
        let (who, expected) = (session.who, seen_by(truth, session.who));
        for (uid, flags) in &session.flags() {
            assert_eq!(Some(flags), expected.get(uid), "uid {uid} as member {who} was told");
        }
        session.select().await;
        assert_eq!(session.flags(), expected, "as member {who} asks");
        let unseen = expected.values().filter(|flags| !flags.contains("\\Seen")).count();
        let held = moved[who];
        for (name, items, is) in
            [(session.name(), "UNSEEN", unseen.to_string()), (session.target(), "MESSAGES", held.to_string())]
        {
            session.client.write(format!("s STATUS \"{name}\" ({items})\r\n").as_bytes()).await;
            let status = String::from_utf8_lossy(&session.client.read_line().await).into_owned();
            assert!(status.contains(&format!("({items} {is})")), "member {who}, {is} expected: {status}");
            session.client.read_line().await;
        }
    }
}

/// The town of the other tests with two members more.
fn village(shards: u16) -> Shared {
    let shared = town(shards);
    let at = |address: &str| Address::parse(address).expect("an address");
    let ann = shared.engine.directory(|directory| directory.account_at(&at("ann@example.org")).cloned());
    let hash = ann.and_then(|ann| ann.password_hash.clone()).map(String::from);
    let changes = ["dan@example.org", "fay@example.org"].map(|address| Change::MemberAdd {
        address: at(address),
        name: String::new(),
        password_hash: hash.clone(),
        vip: false,
        quota: Quota::Default,
    });
    for done in shared.engine.change_directory(changes.into()).wait() {
        done.expect("the directory takes it");
    }
    shared
}

/// The first member's mailbox is shared with the others; each has one session or two.
async fn come(net: &Net, service: &ImapService, members: usize, random: &mut Random) -> Vec<Session> {
    let mut sessions = Vec::new();
    for (who, name) in MEMBERS[..members].iter().enumerate() {
        let address = format!("{name}@example.org");
        for number in 0..1 + random.below(2) {
            let mut client = logged_in(net, service, &address).await;
            for guest in MEMBERS[1..members].iter().filter(|_| (who, number) == (0, 0)) {
                client.write(format!("r SETACL INBOX {guest}@example.org lrswite\r\n").as_bytes()).await;
                assert!(client.read_line().await.starts_with(b"r OK"));
            }
            let mut session = Session { client, who, told: Vec::new(), put: None };
            session.select().await;
            sessions.push(session);
        }
    }
    sessions
}

fn work(seed: u64) {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let (shards, members) = (1 + random.below(2) as u16, 3 + random.below(3));
    println!("seed {seed}: {members} members, {shards} shards");
    let service = ImapService::new(Arc::new(village(shards)));
    sim::run(move |net| async move {
        let mut sessions = come(&net, &service, members, &mut random).await;
        let (mut truth, mut moved) = (Flags::new(), vec![0; members]);
        for number in 1..=60 {
            round(&mut sessions, &mut truth, &mut random, &mut moved).await;
            if number % 20 == 0 {
                check(&mut sessions, &truth, &moved).await;
            }
        }
    });
}

#[test]
fn members_share_all_but_seen() {
    let one = std::env::var("POSTHOUSE_SEED").ok().map(|seed| seed.parse().expect("POSTHOUSE_SEED is a number"));
    let seeds = one.map_or(1..=24u64, |seed| seed..=seed);
    seeds.for_each(work);
}
