//! The PROXY protocol, versions 1 and 2 (haproxy's proxy-protocol.txt): how something in front says whose connection it passes on. Only peers that
//! the operator trusts are asked, and those must say it. Looks at no byte behind the header.
use super::{PeerState, Stream, Transport, timeout};
use crate::limits;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;
use std::task::{Context, Poll};

const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// Of version 2: signature, version and command, family, length.
const FIXED_BYTES: usize = 16;
const WORD: &[u8] = b"PROXY ";
/// Of version 1, the line end included (section 2.1).
const LINE_BYTES_MAX: usize = 107;

/// The two ends of a connection as the client sees them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    /// The client.
    pub peer: SocketAddr,
    /// Where it has connected to.
    pub local: SocketAddr,
}

/// What stands at the beginning of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// The header has not come whole.
    More,
    /// There is none, or it cannot be understood: why.
    Wrong(&'static str),
    /// A header of so many bytes. Without ends it speaks of no client: the proxy's own connection, to look whether we are there.
    Whole(usize, Option<Ends>),
}

/// Reads the header at the beginning of `bytes`.
pub fn parse(bytes: &[u8]) -> Parsed {
    let begins = |with: &[u8]| bytes.iter().zip(with).all(|(byte, other)| byte == other);
    if begins(SIGNATURE) {
        if bytes.len() < FIXED_BYTES { Parsed::More } else { second(bytes) }
    } else if begins(WORD) {
        if bytes.len() < WORD.len() { Parsed::More } else { first(bytes) }
    } else {
        Parsed::Wrong("no PROXY header")
    }
}

/// Version 1, `PROXY TCP4 198.51.100.1 192.0.2.1 40000 25` and CRLF.
fn first(bytes: &[u8]) -> Parsed {
    let within = &bytes[..bytes.len().min(LINE_BYTES_MAX)];
    let Some(end) = memchr::memchr(b'\n', within) else {
        return if within.len() < LINE_BYTES_MAX { Parsed::More } else { Parsed::Wrong("a line that is too long") };
    };
    let line = within[WORD.len()..=end].strip_suffix(b"\r\n").and_then(|line| std::str::from_utf8(line).ok());
    let Some(line) = line else { return Parsed::Wrong("a line that does not end with CRLF") };
    let words: Vec<&str> = line.split(' ').collect();
    let ends = match words.as_slice() {
        ["UNKNOWN", ..] => return Parsed::Whole(end + 1, None),
        ["TCP4", from, to, ports @ ..] => ends::<Ipv4Addr>(from, to, ports),
        ["TCP6", from, to, ports @ ..] => ends::<Ipv6Addr>(from, to, ports),
        _ => None,
    };
    ends.map_or(Parsed::Wrong("addresses that are none"), |ends| Parsed::Whole(end + 1, Some(ends)))
}

fn ends<A: FromStr + Into<IpAddr>>(from: &str, to: &str, ports: &[&str]) -> Option<Ends> {
    let [from_port, to_port] = ports else { return None };
    let port = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<u16>().ok())?;
    let end = |ip: &str, port| Some(SocketAddr::new(ip.parse::<A>().ok()?.into().to_canonical(), port));
    Some(Ends { peer: end(from, port(from_port)?)?, local: end(to, port(to_port)?)? })
}

/// Version 2 (section 2.2); what follows the addresses (TLVs) is passed over.
fn second(bytes: &[u8]) -> Parsed {
    let length = usize::from(u16::from_be_bytes([bytes[14], bytes[15]]));
    if length > limits::PROXY_HEADER_BYTES_MAX {
        return Parsed::Wrong("a header that is too long");
    }
    let whole = FIXED_BYTES + length;
    let Some(rest) = bytes.get(FIXED_BYTES..whole) else { return Parsed::More };
    match (bytes[12], bytes[13]) {
        (0x20, _) => Parsed::Whole(whole, None),
        (0x21, 0x11) => match rest.first_chunk::<12>() {
            Some(&[a, b, c, d, e, f, g, h, from, from_low, to, to_low]) => {
                let (peer, local) = (Ipv4Addr::new(a, b, c, d), Ipv4Addr::new(e, f, g, h));
                let (from, to) = (u16::from_be_bytes([from, from_low]), u16::from_be_bytes([to, to_low]));
                Parsed::Whole(whole, Some(Ends { peer: (peer, from).into(), local: (local, to).into() }))
            }
            None => Parsed::Wrong("addresses that are cut off"),
        },
        (0x21, 0x21) => match ends_of_six(rest) {
            Some(ends) => Parsed::Whole(whole, Some(ends)),
            None => Parsed::Wrong("addresses that are cut off"),
        },
        // UNSPEC, UNIX sockets and datagrams: there is a client, and nothing that we could know of it.
        (0x21, family) if family >> 4 <= 3 && family & 15 <= 2 => Parsed::Whole(whole, None),
        _ => Parsed::Wrong("a version, command or family that is not known"),
    }
}

fn ends_of_six(rest: &[u8]) -> Option<Ends> {
    let (peer, rest) = rest.split_first_chunk::<16>()?;
    let (local, rest) = rest.split_first_chunk::<16>()?;
    let (from, rest) = rest.split_first_chunk::<2>()?;
    let to = rest.first_chunk::<2>()?;
    let end = |ip: &[u8; 16], port: &[u8; 2]| {
        SocketAddr::new(IpAddr::from(Ipv6Addr::from(*ip)).to_canonical(), u16::from_be_bytes(*port))
    };
    Some(Ends { peer: end(peer, from), local: end(local, to) })
}

/// Waits for the header of a trusted proxy; the stream that comes back has the client's addresses. `None`: the connection is closed. `busy` is what
/// a client hears that has too many connections, where it can hear it; `over_limit` is told of it.
pub(super) async fn introduced(
    mut stream: Stream,
    busy: Option<&'static [u8]>,
    over_limit: impl FnOnce(SocketAddr),
) -> Option<Stream> {
    let proxy = stream.peer();
    let ends = match timeout(limits::PROXY_HEADER_MAX, read(&mut stream)).await {
        Some(Ok(ends)) => ends,
        Some(Err(error)) => {
            tracing::warn!(%proxy, %error, "a trusted proxy does not say whose connection it passes on; it is closed");
            return None;
        }
        None => {
            tracing::warn!(%proxy, "no PROXY header came in time from a trusted proxy; the connection is closed");
            return None;
        }
    };
    if let Some(Ends { peer, local }) = ends
        && !stream.came_from(peer, local)
    {
        tracing::debug!(%proxy, %peer, "over the connection limit");
        over_limit(peer);
        if let Some(busy) = busy {
            stream.output().extend_from_slice(busy);
            stream.close().await;
        }
        return None;
    }
    Some(stream.unread())
}

async fn read(stream: &mut Stream) -> io::Result<Option<Ends>> {
    loop {
        match parse(stream.buffered()) {
            Parsed::Whole(used, ends) => {
                stream.consume(used);
                return Ok(ends);
            }
            Parsed::Wrong(what) => return Err(io::Error::new(io::ErrorKind::InvalidData, what)),
            Parsed::More => {}
        }
        if stream.fill().await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// A transport of which some bytes have been received already: behind a header TLS may begin in the same packet.
pub(super) struct Rest {
    pub(super) first: Vec<u8>,
    pub(super) below: Box<dyn Transport>,
}

impl Transport for Rest {
    fn poll_recv(&mut self, cx: &mut Context<'_>, into: &mut Vec<u8>) -> Poll<io::Result<usize>> {
        if self.first.is_empty() {
            return self.below.poll_recv(cx, into);
        }
        let first = std::mem::take(&mut self.first);
        into.extend_from_slice(&first);
        Poll::Ready(Ok(first.len()))
    }

    fn poll_send(&mut self, cx: &mut Context<'_>, buf: &mut Vec<u8>) -> Poll<io::Result<()>> {
        self.below.poll_send(cx, buf)
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.below.poll_shutdown(cx)
    }

    fn sent_bytes(&self) -> u64 {
        self.below.sent_bytes()
    }

    fn peer_state(&self) -> PeerState {
        self.below.peer_state()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::sim;
    use proptest::prelude::*;

    fn ends(peer: &str, local: &str) -> Option<Ends> {
        Some(Ends { peer: peer.parse().expect("an address"), local: local.parse().expect("an address") })
    }

    /// A header of version 2.
    fn second(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        [&SIGNATURE[..], &[command, family], &(rest.len() as u16).to_be_bytes(), rest].concat()
    }

    const FOUR: [u8; 12] = [198, 51, 100, 7, 192, 0, 2, 1, 0x9c, 0x40, 0, 25];

    #[test]
    fn lines_of_version_1() {
        let four = b"PROXY TCP4 198.51.100.7 192.0.2.1 40000 25\r\nEHLO x\r\n";
        assert_eq!(parse(four), Parsed::Whole(44, ends("198.51.100.7:40000", "192.0.2.1:25")));
        let six = b"PROXY TCP6 2001:db8::7 ::ffff:192.0.2.1 1 65535\r\n";
        assert_eq!(parse(six), Parsed::Whole(49, ends("[2001:db8::7]:1", "192.0.2.1:65535")));
        assert_eq!(parse(b"PROXY UNKNOWN ffff:: x\r\n"), Parsed::Whole(24, None));
        assert_eq!(parse(b"PROXY UNKNOWN\r\n"), Parsed::Whole(15, None));
        for wrong in [
            &b"EHLO x\r\n"[..],
            b"PROXY TCP4 198.51.100.7 192.0.2.1 40000 25\n",
            b"PROXY TCP4 198.51.100.7 192.0.2.1 40000\r\n",
            b"PROXY TCP4 198.51.100.7 192.0.2.1 +1 25\r\n",
            b"PROXY TCP4 198.51.100.7 192.0.2.1 65536 25\r\n",
            b"PROXY TCP4 2001:db8::7 2001:db8::8 1 25\r\n",
            b"PROXY TCP6 198.51.100.7 192.0.2.1 1 25\r\n",
            b"PROXY TCP4  198.51.100.7 192.0.2.1 1 25\r\n",
            b"PROXY UDP4 198.51.100.7 192.0.2.1 1 25\r\n",
            b"proxy TCP4 198.51.100.7 192.0.2.1 1 25\r\n",
            &[&b"PROXY UNKNOWN "[..], &[b'x'; 200]].concat(),
        ] {
            assert!(matches!(parse(wrong), Parsed::Wrong(_)), "{}", wrong.escape_ascii());
        }
    }

    #[test]
    fn headers_of_version_2() {
        let whole = second(0x21, 0x11, &FOUR);
        assert_eq!(parse(&whole), Parsed::Whole(28, ends("198.51.100.7:40000", "192.0.2.1:25")));
        let six: Vec<u8> =
            [&[0x20, 1, 0x0d, 0xb8][..], &[0; 11], &[7], &[0; 15], &[1], &[0, 9, 0, 25], b"\x04\0\x01x"].concat();
        let whole = second(0x21, 0x21, &six);
        assert_eq!(parse(&whole), Parsed::Whole(16 + 40, ends("[2001:db8::7]:9", "[::1]:25")), "with a TLV behind it");
        for none in
            [second(0x20, 0, b""), second(0x20, 0x11, &FOUR), second(0x21, 0x31, &[0; 216]), second(0x21, 0, b"")]
        {
            assert_eq!(parse(&none), Parsed::Whole(none.len(), None));
        }
        for wrong in [
            second(0x11, 0x11, &FOUR),
            second(0x22, 0x11, &FOUR),
            second(0x21, 0x41, &FOUR),
            second(0x21, 0x11, &FOUR[..11]),
            second(0x21, 0x21, &FOUR),
            second(0x21, 0x11, &[0; limits::PROXY_HEADER_BYTES_MAX + 1]),
        ] {
            assert!(matches!(parse(&wrong), Parsed::Wrong(_)), "{}", wrong.escape_ascii());
        }
    }

    #[test]
    fn a_stream_takes_the_clients_addresses_and_gives_what_is_behind_the_header() {
        sim::run_alone(|net| async move {
            for segment in [1, 5, 100] {
                net.segment(segment);
                let (stream, mut client) = net.pair();
                client.write(&[&second(0x21, 0x11, &FOUR)[..], b"EHLO x\r\n"].concat()).await;
                let mut stream = introduced(stream, None, |_| {}).await.expect("introduced");
                assert_eq!(stream.peer(), "198.51.100.7:40000".parse().expect("an address"));
                assert_eq!(stream.local(), "192.0.2.1:25".parse().expect("an address"));
                while stream.buffered().len() < 8 {
                    assert!(stream.fill().await.expect("more") > 0);
                }
                assert_eq!(stream.buffered(), b"EHLO x\r\n");
            }
        });
    }

    #[test]
    fn who_says_nothing_or_something_else_is_let_go() {
        sim::run_alone(|net| async move {
            for said in [&b""[..], b"PROXY TC", b"EHLO x\r\n"] {
                let (stream, mut client) = net.pair();
                client.write(said).await;
                assert!(introduced(stream, None, |_| {}).await.is_none());
                assert_eq!(client.read_to_end().await, b"");
            }
        });
    }

    proptest! {
        #[test]
        fn where_a_header_is_cut_changes_nothing(rest: Vec<u8>, family: u8, version in 0u8..3, at: prop::sample::Index) {
            let bytes = match version {
                0 => rest,
                1 => [b"PROXY TCP4 198.51.100.7 192.0.2.1 40000 25\r\n", &rest[..]].concat(),
                _ => second(0x21, family, &rest),
            };
            let whole = parse(&bytes);
            let part = parse(&bytes[..at.index(bytes.len() + 1)]);
            prop_assert!(part == whole || part == Parsed::More || matches!(whole, Parsed::Wrong(_)));
            if let Parsed::Whole(used, _) = whole {
                prop_assert!(used <= bytes.len());
                prop_assert_eq!(parse(&bytes[..used]), whole);
                prop_assert_eq!(parse(&bytes[..used - 1]), Parsed::More);
            }
        }
    }
}
