//! What the tests of every protocol share: a real engine on a simulated disk with two members, and transcripts of what clients send and
//! must hear. Compiled for tests only.
pub(crate) mod dns;
pub(crate) mod scram;
pub(crate) mod tls;

use crate::runtime::Service;
use crate::runtime::sim::{self, Client, Net};
use crate::session::{PlaintextAuth, Shared};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use posthouse_engine::base::{Flags, MailboxId, SimClock};
use posthouse_engine::directory::{Address, Algorithm, Change, KeyState, Quota, SigningKey};
use posthouse_engine::disk::sim::SimDisk;
use posthouse_engine::{Append, Engine, Options};
use std::sync::Arc;

/// An RSA key, for tests only, and its public half: base64 of PKCS #8 and of SubjectPublicKeyInfo.
const RSA: &str = include_str!("rsa.txt");
/// argon2id of `secret`, as cheap as it gets.
const HASH: &str = "$argon2id$v=19$m=8,t=1,p=1$cG9zdGhvdXNlLXRlc3RzIQ$YHmlhUnTuVQOcrdhIx5FF+58oje3RiKtMNEPCbPmre4";
/// 24 Nov 2026 03:50:48 UTC.
const NOW_MS: i64 = 1_795_492_248_000;

/// Every way in which other servers have taken something else for the end of a message (CVE-2023-51764 to 51766).
pub(crate) const SMUGGLED: [&str; 18] = [
    "\n.\n",
    "\n.\r\n",
    "\r\n.\n",
    "\r\n.\r",
    "\r.\r",
    "\r.\r\n",
    "\n.\r",
    "\r\n\x00.\r\n",
    "\r\r\n.\n",
    "\r\n.\r\r\n",
    "\n\n.\r\n",
    "\r\n.\n\r\n",
    "\r\r.\r\r",
    "\r\n.\x00\r\n",
    "\n\x00.\n",
    "\x00\n.\n",
    "\r\x00\n.\r\n",
    "\r\n.\x00\n",
];

/// A store with the members ann@example.org and bob@example.org, whose passwords are `secret`. Bob may hold 10 kB.
pub(crate) fn shared() -> Shared {
    shared_on(SimDisk::new(1))
}

/// The same on a disk that the test can let fail, or that has such a store already.
pub(crate) fn shared_on(disk: SimDisk) -> Shared {
    shared_with(disk, Arc::new(SimClock::at_ms(NOW_MS)))
}

/// The same with a clock that the test sets.
pub(crate) fn shared_with(disk: SimDisk, clock: Arc<SimClock>) -> Shared {
    shared_in(disk, clock, 1)
}

/// The same in several shards: ann is in the second of two, bob in the first.
pub(crate) fn shared_in(disk: SimDisk, clock: Arc<SimClock>, shards: u16) -> Shared {
    let options = Options {
        disk: Arc::new(disk),
        clock: clock.clone(),
        shards,
        segment_bytes_max: 8 << 20,
        checkpoint_log_bytes: 64 << 20,
        workers: 1,
    };
    let (engine, _) = Engine::open(options).expect("an empty store opens");
    let member = |address: &str, quota| Change::MemberAdd {
        address: Address::parse(address).expect("an address"),
        name: "Somebody".into(),
        password_hash: Some(HASH.into()),
        vip: false,
        quota,
    };
    if engine.directory(|directory| directory.account_count()) == 0 {
        let changes = vec![
            Change::TenantAdd { name: "example".into(), title: "Example".into(), accounts_max: None },
            Change::DomainAdd { tenant: "example".into(), domain: "example.org".into() },
            member("ann@example.org", Quota::Default),
            member("bob@example.org", Quota::Bytes(10_000)),
        ];
        for done in engine.change_directory(changes).wait() {
            done.expect("the directory takes it");
        }
    }
    let mut shared = Shared::new(engine, clock, "mail.example.org");
    // The simulated clients are on no loopback address.
    shared.plaintext_auth = PlaintextAuth::Always;
    // Keys take a while to make; the tests of SCRAM switch it on.
    shared.scram = false;
    shared
}

/// Puts messages into somebody's INBOX.
pub(crate) fn append(shared: &Shared, address: &str, messages: &[&[u8]]) {
    let engine = &shared.engine;
    let account = engine.directory(|directory| directory.login(address).map(|account| account.id)).expect("a member");
    engine.open_account(account).wait().expect("the account opens");
    let staged = messages.iter().map(|message| Append {
        staged: engine.stage(Vec::new(), message.to_vec()).wait().expect("it can be staged"),
        flags: Flags::NONE,
        keywords: Vec::new(),
        internal_date: None,
    });
    engine.append(account, MailboxId::INBOX, staged.collect()).wait().expect("there is room");
}

/// Plays a transcript with clients that have only connected, one for each session that it names. `C: ` lines are sent, `S: ` lines must
/// come in that order; `...` in them stands for anything. `S: >>> ` passes over untagged lines to the one that is named. `C2: ` and `S2: ` are a
/// second session, and so on.
pub(crate) fn play(service: impl Service, script: &'static str) {
    sim::run(move |net| async move {
        let mut clients = connect(&net, &service, script);
        perform(&mut clients, script).await;
    });
}

/// A client for each session of a transcript.
pub(crate) fn connect(net: &Net, service: &dyn Service, script: &str) -> Vec<Client> {
    (0..sessions(script)).map(|_| net.connect(service)).collect()
}

/// How many sessions a transcript names.
pub(crate) fn sessions(script: &str) -> usize {
    script.lines().filter_map(|line| step(line).map(|(_, session, _)| session)).max().unwrap_or(1)
}

/// Sends and hears the lines of a transcript.
pub(crate) async fn perform(clients: &mut [Client], script: &str) {
    for line in script.lines() {
        let Some((sends, session, text)) = step(line) else {
            continue;
        };
        let client = &mut clients[session - 1];
        if sends {
            assert!(client.write(format!("{text}\r\n").as_bytes()).await, "the server has gone before {line:?}");
        } else if let Some(text) = text.strip_prefix(">>> ") {
            expect_after_untagged(client, text, line).await;
        } else {
            expect(client, text, line).await;
        }
    }
}

/// A line that is `pattern` must come, with nothing but untagged ones before it.
async fn expect_after_untagged(client: &mut Client, pattern: &str, line: &str) {
    loop {
        let heard = client.read_line().await;
        let heard = String::from_utf8_lossy(&heard);
        if matches(pattern, heard.trim_end_matches("\r\n")) {
            return;
        }
        assert!(heard.starts_with("* "), "expected {line:?}\n   heard {heard:?}");
    }
}

/// `C2: text` as (sends, 2, text).
fn step(line: &str) -> Option<(bool, usize, &str)> {
    let line = line.trim_start();
    let (who, text) = line.split_once(':')?;
    let sends = match who.chars().next()? {
        'C' => true,
        'S' => false,
        _ => return None,
    };
    let session = if who.len() > 1 { who[1..].parse().ok()? } else { 1 };
    Some((sends, session, text.strip_prefix(' ').unwrap_or(text)))
}

/// The next line must be `pattern`.
pub(crate) async fn expect(client: &mut Client, pattern: &str, line: &str) {
    let heard = client.read_line().await;
    let heard = String::from_utf8_lossy(&heard);
    let heard = heard.strip_suffix("\r\n").unwrap_or(&heard);
    assert!(matches(pattern, heard), "expected {line:?}\n   heard {heard:?}");
}

/// Whether `heard` is `pattern`, in which `...` stands for anything.
fn matches(pattern: &str, heard: &str) -> bool {
    let mut parts = pattern.split("...");
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = heard.strip_prefix(first) else {
        return false;
    };
    let mut last = None;
    for part in parts {
        if let Some(part) = last.replace(part) {
            let part: &str = part;
            match rest.find(part) {
                Some(at) => rest = &rest[at + part.len()..],
                None => return false,
            }
        }
    }
    match last {
        None => rest.is_empty(),
        Some(last) => rest.ends_with(last),
    }
}

/// An active RSA key of a domain, and the name and text of its record.
pub(crate) fn rsa_key(domain: &str) -> (SigningKey, (String, String)) {
    let (private, public) = RSA.split_once("\n\n").expect("both halves");
    let bytes = |text: &str| STANDARD.decode(text.replace('\n', "")).expect("base64").into_boxed_slice();
    let key = SigningKey {
        domain: domain.into(),
        selector: "rsa".into(),
        algorithm: Algorithm::Rsa,
        state: KeyState::Active,
        private: bytes(private),
        public: bytes(public),
        created: 0,
    };
    let record = format!("v=DKIM1; k=rsa; p={}", public.replace('\n', ""));
    (key, (format!("rsa._domainkey.{domain}"), record))
}

/// Numbers that a seed gives again.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % bound.max(1) as u64) as usize
    }
}
