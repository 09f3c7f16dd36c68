//! Real queries to a small name server on the loopback: what it says, in our words, over UDP and, when an answer is cut, over TCP.
use posthouse_protocols::outbound::resolve::{Dnssec, Mx, NameServers, NoAnswer, Resolve, Tlsa};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, UdpSocket};

const A: u16 = 1;
const CNAME: u16 = 5;
const MX: u16 = 15;
const TXT: u16 = 16;
const AAAA: u16 = 28;
const TLSA: u16 = 52;

/// A name as DNS writes it.
fn name(text: &str) -> Vec<u8> {
    let labels = text.split('.').filter(|label| !label.is_empty());
    let mut out: Vec<u8> = labels.flat_map(|label| [&[label.len() as u8], label.as_bytes()].concat()).collect();
    out.push(0);
    out
}

fn record(owner: &str, kind: u16, data: &[u8]) -> Vec<u8> {
    let mut out = name(owner);
    out.extend_from_slice(&kind.to_be_bytes());
    out.extend_from_slice(&[0, 1, 0, 0, 0, 60]);
    out.extend_from_slice(&(data.len() as u16).to_be_bytes());
    out.extend_from_slice(data);
    out
}

fn mx(owner: &str, preference: u16, host: &str) -> Vec<u8> {
    record(owner, MX, &[&preference.to_be_bytes()[..], &name(host)].concat())
}

/// Response code and records.
fn zone(asked: &str, kind: u16) -> (u8, Vec<Vec<u8>>) {
    match (asked, kind) {
        ("x.test", MX) => (0, vec![mx("x.test", 20, "b.x.test"), mx("x.test", 10, "A.x.test")]),
        ("null.test", MX) => (0, vec![mx("null.test", 0, "")]),
        ("alias.test", MX) => (0, vec![record("alias.test", CNAME, &name("x.test")), mx("x.test", 10, "a.x.test")]),
        ("big.test", MX) => {
            (0, (0..90).map(|n| mx("big.test", n, &format!("host-with-a-long-name-{n}.big.test"))).collect())
        }
        ("a.x.test", A) => (0, vec![record("a.x.test", A, &[127, 0, 0, 1])]),
        ("a.x.test", AAAA) => (0, vec![record("a.x.test", AAAA, &std::net::Ipv6Addr::LOCALHOST.octets())]),
        ("mx.secure.test" | "plain.test", MX) => (0, vec![mx(asked, 10, "a.secure.test")]),
        ("a.secure.test", A) => (0, vec![record(asked, A, &[127, 0, 0, 3])]),
        ("alias.secure.test", A) => {
            (0, vec![record(asked, CNAME, &name("B.secure.test")), record("B.secure.test", A, &[127, 0, 0, 4])])
        }
        ("alias.secure.test", AAAA) => (0, vec![record(asked, CNAME, &name("B.secure.test"))]),
        ("alias.plain.test", A) => {
            (0, vec![record(asked, CNAME, &name("a.secure.test")), record("a.secure.test", A, &[127, 0, 0, 3])])
        }
        ("_25._tcp.a.secure.test" | "_25._tcp.plain.test", TLSA) => (0, vec![record(asked, TLSA, &[3, 1, 1, 7, 8])]),
        ("_25._tcp.fails.secure.test", TLSA) => (2, Vec::new()),
        ("_mta-sts.plain.test", TXT) => (0, vec![record(asked, TXT, b"\x07v=STSv1\x06; id=1")]),
        ("half.test", A) => (0, vec![record("half.test", A, &[127, 0, 0, 2])]),
        ("half.test", _) | ("fails.test", _) => (2, Vec::new()),
        ("empty.test", _) => (0, Vec::new()),
        _ => (3, Vec::new()),
    }
}

/// The answer to a query, cut when it has more than `bytes_max`.
fn answer(query: &[u8], bytes_max: usize) -> Vec<u8> {
    let (mut at, mut labels) = (12, Vec::new());
    while query[at] != 0 {
        let end = at + 1 + usize::from(query[at]);
        labels.push(String::from_utf8_lossy(&query[at + 1..end]).to_ascii_lowercase());
        at = end;
    }
    let kind = u16::from_be_bytes([query[at + 1], query[at + 2]]);
    let (code, records) = zone(&labels.join("."), kind);
    let mut out = query[..2].to_vec();
    let whole: usize = records.iter().map(Vec::len).sum();
    let cut = whole > bytes_max;
    let count = if cut { 0 } else { records.len() as u16 };
    // Who asks without the DO bit, the first of the flags of the OPT record at the end, is told nothing of DNSSEC.
    let proven =
        query.len() > at + 5 && query[at + 5 + 7] & 0x80 != 0 && labels.ends_with(&["secure".into(), "test".into()]);
    out.extend_from_slice(&[0x81 | if cut { 2 } else { 0 }, 0x80 | if proven { 0x20 } else { 0 } | code, 0, 1]);
    out.extend_from_slice(&count.to_be_bytes());
    out.extend_from_slice(&[0, 0, 0, 0]);
    out.extend_from_slice(&query[12..at + 5]);
    if !cut {
        records.iter().for_each(|record| out.extend_from_slice(record));
    }
    out
}

/// UDP and TCP on one port; the threads end with the test's process.
fn serve() -> SocketAddr {
    let (udp, tcp) = loop {
        let udp = UdpSocket::bind("127.0.0.1:0").expect("a port");
        let addr = udp.local_addr().expect("it has one");
        if let Ok(tcp) = TcpListener::bind(addr) {
            break (udp, tcp);
        }
    };
    let addr = udp.local_addr().expect("it has one");
    std::thread::spawn(move || {
        let mut query = [0; 4096];
        while let Ok((got, from)) = udp.recv_from(&mut query) {
            let _ = udp.send_to(&answer(&query[..got], 1000), from);
        }
    });
    std::thread::spawn(move || {
        for mut stream in tcp.incoming().flatten() {
            let mut len = [0; 2];
            while stream.read_exact(&mut len).is_ok() {
                let mut query = vec![0; usize::from(u16::from_be_bytes(len))];
                if stream.read_exact(&mut query).is_err() {
                    break;
                }
                let answer = answer(&query, usize::MAX);
                let framed = [&(answer.len() as u16).to_be_bytes()[..], &answer].concat();
                if stream.write_all(&framed).is_err() {
                    break;
                }
            }
        }
    });
    addr
}

#[test]
fn answers_and_their_absence_are_told_apart() {
    let names = NameServers::start(&[serve()], Dnssec::Ignored).expect("it starts");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let mx = |domain: &str| {
        let answer = runtime.block_on(names.mx(domain));
        answer.map(|found| {
            let mut hosts = found.hosts;
            hosts.sort_by_key(|mx| mx.preference);
            hosts.into_iter().map(|Mx { preference, host }| format!("{preference} {host}")).collect::<Vec<_>>()
        })
    };
    assert_eq!(mx("x.test"), Ok(vec!["10 a.x.test".into(), "20 b.x.test".into()]));
    assert_eq!(mx("null.test"), Ok(vec!["0 ".into()]));
    assert_eq!(mx("alias.test"), Ok(vec!["10 a.x.test".into()]));
    assert_eq!(mx("big.test").map(|hosts| hosts.len()), Ok(90), "over TCP");
    assert_eq!(mx("gone.test"), Err(NoAnswer::NoName));
    assert_eq!(mx("empty.test"), Err(NoAnswer::NoRecord));
    assert!(matches!(mx("fails.test"), Err(NoAnswer::Failed(_))), "{:?}", mx("fails.test"));
    let label: &str = &format!("{}.test", "x".repeat(64));
    assert_eq!(mx(label), Err(NoAnswer::NoName), "no server can be asked for it");
    let addresses = |host: &str| {
        let answer = runtime.block_on(names.addresses(host));
        answer.map(|found| found.all.iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    assert_eq!(addresses("a.x.test"), Ok(vec!["127.0.0.1".into(), "::1".into()]));
    assert_eq!(addresses("half.test"), Ok(vec!["127.0.0.2".into()]), "what IPv6 hides, IPv4 may have");
    assert_eq!(addresses("gone.test"), Err(NoAnswer::NoName));
    assert_eq!(addresses("empty.test"), Err(NoAnswer::NoRecord));
    assert!(matches!(addresses("fails.test"), Err(NoAnswer::Failed(_))));
}

#[test]
fn a_server_that_is_not_there_is_a_failure_that_may_pass() {
    // The port stays taken, so that no other test's server gets it; but whoever is not the one it talks with is told that nobody listens.
    let kept = UdpSocket::bind("127.0.0.1:0").expect("a port");
    kept.connect("127.0.0.1:9").expect("a peer");
    let gone = kept.local_addr().expect("it has one");
    let names = NameServers::start(&[gone], Dnssec::Ignored).expect("it starts");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    assert!(matches!(runtime.block_on(names.mx("x.test")), Err(NoAnswer::Failed(_))));
}

/// What counts as proven, and under which names TLSA records are looked for.
#[test]
fn what_servers_that_validate_have_proven_is_told_apart() {
    let server = serve();
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let tlsa = Tlsa { usage: 3, selector: 1, matching: 1, data: vec![7, 8] };
    for (dnssec, trusted) in [(Dnssec::Ignored, false), (Dnssec::ResolverValidates, true)] {
        let names = NameServers::start(&[server], dnssec).expect("it starts");
        let mx = |domain: &str| runtime.block_on(names.mx(domain)).map(|found| found.secure);
        assert_eq!((mx("mx.secure.test"), mx("plain.test")), (Ok(trusted), Ok(false)), "{dnssec:?}");
        let bases = |host: &str| runtime.block_on(names.addresses(host)).map(|found| found.tlsa_bases);
        let if_trusted =
            |bases: &[&str]| Ok(bases.iter().filter(|_| trusted).map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(bases("A.secure.test"), if_trusted(&["a.secure.test"]));
        assert_eq!(bases("alias.secure.test"), if_trusted(&["b.secure.test", "alias.secure.test"]));
        assert_eq!(bases("alias.plain.test"), Ok(Vec::new()));
        assert_eq!(bases("a.x.test"), Ok(Vec::new()));
        let records = |name: &str| runtime.block_on(names.tlsa(name));
        let proven = if trusted { Ok(vec![tlsa.clone()]) } else { Err(NoAnswer::NoRecord) };
        assert_eq!(records("_25._tcp.a.secure.test"), proven);
        assert_eq!(records("_25._tcp.plain.test"), Err(NoAnswer::NoRecord), "not proven");
        assert_eq!(records("_25._tcp.gone.secure.test"), Err(NoAnswer::NoName));
        assert!(matches!(records("_25._tcp.fails.secure.test"), Err(NoAnswer::Failed(_))));
        assert_eq!(runtime.block_on(names.txt("_mta-sts.plain.test")), Ok(vec!["v=STSv1; id=1".into()]));
    }
}
