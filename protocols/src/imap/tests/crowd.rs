//! Random work of a handful of sessions in one mailbox and beside it: what each has been told is, whenever nothing is under way, what a new session
//! finds; uids and modseqs only grow; a UIDVALIDITY never comes again with other mail; and a resynchronisation (RFC 7162) from any earlier
//! point comes to the same as reading everything. Prints its seed.
use super::{ImapService, logged_in, shared};
use crate::runtime::sim::{self, Client, Net};
use crate::testing::Random;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Who takes part: how a session wants to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Plain,
    CondStore,
    QResync,
    /// Told at once (RFC 5465).
    Notify,
}

const KINDS: [Kind; 4] = [Kind::QResync, Kind::Plain, Kind::Notify, Kind::CondStore];

/// What is known of a message; no flags: the client has stored silently, or not asked yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Known {
    uid: u32,
    flags: Option<BTreeSet<String>>,
    modseq: u64,
    email: String,
}

/// A point to come back to.
#[derive(Clone, Debug)]
struct Point {
    validity: u32,
    modseq: u64,
    flags: BTreeMap<u32, BTreeSet<String>>,
}

/// A client that believes what it is told.
struct Believer {
    client: Client,
    kind: Kind,
    /// UIDVALIDITY of the selected mailbox; `None`: none is selected.
    validity: Option<u32>,
    read_only: bool,
    /// The server has said goodbye.
    gone: bool,
    messages: Vec<Known>,
    /// The greatest modseq heard of.
    modseq: u64,
    vanished_earlier: BTreeSet<u32>,
    points: Vec<Point>,
}

/// What no history may break.
#[derive(Default)]
struct Laws {
    /// By UIDVALIDITY and uid: which content, and the last modseq.
    mails: BTreeMap<(u32, u32), (String, u64)>,
    /// By UIDVALIDITY: UIDNEXT and HIGHESTMODSEQ.
    counters: BTreeMap<u32, (u32, u64)>,
    /// UIDVALIDITY of mailboxes that are gone.
    gone: BTreeSet<u32>,
}

/// The number behind a word: `UIDNEXT 4]`.
fn number(line: &str, word: &str) -> Option<u64> {
    let (_, rest) = line.split_once(&format!("{word} "))?;
    let digits: String = rest.trim_start_matches('(').chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

fn set(text: &str) -> BTreeSet<u32> {
    let range = |range: &str| {
        let (from, to) = range.split_once(':').unwrap_or((range, range));
        from.parse::<u32>().expect("a uid")..=to.parse().expect("a uid")
    };
    text.split(',').flat_map(range).collect()
}

impl Believer {
    async fn new(net: &Net, service: &ImapService, kind: Kind) -> Believer {
        let client = logged_in(net, service, "ann@example.org").await;
        let mut believer = Believer {
            client,
            kind,
            validity: None,
            read_only: false,
            gone: false,
            messages: Vec::new(),
            modseq: 0,
            vanished_earlier: BTreeSet::new(),
            points: Vec::new(),
        };
        let first = match kind {
            Kind::Plain => "NOOP",
            Kind::CondStore => "ENABLE CONDSTORE",
            Kind::QResync => "ENABLE QRESYNC",
            Kind::Notify => "NOTIFY SET (selected (MessageNew (UID FLAGS) MessageExpunge FlagChange))",
        };
        believer.run(first).await;
        believer
    }

    /// Sends a command and takes in what is told; the tagged answer, or nothing when the server has closed.
    async fn run(&mut self, command: &str) -> Option<String> {
        self.client.write(format!("t {command}\r\n").as_bytes()).await;
        loop {
            let line = self.client.read_line().await;
            let line = String::from_utf8_lossy(&line).trim_end().to_owned();
            if line.is_empty() {
                assert!(self.gone, "{command}: the server has gone");
                return None;
            }
            if line.starts_with("* BYE") {
                assert!(line.contains("deleted"), "{command}: {line}");
                (self.validity, self.gone) = (None, true);
            }
            self.modseq = self.modseq.max(number(&line, "HIGHESTMODSEQ").unwrap_or(0));
            if let Some(answer) = line.strip_prefix("t ") {
                assert!(!answer.starts_with("BAD"), "{command}: {line}");
                return Some(answer.to_owned());
            }
            self.hear(&line, command);
        }
    }

    fn hear(&mut self, line: &str, command: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        if let Some(uids) = line.strip_prefix("* VANISHED (EARLIER) ") {
            self.vanished_earlier.extend(set(uids));
        } else if let Some(uids) = line.strip_prefix("* VANISHED ") {
            let gone = set(uids);
            assert!(self.messages.iter().all(|known| known.uid > 0), "{command}: {line} with uids that are not known");
            let before = self.messages.len();
            self.messages.retain(|known| !gone.contains(&known.uid));
            assert_eq!(before - self.messages.len(), gone.len(), "{command}: {line}");
        } else if let Some(validity) = number(line, "[UIDVALIDITY") {
            self.validity = Some(validity as u32);
        }
        let Some(at) = words.get(1).and_then(|word| word.parse::<usize>().ok()) else { return };
        match words.get(2).copied() {
            Some("EXISTS") => {
                assert!(at >= self.messages.len(), "{command}: {line} after {}", self.messages.len());
                self.messages.resize(at, Known::default());
            }
            Some("EXPUNGE") => {
                assert!(at >= 1 && at <= self.messages.len(), "{command}: {line} of {}", self.messages.len());
                self.messages.remove(at - 1);
            }
            Some("FETCH") => self.fetched(at, line, command),
            _ => {}
        }
    }

    fn fetched(&mut self, at: usize, line: &str, command: &str) {
        let len = self.messages.len();
        let known = self.messages.get_mut(at - 1).unwrap_or_else(|| panic!("{command}: {line} of {len}"));
        if let Some(uid) = number(line, "UID") {
            assert!(known.uid == 0 || u64::from(known.uid) == uid, "{command}: {line}, known {known:?}");
            known.uid = uid as u32;
        }
        if let Some((_, rest)) = line.split_once("FLAGS (") {
            let flags = rest.split(')').next().unwrap_or_default().split(' ');
            known.flags =
                Some(flags.filter(|flag| !flag.is_empty() && *flag != "\\Recent").map(str::to_owned).collect());
        }
        if let Some(modseq) = number(line, "MODSEQ") {
            assert!(modseq >= known.modseq, "{command}: {line}, known {known:?}");
            (known.modseq, self.modseq) = (modseq, self.modseq.max(modseq));
        }
        if let Some((_, rest)) = line.split_once("EMAILID (") {
            known.email = rest.split(')').next().unwrap_or_default().to_owned();
        }
    }

    /// Reads everything.
    async fn look(&mut self) {
        if !self.messages.is_empty() {
            self.run("UID FETCH 1:* (FLAGS EMAILID MODSEQ)").await;
        }
    }

    /// Selects the mailbox, and comes up to date: from an earlier point or from nothing.
    async fn select(&mut self, name: &str, command: &str, random: &mut Random) {
        self.messages.clear();
        self.vanished_earlier.clear();
        self.modseq = 0;
        let point = match self.kind {
            Kind::QResync if !self.points.is_empty() => Some(self.points[random.below(self.points.len())].clone()),
            _ => None,
        };
        let since =
            point.as_ref().map_or(String::new(), |point| format!(" (QRESYNC ({} {}))", point.validity, point.modseq));
        self.read_only = command == "EXAMINE";
        // FETCHes of the resynchronisation come after EXISTS, so that each has its message.
        let answer = self.run(&format!("{command} {name}{since}")).await.expect("nobody says goodbye now");
        assert!(answer.starts_with("OK"), "{answer}");
        let told: BTreeMap<u32, BTreeSet<String>> =
            self.messages.iter().filter_map(|known| Some((known.uid, known.flags.clone()?))).collect();
        let vanished = self.vanished_earlier.clone();
        self.look().await;
        let all = self.flags();
        if let Some(point) = point.filter(|point| Some(point.validity) == self.validity) {
            let mut believed = point.flags.clone();
            believed.retain(|uid, _| !vanished.contains(uid));
            believed.extend(told);
            assert_eq!(believed, all, "resynchronised from {point:?}, vanished {vanished:?}");
        } else {
            assert!(told.is_empty() && vanished.is_empty(), "nothing is told of a mailbox that is not known");
        }
    }

    fn flags(&self) -> BTreeMap<u32, BTreeSet<String>> {
        self.messages.iter().filter_map(|known| Some((known.uid, known.flags.clone()?))).collect()
    }

    /// Comes up to date within the selection, and notes the point; whether the mailbox is still there.
    async fn catch_up(&mut self) -> bool {
        self.run("NOOP").await;
        if self.gone {
            return false;
        }
        if self.messages.iter().any(|known| known.uid == 0 || known.flags.is_none()) {
            self.look().await;
        }
        if self.kind == Kind::QResync {
            let (validity, modseq) = (self.validity.expect("one is selected"), self.modseq);
            self.points.push(Point { validity, modseq, flags: self.flags() });
        }
        true
    }
}

/// The two mailboxes that everybody works in, by their names of now, and what they are made of.
struct World {
    names: [String; 2],
    made: usize,
    mails: usize,
}

impl World {
    fn mail(&mut self) -> String {
        self.mails += 1;
        let mail = format!("Subject: {}\r\n\r\n", self.mails);
        format!("{{{}+}}\r\n{mail}", mail.len())
    }

    fn name(&mut self) -> String {
        self.made += 1;
        format!("box{}", self.made)
    }
}

/// One step of a session that has the first mailbox selected.
async fn step(who: &mut Believer, world: &mut World, laws: &mut Laws, random: &mut Random) {
    let uids: Vec<u32> = who.messages.iter().map(|known| known.uid).filter(|uid| *uid > 0).collect();
    let uid = uids.get(random.below(uids.len())).copied().unwrap_or(1);
    let last = uid + random.below(4) as u32;
    let flag = ["\\Seen", "\\Deleted", "\\Deleted", "\\Flagged", "word"][random.below(5)];
    let sign = ["+", "-", ""][random.below(3)];
    let [here, there] = world.names.clone();
    let changes = !who.read_only;
    let command = match random.below(17) {
        0..=2 => format!("APPEND {here} ({flag}) {}", world.mail()),
        3 | 4 if changes => format!("UID STORE {uid}:{last} {sign}FLAGS ({flag})"),
        5 if changes => {
            who.run(&format!("UID STORE {uid}:{last} {sign}FLAGS.SILENT ({flag})")).await;
            // Told nothing, it no longer knows.
            let touched = |known: &&mut Known| (uid..=last).contains(&known.uid);
            return who.messages.iter_mut().filter(touched).for_each(|known| known.flags = None);
        }
        6 if changes && who.kind != Kind::Plain => {
            let since = who.modseq.saturating_sub(random.below(4) as u64);
            format!("UID STORE {uid}:{last} (UNCHANGEDSINCE {since}) {sign}FLAGS ({flag})")
        }
        7 => format!("UID COPY {uid}:{last} {}", [here, there][random.below(2)]),
        8 if changes => format!("UID MOVE {uid} {there}"),
        9 if changes => "EXPUNGE".into(),
        10 if changes => format!("UID EXPUNGE {uid}:{last}"),
        11 if changes && !uids.is_empty() => format!("UID REPLACE {uid} {here} {}", world.mail()),
        12 => {
            who.run(["CLOSE", "UNSELECT"][random.below(2)]).await;
            who.validity = None;
            return;
        }
        13 => {
            // Its mailbox may have been removed under it, and the connection with it.
            who.run("NOOP").await;
            if who.gone {
                return;
            }
            world.names[0] = world.name();
            format!("RENAME {here} {}", world.names[0])
        }
        14 if random.below(3) == 0 => {
            who.run("NOOP").await;
            return if !who.gone {
                again(who, &here, laws).await
            };
        }
        15 => "UID FETCH 1:* (FLAGS UID)".into(),
        _ => ["SEARCH ALL", "NOOP", "CHECK"][random.below(3)].into(),
    };
    who.run(&command).await;
}

/// Removes the selected mailbox and makes another with its name.
async fn again(who: &mut Believer, name: &str, laws: &mut Laws) {
    laws.gone.extend(who.validity.take());
    for command in ["DELETE", "CREATE"] {
        let answer = who.run(&format!("{command} {name}")).await.expect("it is there");
        assert!(answer.starts_with("OK"), "{command} {name}: {answer}");
    }
}

/// Everybody comes up to date and has what a new session finds.
async fn compare(net: &Net, service: &ImapService, sessions: &mut [Believer], world: &World, laws: &mut Laws) {
    let mut fresh = Believer::new(net, service, Kind::CondStore).await;
    let answer = fresh.run(&format!("EXAMINE {}", world.names[0])).await;
    assert!(answer.is_some_and(|answer| answer.starts_with("OK")));
    fresh.look().await;
    let validity = fresh.validity.expect("it is selected");
    assert!(!laws.gone.contains(&validity), "UIDVALIDITY {validity} has come again");
    let (next, highest) = laws.counters.entry(validity).or_default();
    for known in &fresh.messages {
        let is_new = !laws.mails.contains_key(&(validity, known.uid));
        assert!(!is_new || known.uid >= *next, "uid {} of {validity} is new after UIDNEXT {next}", known.uid);
        let mail = laws.mails.entry((validity, known.uid)).or_insert_with(|| (known.email.clone(), 0));
        assert_eq!(mail.0, known.email, "uid {} of {validity} is another mail now", known.uid);
        assert!(mail.1 <= known.modseq && known.modseq <= fresh.modseq, "{known:?} after modseq {}", mail.1);
        mail.1 = known.modseq;
    }
    let last = fresh.messages.last().map_or(0, |known| known.uid);
    assert!(*highest <= fresh.modseq, "HIGHESTMODSEQ {} after {highest}", fresh.modseq);
    (*next, *highest) = ((*next).max(last + 1), fresh.modseq);
    assert!(fresh.messages.is_sorted_by(|a, b| a.uid < b.uid));
    for (at, believer) in sessions.iter_mut().enumerate() {
        if believer.validity.is_none() || !believer.catch_up().await {
            continue;
        }
        assert_eq!(believer.validity, Some(validity), "session {at}");
        let strip = |known: &Known| (known.uid, known.flags.clone());
        let believed: Vec<_> = believer.messages.iter().map(strip).collect();
        assert_eq!(believed, fresh.messages.iter().map(strip).collect::<Vec<_>>(), "session {at}, {:?}", believer.kind);
    }
}

fn work(seed: u64, count: usize) {
    println!("seed {seed} with {count} sessions");
    let service = ImapService::new(Arc::new(shared()));
    sim::run(move |net| async move {
        let (mut random, mut laws) = (Random(seed), Laws::default());
        let mut world = World { names: ["box".into(), "beside".into()], made: 0, mails: 0 };
        let mut sessions = Vec::new();
        for at in 0..count {
            sessions.push(Believer::new(&net, &service, KINDS[at % KINDS.len()]).await);
        }
        for name in &world.names {
            sessions[0].run(&format!("CREATE {name}")).await;
        }
        for turn in 0..160 {
            let who = &mut sessions[random.below(count)];
            if who.gone {
                // Its mailbox has been removed under it; what it knows of that one may still be where it begins.
                let points = std::mem::take(&mut who.points);
                *who = Believer { points, ..Believer::new(&net, &service, who.kind).await };
            }
            if who.validity.is_none() {
                let command = ["SELECT", "SELECT", "EXAMINE"][random.below(3)];
                who.select(&world.names[0].clone(), command, &mut random).await;
                continue;
            }
            step(who, &mut world, &mut laws, &mut random).await;
            // Before anything vanishes by its uid, a client asks for the uids of what has come.
            if who.validity.is_some() && who.messages.iter().any(|known| known.uid == 0) {
                who.look().await;
            }
            if turn % 16 == 15 {
                compare(&net, &service, &mut sessions, &world, &mut laws).await;
            }
        }
        compare(&net, &service, &mut sessions, &world, &mut laws).await;
    });
}

#[test]
fn everybody_knows_what_is() {
    for seed in 1..=24u64 {
        work(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15), 3 + (seed % 3) as usize);
    }
}
