//! A name server on loopback with TXT records from a table, a line each; every other name does not exist. Its thread ends with the test's process.
use std::collections::HashMap;
use std::net::{SocketAddr, UdpSocket};

const TXT: u16 = 16;
/// In the place of a record: questions about that name are never answered.
pub(crate) const SILENT: &str = "silent";

/// Serves the records; says where.
pub(crate) fn serve(records: &[(String, String)]) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let addr = socket.local_addr().expect("it has one");
    let records: HashMap<String, String> = records.iter().cloned().collect();
    std::thread::spawn(move || {
        let mut query = [0; 4096];
        while let Ok((got, from)) = socket.recv_from(&mut query) {
            if let Some(answer) = answer(&query[..got], &records) {
                let _ = socket.send_to(&answer, from);
            }
        }
    });
    addr
}

fn answer(query: &[u8], records: &HashMap<String, String>) -> Option<Vec<u8>> {
    let (mut at, mut labels) = (12, Vec::new());
    while query[at] != 0 {
        let end = at + 1 + usize::from(query[at]);
        labels.push(String::from_utf8_lossy(&query[at + 1..end]).to_ascii_lowercase());
        at = end;
    }
    let kind = u16::from_be_bytes([query[at + 1], query[at + 2]]);
    let name = labels.join(".");
    let found = records.get(&name);
    if found.is_some_and(|text| text == SILENT) {
        return None;
    }
    // RFC 8020: a name below which there is something exists.
    let exists = found.is_some() || records.keys().any(|known| known.ends_with(&format!(".{name}")));
    let text = found.filter(|_| kind == TXT);
    let texts: Vec<&str> = text.into_iter().flat_map(|text| text.split('\n')).collect();
    let mut out = query[..2].to_vec();
    out.extend_from_slice(&[0x81, if exists { 0x80 } else { 0x83 }, 0, 1, 0, texts.len() as u8, 0, 0, 0, 0]);
    out.extend_from_slice(&query[12..at + 5]);
    for text in texts {
        let strings: Vec<u8> =
            text.as_bytes().chunks(255).flat_map(|part| [&[part.len() as u8], part].concat()).collect();
        out.extend_from_slice(&[0xc0, 12, 0, 16, 0, 1, 0, 0, 0, 60]);
        out.extend_from_slice(&(strings.len() as u16).to_be_bytes());
        out.extend_from_slice(&strings);
    }
    Some(out)
}
