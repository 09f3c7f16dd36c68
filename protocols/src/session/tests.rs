//! Logins through whole sessions of every protocol: SCRAM with and without channel binding, app passwords, rules, the login log.
use super::{Place, Shared};
use crate::imap::ImapService;
use crate::pop3::Pop3Service;
use crate::runtime::Service;
use crate::runtime::sim::{self, Client, Net};
use crate::smtp::SmtpService;
use crate::testing::scram::ScramClient;
use crate::testing::tls::{self, TlsClient};
use crate::testing::{perform, play, shared};
use posthouse_engine::base::Protocol;
use posthouse_engine::directory::access::new_app_password;
use posthouse_engine::directory::{
    AccessChange, Address, Change, LoginKeys, LoginRulesPatch, Protocols, ScramHash, Whose,
};
use posthouse_engine::trace::{LoginFilter, LoginResult, Means};
use std::sync::Arc;

fn ann() -> Address {
    Address::parse("ann@example.org").expect("an address")
}

fn change(shared: &Shared, change: AccessChange) {
    let done = shared.engine.change_directory(vec![Change::Access(change)]).wait();
    done.into_iter().for_each(|done| done.expect("it is allowed"));
}

/// The two members of every test, and keys of ann's password.
fn with_scram() -> Shared {
    let mut shared = shared();
    shared.scram = true;
    shared.engine.make_login_secret().wait().into_iter().for_each(|done| done.expect("there is room"));
    let candidate = shared.engine.login_candidate("ann@example.org");
    let of_hash = candidate.lacks_keys().expect("she has a password").to_owned();
    let keys = Box::new(LoginKeys::make("secret", candidate.salt()).expect("keys"));
    change(&shared, AccessChange::KeysMake { account: ann(), of_hash, keys });
    shared
}

fn app_password(shared: &Shared, name: &str, protocols: Protocols, expires: Option<i64>) -> String {
    let plain = new_app_password();
    let salt = shared.engine.login_candidate("ann@example.org").salt();
    let keys = Box::new(LoginKeys::make(&plain, salt).expect("keys"));
    change(shared, AccessChange::AppPasswordAdd { account: ann(), name: name.into(), protocols, expires, keys });
    plain
}

async fn line(client: &mut Client) -> String {
    String::from_utf8(client.read_line().await).expect("ASCII").trim_end().to_owned()
}

async fn say(client: &mut Client, line: &str) {
    assert!(client.write(format!("{line}\r\n").as_bytes()).await, "the server has gone before {line:?}");
}

/// How each protocol begins AUTH, marks a challenge, and says yes or no.
const WAYS: [(Protocol, &str, &str, &str, &str); 3] = [
    (Protocol::Imap, "a AUTHENTICATE", "+ ", "a OK ", "a NO [AUTHENTICATIONFAILED] "),
    (Protocol::Pop3, "AUTH", "+ ", "+OK ", "-ERR [AUTH] "),
    (Protocol::Submission, "AUTH", "334 ", "235 ", "535 "),
];

fn service(protocol: Protocol, shared: &Arc<Shared>) -> Box<dyn Service> {
    match protocol {
        Protocol::Imap => Box::new(ImapService::new(shared.clone())),
        Protocol::Pop3 => Box::new(Pop3Service::new(shared.clone())),
        Protocol::Submission => Box::new(SmtpService::submission(shared.clone())),
    }
}

/// A client that has been greeted.
async fn greeted(net: &Net, protocol: Protocol, shared: &Arc<Shared>) -> Client {
    let mut client = net.connect(&*service(protocol, shared));
    line(&mut client).await;
    if protocol == Protocol::Submission {
        say(&mut client, "EHLO x").await;
        while line(&mut client).await.starts_with("250-") {}
    }
    client
}

/// One exchange; whether the server let us in, after it has proven itself.
async fn scram(net: &Net, shared: &Arc<Shared>, protocol: Protocol, mechanism: &str, mut it: ScramClient) -> bool {
    let (_, begin, challenge, yes, no) = WAYS.into_iter().find(|way| way.0 == protocol).expect("a way");
    let mut client = greeted(net, protocol, shared).await;
    say(&mut client, &format!("{begin} {mechanism}")).await;
    assert_eq!(line(&mut client).await.trim_end(), challenge.trim_end());
    say(&mut client, &it.first()).await;
    let server_first = line(&mut client).await;
    say(&mut client, &it.last(server_first.strip_prefix(challenge).expect("a challenge"))).await;
    let answer = line(&mut client).await;
    if answer.starts_with(no) {
        return false;
    }
    assert_eq!(answer.strip_prefix(challenge), Some(it.expected().as_str()), "the server proves itself");
    say(&mut client, "").await;
    let answer = line(&mut client).await;
    assert!(answer.starts_with(yes), "{answer}");
    true
}

fn client(hash: ScramHash, name: &str, password: &str) -> ScramClient {
    ScramClient::new(hash, "n,,", b"", name, password)
}

const MECHANISMS: [(&str, ScramHash); 2] = [("SCRAM-SHA-256", ScramHash::Sha256), ("SCRAM-SHA-1", ScramHash::Sha1)];

#[test]
fn scram_by_every_protocol() {
    let shared = Arc::new(with_scram());
    let app = app_password(&shared, "phone", Protocols::of([Protocol::Imap, Protocol::Pop3]), None);
    sim::run(move |net| async move {
        for (protocol, ..) in WAYS {
            for (mechanism, hash) in MECHANISMS {
                let let_in = async |name, password| {
                    let it = client(hash, name, password);
                    scram(&net, &shared, protocol, mechanism, it).await
                };
                assert!(let_in("ann@example.org", "secret").await, "{protocol:?} {mechanism}");
                assert!(let_in("Ann@Example.ORG", "secret").await);
                assert!(!let_in("ann@example.org", "wrong").await);
                assert!(!let_in("nobody@example.org", "secret").await);
                assert!(!let_in("bob@example.org", "secret").await, "he has no keys yet");
                assert_eq!(let_in("ann@example.org", &app).await, protocol != Protocol::Submission);
                assert!(let_in("ann@example.org", "secret").await);
            }
        }
    });
}

#[test]
fn what_is_no_scram_is_told() {
    play(
        ImapService::new(Arc::new(with_scram())),
        "S: * OK [CAPABILITY ... AUTH=SCRAM-SHA-256 AUTH=SCRAM-SHA-1 AUTH=PLAIN AUTH=LOGIN] ...
         C: a AUTHENTICATE SCRAM-SHA-256-PLUS
         S: a NO [CANNOT] ...
         C: b AUTHENTICATE SCRAM-SHA-256 biwsbj1hbm4=
         S: b BAD ...
         C: c AUTHENTICATE SCRAM-SHA-256 biwsbj1hbm4scj0wMTIzNDU2Nzg5
         S: + ...
         C: *
         S: c BAD AUTHENTICATE cancelled
         C: d AUTHENTICATE SCRAM-SHA-256 biwsbj1hbm4scj0wMTIzNDU2Nzg5
         S: + ...
         C: Yz1iaXdzLHI9eCxwPWFhYWE=
         S: d BAD ...
         C: e AUTHENTICATE SCRAM-SHA-1 cD10bHMtZXhwb3J0ZXIsLG49YW5uLHI9MDEyMzQ1Njc4OQ==
         S: e BAD ...
         C: f LOGIN ann@example.org secret
         S: f OK ...",
    );
}

#[test]
fn a_server_without_scram_does_not_offer_it() {
    play(
        SmtpService::submission(Arc::new(shared())),
        "S: 220 ...
         C: EHLO x
         S: 250-mail.example.org
         S: 250-PIPELINING
         S: 250-8BITMIME
         S: 250-SMTPUTF8
         S: 250-CHUNKING
         S: 250-DSN
         S: 250-ENHANCEDSTATUSCODES
         S: 250-BINARYMIME
         S: 250-FUTURERELEASE 2592000 2026-12-24T03:50:48Z
         S: 250-DELIVERBY 60
         S: 250-MT-PRIORITY
         S: 250-LIMITS RCPTMAX=1000
         S: 250-SIZE ...
         S: 250 AUTH PLAIN LOGIN
         C: AUTH SCRAM-SHA-256
         S: 504 5.5.4 That mechanism is not offered; PLAIN LOGIN are",
    );
}

/// Keys are made at the first login that shows the password.
#[test]
fn a_plain_login_makes_the_keys() {
    let mut shared = shared();
    shared.scram = true;
    let shared = Arc::new(shared);
    sim::run(move |net| async move {
        let mut plain = [greeted(&net, Protocol::Imap, &shared).await];
        perform(
            &mut plain,
            "C: a LOGIN bob@example.org wrong\nS: a NO ...\nC: a LOGIN bob@example.org secret\nS: a OK ...",
        )
        .await;
        // They are made behind the answer, by the same worker that checks the next password.
        perform(&mut plain, "C: b UNAUTHENTICATE\nS: b OK ...\nC: c LOGIN ann@example.org wrong\nS: c NO ...").await;
        shared.engine.change_directory(Vec::new()).await;
        let it = client(ScramHash::Sha256, "bob@example.org", "secret");
        assert!(scram(&net, &shared, Protocol::Pop3, "SCRAM-SHA-256", it).await);
    });
}

#[test]
fn plus_binds_the_proof_to_the_connection() {
    let (server, client_config, end_point) = tls::bound_configs();
    let mut shared = with_scram();
    (shared.tls, shared.tls_end_point) = (Some(server), Some(end_point.clone()));
    let service = ImapService::new(Arc::new(shared));
    sim::run(move |net| async move {
        for (gs2, mechanism, right) in [
            ("p=tls-exporter,,", "SCRAM-SHA-256-PLUS", true),
            ("p=tls-server-end-point,,", "SCRAM-SHA-256-PLUS", true),
            ("p=tls-server-end-point,,", "SCRAM-SHA-1-PLUS", true),
            // Of another connection, or of another server's certificate.
            ("p=tls-exporter,,", "SCRAM-SHA-256-PLUS", false),
            // A client that was not shown -PLUS: somebody in between has taken it away.
            ("y,,", "SCRAM-SHA-256", false),
            ("n,,", "SCRAM-SHA-256", true),
        ] {
            let mut plain = net.connect(&service);
            plain.read_line().await;
            plain.write(b"a STARTTLS\r\n").await;
            plain.read_line().await;
            let mut over = TlsClient::start(plain, client_config.clone()).await;
            let binding = match gs2 {
                "p=tls-exporter,," if right => over.exporter(),
                "p=tls-server-end-point,," => end_point.clone(),
                "p=tls-exporter,," => vec![0; 32],
                _ => Vec::new(),
            };
            let hash = if mechanism.contains("256") { ScramHash::Sha256 } else { ScramHash::Sha1 };
            let mut it = ScramClient::new(hash, gs2, &binding, "ann@example.org", "secret");
            over.write(format!("b AUTHENTICATE {mechanism} {}\r\n", it.first()).as_bytes()).await;
            let mut answer = String::from_utf8(over.read_line().await).expect("ASCII");
            if let Some(server_first) = answer.strip_prefix("+ ") {
                let last = it.last(server_first.trim_end());
                over.write(format!("{last}\r\n").as_bytes()).await;
                answer = String::from_utf8(over.read_line().await).expect("ASCII");
            }
            if right {
                assert_eq!(answer.trim_end(), format!("+ {}", it.expected()), "{gs2} {mechanism}");
                over.write(b"\r\n").await;
                assert!(over.read_line().await.starts_with(b"b OK "));
            } else {
                assert!(answer.starts_with("b NO [AUTHENTICATIONFAILED] "), "{gs2} {answer}");
            }
        }
    });
}

#[test]
fn rules_and_app_passwords_hold_in_sessions_and_the_log_says_why() {
    let shared = Arc::new(with_scram());
    let expired = app_password(&shared, "old", Protocols::ALL, Some(shared.clock.now() + 1));
    let phone = app_password(&shared, "phone", Protocols::of([Protocol::Imap]), None);
    let set = LoginRulesPatch { app_only: Some(Some(true)), ..LoginRulesPatch::default() };
    change(&shared, AccessChange::LoginRulesSet { of: Whose::Tenant("example".into()), set });
    let network = Some(Some(vec!["203.0.113.0/24".parse().expect("a network")]));
    let set = LoginRulesPatch { networks: network, ..LoginRulesPatch::default() };
    let bob = Address::parse("bob@example.org").expect("an address");
    change(&shared, AccessChange::LoginRulesSet { of: Whose::Account(bob), set });
    let asked = shared.clone();
    sim::run(move |net| async move {
        let mut imap = [greeted(&net, Protocol::Imap, &asked).await];
        let script = format!(
            "C: a LOGIN ann@example.org secret\nS: a NO [AUTHENTICATIONFAILED] Wrong name or password
             C: b LOGIN bob@example.org secret\nS: b NO [AUTHENTICATIONFAILED] Wrong name or password
             C: c LOGIN ann@example.org {phone}\nS: c OK ..."
        );
        perform(&mut imap, &script).await;
        let mut pop3 = [greeted(&net, Protocol::Pop3, &asked).await];
        let script = format!("C: USER ann@example.org\nS: +OK ...\nC: PASS {phone}\nS: -ERR [AUTH] ...");
        perform(&mut pop3, &script).await;
        let it = client(ScramHash::Sha256, "ann@example.org", "secret");
        assert!(!scram(&net, &asked, Protocol::Submission, "SCRAM-SHA-256", it).await);
        let it = client(ScramHash::Sha256, "ann@example.org", &expired);
        assert!(scram(&net, &asked, Protocol::Submission, "SCRAM-SHA-256", it).await);
    });
    let page = shared.engine.logins(&LoginFilter::default(), None, 100).expect("it can be read");
    let told: Vec<_> =
        page.rows.iter().rev().map(|row| (row.record.protocol, row.record.means, row.record.result)).collect();
    assert_eq!(
        told,
        [
            (Protocol::Imap, Means::Command, LoginResult::AppPasswordNeeded),
            (Protocol::Imap, Means::Command, LoginResult::Network),
            (Protocol::Imap, Means::Command, LoginResult::Done),
            (Protocol::Pop3, Means::Command, LoginResult::Protocol),
            (Protocol::Submission, Means::ScramSha256, LoginResult::AppPasswordNeeded),
            (Protocol::Submission, Means::ScramSha256, LoginResult::Done),
        ]
    );
    let last = &page.rows[0].record;
    assert_eq!((last.app_password, last.name.as_str(), last.tls), (Some(1), "ann@example.org", false));
    assert!(last.account.is_some() && last.when_ms == shared.clock.now_ms());
}

#[test]
fn what_is_offered_depends_on_the_place() {
    let shared = with_scram();
    let place = |bindings| Place {
        protocol: Protocol::Imap,
        peer: "192.0.2.1:4000".parse().expect("an address"),
        tls: true,
        bindings,
    };
    let bound = super::Bindings { end_point: None, exporter: Some(vec![0; 32]) };
    let plain = "SCRAM-SHA-256 SCRAM-SHA-1 PLAIN LOGIN";
    assert_eq!(shared.mechanism_names(&place(super::Bindings::default())), plain);
    let all = "SCRAM-SHA-256-PLUS SCRAM-SHA-256 SCRAM-SHA-1-PLUS SCRAM-SHA-1 PLAIN LOGIN";
    assert_eq!(shared.mechanism_names(&place(bound)), all);
}
