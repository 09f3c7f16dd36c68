//! URLs that authorise others (RFC 4467): who may use them, for how long, and what takes them back.
use super::logged_in;
use super::sharing::{town, town_on};
use crate::imap::ImapService;
use crate::runtime::sim::{self, Client, Net};
use crate::session::Shared;
use crate::testing::{append, perform, shared_with};
use posthouse_engine::base::SimClock;
use posthouse_engine::directory::{Address, Change};
use posthouse_engine::disk::sim::SimDisk;
use std::sync::Arc;

const ANN: &str = "ann@example.org";
const MESSAGE: &[u8] = b"Subject: x\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nfirst part\r\n--b\r\n\r\nsecond\r\n--b--\r\n";

/// A URL of ann's first message.
fn rump(rest: &str) -> String {
    format!("imap://ann%40example.org@mail.example.org/INBOX/;UID=1{rest}")
}

/// The URL with its token.
async fn made(client: &mut Client, rump: &str) -> String {
    client.write(format!("g GENURLAUTH \"{rump}\" INTERNAL\r\n").as_bytes()).await;
    let line = String::from_utf8(client.read_line().await).expect("text");
    let url = line.trim_end().strip_prefix("* GENURLAUTH \"").and_then(|rest| rest.strip_suffix('"'));
    let url = url.unwrap_or_else(|| panic!("{line}")).to_owned();
    assert!(url.starts_with(&format!("{rump}:internal:")), "{url}");
    assert_eq!(client.read_line().await, b"g OK GENURLAUTH completed\r\n");
    url
}

/// What the URL gives; `None` is NIL.
async fn fetched(client: &mut Client, url: &str) -> Option<String> {
    client.write(format!("u URLFETCH \"{url}\"\r\n").as_bytes()).await;
    let answer = String::from_utf8(client.read_until(b"u OK").await).expect("text");
    client.read_line().await;
    let answer = answer.strip_suffix("u OK").unwrap_or(&answer);
    let rest = answer.strip_prefix(&format!("* URLFETCH \"{url}\" ")).unwrap_or_else(|| panic!("{answer}"));
    if rest == "NIL\r\n" {
        return None;
    }
    let (head, bytes) = rest.split_once("}\r\n").expect("a literal");
    let len: usize = head.strip_prefix('{').and_then(|len| len.parse().ok()).expect("a length");
    assert_eq!(bytes.len(), len + 2, "{rest:?}");
    Some(bytes[..len].to_owned())
}

async fn client(net: &Net, service: &ImapService, name: &str) -> Client {
    logged_in(net, service, name).await
}

/// The town with ann's message.
fn with_message(shared: Shared) -> Arc<Shared> {
    append(&shared, ANN, &[MESSAGE]);
    Arc::new(shared)
}

#[test]
fn whom_a_url_is_for() {
    let service = ImapService::new(with_message(town(2)));
    sim::run(move |net| async move {
        let mut ann = client(&net, &service, ANN).await;
        let mut bob = client(&net, &service, "bob@example.org").await;
        let mut cid = client(&net, &service, "cid@example.org").await;
        let mut eve = client(&net, &service, "eve@other.test").await;
        let any = made(&mut ann, &rump("/;SECTION=1;URLAUTH=authuser")).await;
        for client in [&mut ann, &mut bob, &mut cid] {
            assert_eq!(fetched(client, &any).await.as_deref(), Some("first part"));
        }
        assert_eq!(fetched(&mut eve, &any).await, None, "another tenant's");
        let open = made(&mut ann, &rump("/;SECTION=2;URLAUTH=anonymous")).await;
        assert_eq!(fetched(&mut bob, &open).await.as_deref(), Some("second"));
        assert_eq!(fetched(&mut eve, &open).await, None, "another tenant's");
        let for_bob = made(&mut ann, &rump("/;SECTION=HEADER;URLAUTH=user+bob%40example.org")).await;
        assert!(fetched(&mut bob, &for_bob).await.is_some_and(|header| header.starts_with("Subject: x\r\n")));
        assert_eq!(fetched(&mut cid, &for_bob).await, None);
        assert_eq!(fetched(&mut ann, &for_bob).await, None);
        let submit = made(&mut ann, &rump(";URLAUTH=submit+ann%40example.org")).await;
        assert_eq!(fetched(&mut ann, &submit).await, None, "no session is a submission server's");
        let whole = made(&mut ann, &rump(";URLAUTH=authuser")).await;
        assert_eq!(fetched(&mut bob, &whole).await.map(String::into_bytes).as_deref(), Some(MESSAGE));
        let part = made(&mut ann, &rump("/;SECTION=1/;PARTIAL=6.2;URLAUTH=authuser")).await;
        assert_eq!(fetched(&mut bob, &part).await.as_deref(), Some("pa"));
        // Whatever is changed in it makes it worthless.
        for bad in [
            any.replace("SECTION=1", "SECTION=2"),
            any.replace("UID=1", "UID=2"),
            any.replace("authuser", "anonymous"),
            any.replace("internal", "other"),
            format!("{any}0"),
            any[..any.len() - 2].to_owned(),
            any.replace("ann%40", "bob%40"),
            any.replace("INBOX", "Trash"),
            rump("/;SECTION=1;URLAUTH=authuser"),
            rump("/;SECTION=1"),
            "imap://mail.example.org/".to_owned(),
        ] {
            assert_eq!(fetched(&mut bob, &bad).await, None, "{bad}");
        }
        let gone = made(&mut ann, &rump("/;SECTION=9;URLAUTH=authuser")).await;
        assert_eq!(fetched(&mut bob, &gone).await, None);
    });
}

#[test]
fn urls_run_out_and_are_taken_back() {
    let clock = Arc::new(SimClock::at_ms(1_795_492_248_000));
    let shared = shared_with(SimDisk::new(1), clock.clone());
    append(&shared, ANN, &[MESSAGE]);
    let service = ImapService::new(Arc::new(shared));
    sim::run(move |net| async move {
        let mut ann = client(&net, &service, ANN).await;
        let mut bob = client(&net, &service, "bob@example.org").await;
        let short = made(&mut ann, &rump("/;SECTION=1;EXPIRE=2026-11-24T03:50:58Z;URLAUTH=authuser")).await;
        let long = made(&mut ann, &rump("/;SECTION=1;URLAUTH=authuser")).await;
        assert!(fetched(&mut bob, &short).await.is_some());
        clock.advance_ms(10_000);
        assert!(fetched(&mut bob, &short).await.is_some(), "the last second");
        clock.advance_ms(1_000);
        assert_eq!(fetched(&mut bob, &short).await, None);
        assert!(fetched(&mut bob, &long).await.is_some());
        perform(std::slice::from_mut(&mut ann), "C: r RESETKEY Trash\nS: r OK [URLMECH INTERNAL] ...").await;
        assert!(fetched(&mut bob, &long).await.is_some());
        perform(std::slice::from_mut(&mut ann), "C: r RESETKEY inbox INTERNAL\nS: r OK [URLMECH INTERNAL] ...").await;
        assert_eq!(fetched(&mut bob, &long).await, None);
        let again = made(&mut ann, &rump("/;SECTION=1;URLAUTH=authuser")).await;
        assert_ne!(again, long);
        assert!(fetched(&mut bob, &again).await.is_some());
        perform(
            std::slice::from_mut(&mut ann),
            "C: r RESETKEY\nS: r OK ...\nC: m GETMETADATA (DEPTH infinity) \"\" (/private /shared)\nS: m ...",
        )
        .await;
        assert_eq!(fetched(&mut bob, &again).await, None);
        // Nothing of the keys is shown to anybody.
        let script = "C: g GENURLAUTH \"imap://ann%40example.org@x/INBOX/;UID=1;URLAUTH=anonymous\" INTERNAL
            S: * GENURLAUTH ...
            S: g OK ...
            C: m GETMETADATA \"\" /urlauth
            S: m BAD ...";
        perform(std::slice::from_mut(&mut ann), script).await;
    });
}

#[test]
fn urls_last_and_go_with_what_their_maker_may() {
    let disk = SimDisk::new(1);
    let service = ImapService::new(with_message(town_on(disk.clone(), 2)));
    let script = "C: a SETACL INBOX bob@example.org lr\nS: a OK ...";
    let (by_ann, by_bob) = sim::run(move |net| async move {
        let mut ann = client(&net, &service, ANN).await;
        let mut bob = client(&net, &service, "bob@example.org").await;
        perform(std::slice::from_mut(&mut ann), script).await;
        let by_ann = made(&mut ann, &rump("/;SECTION=1;URLAUTH=authuser")).await;
        let by_bob =
            "imap://bob%40example.org@x/Other%20Users/ann@example.org/INBOX/;UID=1/;SECTION=1;URLAUTH=authuser";
        let by_bob = made(&mut bob, by_bob).await;
        (by_ann, by_bob)
    });
    let shared = town_on(disk, 2);
    let engine = shared.engine.clone();
    let service = ImapService::new(Arc::new(shared));
    sim::run(move |net| async move {
        let mut ann = client(&net, &service, ANN).await;
        let mut cid = client(&net, &service, "cid@example.org").await;
        assert_eq!(fetched(&mut cid, &by_ann).await.as_deref(), Some("first part"));
        assert_eq!(fetched(&mut cid, &by_bob).await.as_deref(), Some("first part"));
        perform(std::slice::from_mut(&mut ann), "C: b DELETEACL INBOX bob@example.org\nS: b OK ...").await;
        assert_eq!(fetched(&mut cid, &by_bob).await, None, "bob may not read it any more");
        assert!(fetched(&mut cid, &by_ann).await.is_some());
        let address = Address::parse(ANN).expect("an address");
        let set = posthouse_engine::directory::AccountPatch { disabled: Some(true), ..Default::default() };
        for done in engine.change_directory(vec![Change::AccountSet { address, set }]).await {
            done.expect("the directory takes it");
        }
        assert_eq!(fetched(&mut cid, &by_ann).await, None, "ann is disabled");
    });
}

#[test]
fn what_is_no_url_is_said() {
    let service = ImapService::new(with_message(town(1)));
    let script = "C: a GENURLAUTH \"imap://ann%40example.org@x/INBOX/;UID=1\" INTERNAL
        S: a BAD The URL does not say ...
        C: b GENURLAUTH \"imap://x/INBOX/;UID=1;URLAUTH=authuser\" INTERNAL
        S: b BAD ...
        C: c GENURLAUTH \"imap://bob%40example.org@x/INBOX/;UID=1;URLAUTH=authuser\" INTERNAL
        S: c BAD The user of the URL ...
        C: d GENURLAUTH \"imap://ann%40example.org@x/nothing/;UID=1;URLAUTH=authuser\" INTERNAL
        S: d BAD The URL's mailbox ...
        C: e GENURLAUTH \"imap://ann%40example.org@x/INBOX/;UID=1;URLAUTH=authuser\" XSAMPLE
        S: e NO [CANNOT] ...
        C: f GENURLAUTH \"imap://ann%40example.org@x/INBOX/;UID=1;URLAUTH=whoever\" INTERNAL
        S: f BAD ...
        C: g GENURLAUTH \"imap://ann%40example.org@x/INBOX/;UID=1;URLAUTH=authuser\"
        S: g BAD ...
        C: h URLFETCH
        S: h BAD ...
        C: i RESETKEY nothing
        S: i NO [NONEXISTENT] ...
        C: j RESETKEY INBOX XSAMPLE
        S: j NO [CANNOT] ...
        C: k GENURLAUTH \"imap://ann%40example.org@x/INBOX/;UID=1;URLAUTH=authuser\" INTERNAL \"imap://ann%40example.org@x/Trash/;UID=1;URLAUTH=authuser\" internal
        S: * GENURLAUTH \"imap:...:internal:01...\" \"imap:...:internal:01...\"
        S: k OK GENURLAUTH completed
        C: l URLFETCH \"imap://nobody@x/INBOX/;UID=1;URLAUTH=authuser:internal:01\" /INBOX/;UID=1
        S: * URLFETCH \"imap://nobody@x/INBOX/;UID=1;URLAUTH=authuser:internal:01\" NIL
        S: * URLFETCH \"/INBOX/;UID=1\" NIL
        S: l OK URLFETCH completed";
    sim::run(move |net| async move {
        let mut ann = client(&net, &service, ANN).await;
        perform(std::slice::from_mut(&mut ann), script).await;
    });
}

#[test]
fn catenate_takes_them() {
    let service = ImapService::new(with_message(town(2)));
    sim::run(move |net| async move {
        let mut ann = client(&net, &service, ANN).await;
        let mut bob = client(&net, &service, "bob@example.org").await;
        let mut eve = client(&net, &service, "eve@other.test").await;
        let url = made(&mut ann, &rump("/;SECTION=1;URLAUTH=user+bob%40example.org")).await;
        let append = format!("c APPEND Drafts CATENATE (URL \"{}\" URL \"{url}\")\r\n", "/INBOX/;UID=1");
        bob.write(append.as_bytes()).await;
        assert!(bob.read_line().await.starts_with(b"c NO [BADURL "), "bob's own INBOX is empty");
        let append = format!("c APPEND Drafts CATENATE (TEXT {{4+}}\r\n\r\n\r\n URL \"{url}\")\r\n");
        bob.write(append.as_bytes()).await;
        assert!(bob.read_line().await.starts_with(b"c OK [APPENDUID "));
        eve.write(append.as_bytes()).await;
        assert!(eve.read_line().await.starts_with(b"c NO [BADURL "));
        let script = "C: s STATUS Drafts (MESSAGES SIZE)\nS: * STATUS Drafts (MESSAGES 1 SIZE 14)\nS: s OK ...";
        perform(std::slice::from_mut(&mut bob), script).await;
    });
}
