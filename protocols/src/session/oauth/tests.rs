//! Tokens through whole sessions of every protocol, what answers are worth, and the endpoint over real HTTP.
use super::{Asked, Endpoint, EndpointSettings, Introspect, OAuth, Settings, Url, Verdict};
use crate::imap::ImapService;
use crate::pop3::Pop3Service;
use crate::runtime::sim;
use crate::session::Shared;
use crate::smtp::SmtpService;
use crate::testing::{play, shared};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use posthouse_engine::base::Protocol;
use posthouse_engine::directory::{AccessChange, AccountPatch, Address, Change, LoginRulesPatch, Protocols, Whose};
use posthouse_engine::trace::{LoginFilter, LoginResult, Means};
use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

const NOW: i64 = 1_000;

/// Knows some tokens; has no answer for others.
#[derive(Clone, Default)]
struct Provider {
    answers: HashMap<&'static str, &'static str>,
    asked: Arc<AtomicUsize>,
}

impl Introspect for Provider {
    fn ask(&self, token: &str) -> Asked {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let answer = self.answers.get(token).map(|answer| answer.as_bytes().to_vec());
        Box::pin(async move { answer.ok_or_else(|| "it is down".to_owned()) })
    }
}

fn provider(answers: &[(&'static str, &'static str)]) -> Provider {
    Provider { answers: answers.iter().copied().collect(), asked: Arc::default() }
}

fn settings() -> Settings {
    Settings { address_claim: "username".into(), cache_seconds: 60, cache_tokens_max: 10, ..Settings::default() }
}

/// The two members of every test, and tokens of ann, of bob, of nobody here; all others find the provider down.
fn with_tokens(settings: Settings) -> Shared {
    let mut shared = shared();
    let provider = provider(&[
        ("ann", r#"{"active":true,"username":"Ann@example.org","scope":"openid mail.imap"}"#),
        ("bob", r#"{"active":true,"username":"bob@example.org"}"#),
        ("guest", r#"{"active":true,"username":"guest@example.com"}"#),
        ("old", r#"{"active":false}"#),
    ]);
    shared.oauth = Some(OAuth::new(settings, provider));
    shared
}

fn b64(text: &str) -> String {
    STANDARD.encode(text)
}

fn bearer(name: &str, token: &str) -> String {
    let authorize = if name.is_empty() { String::new() } else { format!("a={name}") };
    b64(&format!("n,{authorize},\u{1}host=mail.example.org\u{1}port=143\u{1}auth=Bearer {token}\u{1}\u{1}"))
}

fn xoauth2(name: &str, token: &str) -> String {
    b64(&format!("user={name}\u{1}auth=Bearer {token}\u{1}\u{1}"))
}

/// A transcript may stand as long as the tests run.
fn script(text: String) -> &'static str {
    Box::leak(text.into_boxed_str())
}

#[test]
fn imap_lets_in_and_tells_why_not() {
    let discovery_url = Some("https://id.example.org/.well-known/openid-configuration".to_owned());
    let shared = with_tokens(Settings { discovery_url, ..settings() });
    let told = b64(
        r#"{"openid-configuration":"https://id.example.org/.well-known/openid-configuration","status":"invalid_token"}"#,
    );
    let text = format!(
        "S: * OK [CAPABILITY ... AUTH=OAUTHBEARER AUTH=XOAUTH2 AUTH=PLAIN AUTH=LOGIN] ...
         C: a AUTHENTICATE OAUTHBEARER {old}
         S: + {told}
         C: AQ==
         S: a NO [AUTHENTICATIONFAILED] The token is not accepted
         C: b AUTHENTICATE OAUTHBEARER
         S: + ...
         C: {other}
         S: + {told}
         C:
         S: b NO [AUTHORIZATIONFAILED] Nobody may act for somebody else
         C: c AUTHENTICATE XOAUTH2 {guest}
         S: + ...
         C: *
         S: c NO [AUTHENTICATIONFAILED] The token is not accepted
         C: d AUTHENTICATE XOAUTH2 {down}
         S: d NO [UNAVAILABLE] Tokens cannot be checked for the moment; try again later
         C: e AUTHENTICATE OAUTHBEARER {broken}
         S: e BAD ...
         C: f AUTHENTICATE OAUTHBEARER
         S: + ...
         C: *
         S: f BAD AUTHENTICATE cancelled
         C: g AUTHENTICATE OAUTHBEARER {own}
         S: g OK ...",
        old = bearer("ann@example.org", "old"),
        other = bearer("bob@example.org", "ann"),
        guest = xoauth2("guest@example.com", "guest"),
        down = xoauth2("ann@example.org", "unheard"),
        broken = b64("n,,\u{1}auth=Bearer \u{1}\u{1}"),
        own = bearer("", "ann"),
    );
    play(ImapService::new(Arc::new(shared)), script(text));
}

#[test]
fn pop3_and_submission_the_same() {
    let shared = Arc::new(with_tokens(settings()));
    let text = format!(
        "S: +OK ...
         C: AUTH OAUTHBEARER
         S: + ...
         C: {old}
         S: + {told}
         C: AQ==
         S: -ERR [AUTH] The token is not accepted
         C: AUTH XOAUTH2 {down}
         S: -ERR [SYS/TEMP] Tokens cannot be checked for the moment; try again later
         C: AUTH XOAUTH2 {own}
         S: +OK ...",
        old = bearer("", "old"),
        told = b64(r#"{"status":"invalid_token"}"#),
        down = xoauth2("bob@example.org", "unheard"),
        own = xoauth2("bob@example.org", "bob"),
    );
    play(Pop3Service::new(shared.clone()), script(text));
    let text = format!(
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
         S: 250 AUTH OAUTHBEARER XOAUTH2 PLAIN LOGIN
         C: AUTH XOAUTH2
         S: 334 ...
         C: {old}
         S: 334 {told}
         C:
         S: 535 5.7.8 The token is not accepted
         C: AUTH OAUTHBEARER {down}
         S: 454 4.7.0 Tokens cannot be checked for the moment; try again later
         C: AUTH OAUTHBEARER {own}
         S: 235 2.7.0 ...",
        old = xoauth2("ann@example.org", "old"),
        told = b64(r#"{"schemes":"Bearer","status":"401"}"#),
        down = bearer("", "unheard"),
        own = bearer("ann@example.org", "ann"),
    );
    play(SmtpService::submission(shared), script(text));
}

#[test]
fn without_a_provider_nothing_is_offered() {
    let text = format!(
        "S: * OK [CAPABILITY ... AUTH=PLAIN AUTH=LOGIN] ...
         C: a AUTHENTICATE OAUTHBEARER {own}
         S: a NO [CANNOT] ...
         C: b AUTHENTICATE XOAUTH2
         S: b NO [CANNOT] ...",
        own = bearer("", "ann")
    );
    play(ImapService::new(Arc::new(shared())), script(text));
}

#[test]
fn a_protocol_may_need_a_scope() {
    let needs = |scope: &str| Settings { scopes: [Some(scope.into()), None, None], ..settings() };
    let text = format!(
        "S: * OK ...\nC: a AUTHENTICATE OAUTHBEARER {}\nS: + {}\nC: AQ==\nS: a NO [AUTHENTICATIONFAILED] ...",
        bearer("", "ann"),
        b64(r#"{"scope":"mail","status":"insufficient_scope"}"#)
    );
    play(ImapService::new(Arc::new(with_tokens(needs("mail")))), script(text));
    let text = format!("S: * OK ...\nC: a AUTHENTICATE OAUTHBEARER {}\nS: a OK ...", bearer("", "ann"));
    play(ImapService::new(Arc::new(with_tokens(needs("mail.imap")))), script(text));
}

/// The rules of passwords hold for tokens too, and the log says by which means and why.
#[test]
fn rules_hold_and_the_log_tells() {
    let shared = Arc::new(with_tokens(Settings { scopes: [None, None, Some("send".into())], ..settings() }));
    let ann = Address::parse("ann@example.org").expect("an address");
    let bob = Address::parse("bob@example.org").expect("an address");
    let change = |change| {
        shared.engine.change_directory(vec![change]).wait().into_iter().for_each(|done| done.expect("it is allowed"));
    };
    let imap_only = Some(Some(Protocols::of([Protocol::Imap])));
    let set = LoginRulesPatch { protocols: imap_only, ..LoginRulesPatch::default() };
    change(Change::Access(AccessChange::LoginRulesSet { of: Whose::Account(ann), set }));
    let refused =
        |own: &str| script(format!("S: +OK ...\nC: AUTH OAUTHBEARER {own}\nS: + ...\nC: AQ==\nS: -ERR [AUTH] ..."));
    play(Pop3Service::new(shared.clone()), refused(&bearer("", "ann")));
    change(Change::AccountSet { address: bob, set: AccountPatch { disabled: Some(true), ..AccountPatch::default() } });
    play(Pop3Service::new(shared.clone()), refused(&bearer("", "bob")));
    play(Pop3Service::new(shared.clone()), refused(&bearer("ann@example.org", "old")));
    let down = format!("S: +OK ...\nC: AUTH OAUTHBEARER {}\nS: -ERR [SYS/TEMP] ...", bearer("", "unheard"));
    play(Pop3Service::new(shared.clone()), script(down));
    let scope = format!(
        "S: 220 ...\nC: EHLO x\nS: 250-m...\nS: 250-P...\nS: 250-8...\nS: 250-S...\nS: 250-C...\nS: 250-D...\nS: 250-E...\nS: 250-B...\nS: 250-F...\nS: 250-D...\nS: 250-M...\nS: 250-L...\nS: 250-S...\nS: 250 ...\nC: AUTH XOAUTH2 {}\nS: 334 ...\nC:\nS: 535 ...",
        xoauth2("ann@example.org", "ann")
    );
    play(SmtpService::submission(shared.clone()), script(scope));
    let own = format!("S: * OK ...\nC: a AUTHENTICATE XOAUTH2 {}\nS: a OK ...", xoauth2("ann@example.org", "ann"));
    play(ImapService::new(shared.clone()), script(own));
    let page = shared.engine.logins(&LoginFilter::default(), None, 100).expect("it can be read");
    let told: Vec<_> =
        page.rows.iter().rev().map(|row| (row.record.means, row.record.result, row.record.name.as_str())).collect();
    assert_eq!(
        told,
        [
            (Means::OAuthBearer, LoginResult::Protocol, "Ann@example.org"),
            (Means::OAuthBearer, LoginResult::Identity, "bob@example.org"),
            (Means::OAuthBearer, LoginResult::Token, "ann@example.org"),
            (Means::OAuthBearer, LoginResult::Unavailable, ""),
            (Means::XOAuth2, LoginResult::Scope, "ann@example.org"),
            (Means::XOAuth2, LoginResult::Done, "ann@example.org"),
        ]
    );
}

/// Many wrong tokens shut out where they come from; an endpoint that is down shuts out nobody.
#[test]
fn wrong_tokens_count_and_unanswered_ones_do_not() {
    let shared = Arc::new(with_tokens(settings()));
    let guesses = |shared: Arc<Shared>, token: &'static str| {
        sim::run(move |_| async move {
            let place = |peer| super::super::Place {
                protocol: Protocol::Imap,
                peer,
                tls: true,
                bindings: super::super::Bindings::default(),
            };
            let shown = super::super::bearer::Bearer { name: None, token: token.into() };
            let oauth = shared.oauth.as_ref().expect("there is one");
            let peer = "192.0.2.9:4000".parse().expect("an address");
            let mut last = None;
            // Some failures run off during the waits.
            for _ in 0..2 * crate::limits::LOGIN_FAILURES_MAX {
                last = shared.prove_token(oauth, &place(peer), Means::OAuthBearer, &shown).await.err();
            }
            last
        })
    };
    use super::super::login::NotTaken;
    assert_eq!(guesses(shared.clone(), "unheard"), Some(NotTaken::Unavailable));
    assert_eq!(guesses(shared, "old"), Some(NotTaken::Throttled));
}

/// What is judged of a token whose answer is `body`.
fn judged(settings: Settings, body: &'static str) -> Verdict {
    let oauth = OAuth::new(settings, provider(&[("t", body)]));
    sim::run(move |_| async move { oauth.judge("t", Protocol::Imap, NOW).await })
}

#[test]
fn answers() {
    let of = |address: &str| Verdict::Of(address.to_owned());
    for (body, verdict) in [
        (r#"{"active":true,"username":"a@b"}"#, of("a@b")),
        (r#"{"active":true,"username":"a@b","exp":1001,"nbf":1000}"#, of("a@b")),
        (r#"{"active":true,"username":"a@b","exp":1000.9}"#, Verdict::Invalid),
        (r#"{"active":true,"username":"a@b","exp":1000}"#, Verdict::Invalid),
        (r#"{"active":true,"username":"a@b","nbf":1001}"#, Verdict::Invalid),
        (r#"{"active":false,"username":"a@b"}"#, Verdict::Invalid),
        (r#"{"active":"true","username":"a@b"}"#, Verdict::Unknown),
        (r#"{"active":true,"username":"a@b","exp":"soon"}"#, Verdict::Unknown),
        (r#"{"active":true,"sub":"a@b"}"#, Verdict::Unknown),
        (r#"{"active":true,"username":""}"#, Verdict::Unknown),
        (r#"{"active":true,"username":7}"#, Verdict::Unknown),
        (r#"[true]"#, Verdict::Unknown),
        ("", Verdict::Unknown),
    ] {
        assert_eq!(judged(settings(), body), verdict, "{body}");
    }
    let mail = || Settings { audience: Some("mail".into()), ..settings() };
    for (audience, verdict) in [
        (r#""aud":"mail","#, of("a@b")),
        (r#""aud":["web","mail"],"#, of("a@b")),
        (r#""aud":["web","mailer"],"#, Verdict::Invalid),
        ("", Verdict::Invalid),
    ] {
        let body = script(format!(r#"{{"active":true,{audience}"username":"a@b"}}"#));
        assert_eq!(judged(mail(), body), verdict, "{body}");
    }
    let email = || Settings { address_claim: "email".into(), ..settings() };
    assert_eq!(judged(email(), r#"{"active":true,"email":"a@b","email_verified":true}"#), of("a@b"));
    assert_eq!(judged(email(), r#"{"active":true,"email":"a@b"}"#), of("a@b"));
    assert_eq!(judged(email(), r#"{"active":true,"email":"a@b","email_verified":false}"#), Verdict::Invalid);
    let scope = || Settings { scopes: [Some("imap".into()), None, None], ..settings() };
    assert_eq!(judged(scope(), r#"{"active":true,"username":"a@b","scope":"pop3 imap"}"#), of("a@b"));
    assert_eq!(judged(scope(), r#"{"active":true,"username":"a@b","scope":["imap"]}"#), of("a@b"));
    assert_eq!(judged(scope(), r#"{"active":true,"username":"a@b","scope":"imapx"}"#), Verdict::Scope);
}

#[test]
fn good_answers_are_kept_for_a_while_and_never_past_their_end() {
    let known = provider(&[
        ("long", r#"{"active":true,"username":"a@b","exp":9000}"#),
        ("short", r#"{"active":true,"username":"a@b","exp":1010}"#),
        ("bad", r#"{"active":false}"#),
    ]);
    let asked = known.asked.clone();
    let oauth = OAuth::new(settings(), known);
    sim::run(move |_| async move {
        for (token, now, good, asks) in [
            ("long", 1000, true, 1),
            ("long", 1059, true, 0),
            ("long", 1060, true, 1),
            ("short", 1000, true, 1),
            ("short", 1009, true, 0),
            ("short", 1010, false, 1),
            ("bad", 1000, false, 1),
            ("bad", 1000, false, 1),
        ] {
            let before = asked.load(Ordering::Relaxed);
            let verdict = oauth.judge(token, Protocol::Pop3, now).await;
            assert_eq!(matches!(verdict, Verdict::Of(_)), good, "{token} at {now}");
            assert_eq!(asked.load(Ordering::Relaxed) - before, asks, "{token} at {now}");
        }
    });
}

/// Serves one connection: answers with these bytes and tells what was asked.
fn serve_once(answer: &'static [u8]) -> (u16, std::thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let serving = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        let mut heard = Vec::new();
        let mut piece = [0; 1024];
        while !heard.ends_with(b"access_token") {
            match stream.read(&mut piece) {
                Ok(0) | Err(_) => break,
                Ok(count) => heard.extend_from_slice(&piece[..count]),
            }
        }
        // Without an answer it is silent until the client goes.
        if answer.is_empty() {
            let _ = stream.read(&mut piece);
        } else {
            let _ = stream.write_all(answer);
        }
        String::from_utf8_lossy(&heard).into_owned()
    });
    (port, serving)
}

fn ask(port: u16, timeout: Duration) -> Result<Vec<u8>, String> {
    let settings = EndpointSettings {
        url: Url::parse(&format!("http://127.0.0.1:{port}/introspect?tenant=a")).expect("a URL"),
        client_id: "mail".into(),
        client_secret: "secret".into(),
        timeout,
        authorities: None,
        servers: vec![([127, 0, 0, 1], 9).into()],
    };
    assert!(!format!("{settings:?}").contains("secret"));
    let endpoint = Endpoint::start(settings).expect("it starts");
    let asked = endpoint.ask("a+b");
    sim::run(move |_| asked)
}

/// More than any answer has.
static LONG_ANSWER: LazyLock<String> = LazyLock::new(|| {
    let bytes = crate::limits::OAUTH_ANSWER_BYTES_MAX + 1;
    format!("HTTP/1.1 200 OK\r\nContent-Length: {bytes}\r\n\r\n{}", " ".repeat(bytes))
});
const LONG: Duration = Duration::from_secs(30);

#[test]
fn the_endpoint_is_asked_over_http() {
    let (port, serving) = serve_once(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n{\"a\"\r\n3\r\n:1}\r\n0\r\n\r\n",
    );
    assert_eq!(ask(port, LONG), Ok(br#"{"a":1}"#.to_vec()));
    let heard = serving.join().expect("it ends");
    let (head, body) = heard.split_once("\r\n\r\n").expect("a head and a body");
    assert!(head.starts_with("POST /introspect?tenant=a HTTP/1.1\r\n"), "{head}");
    let head = head.to_ascii_lowercase();
    for field in [
        &format!("host: 127.0.0.1:{port}"),
        "authorization: basic bwfpbdpzzwnyzxq=",
        "content-type: application/x-www-form-urlencoded",
        "accept: application/json",
    ] {
        assert!(head.contains(field), "{field} in {head}");
    }
    assert_eq!(body, "token=a%2Bb&token_type_hint=access_token");
}

#[test]
fn an_endpoint_that_gives_no_answer_is_told() {
    for (answer, told) in [
        (
            &b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"[..],
            "it does not know the client: 401 Unauthorized",
        ),
        (b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n", "it says 302 Found"),
        (b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n", "it says 500 Internal Server Error"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{}", ""),
        (LONG_ANSWER.as_bytes(), "length limit exceeded"),
        (b"+OK POP3 ready\r\n", ""),
    ] {
        let (port, serving) = serve_once(answer);
        let why = ask(port, LONG).expect_err(told);
        assert!(why.contains(told), "{why:?}, not {told:?}");
        serving.join().expect("it ends");
    }
    let (port, serving) = serve_once(b"");
    let why = ask(port, Duration::from_millis(50)).expect_err("it is silent");
    assert!(why.starts_with("no answer within 0.05 seconds"), "{why}");
    serving.join().expect("the connection was given up");
    let why = ask(port, LONG).expect_err("nobody listens");
    assert!(why.contains("refused"), "{why}");
}
