//! Reads and writes one bounded JSON line. Whoever sends a longer one is let go, since nothing after it could be trusted.
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io::{self, BufRead, Read, Write};

/// Bytes of a payload for which room is made at once.
const PAYLOAD_STEP_BYTES: u64 = 8 << 20;

/// The next line's value; `None` at the end of the stream.
///
/// # Errors
/// `InvalidData` when the line is longer than `bytes_max`, has no end, or is not such a value.
pub fn read<T: DeserializeOwned>(from: &mut impl BufRead, bytes_max: usize) -> io::Result<Option<T>> {
    let mut line = Vec::new();
    let got = from.by_ref().take(bytes_max as u64).read_until(b'\n', &mut line)?;
    if got == 0 {
        return Ok(None);
    }
    if line.last() != Some(&b'\n') {
        let what = if got >= bytes_max {
            format!("a line of at most {bytes_max} bytes expected")
        } else {
            "the line has no end".into()
        };
        return Err(invalid(what));
    }
    serde_json::from_slice(&line).map(Some).map_err(|error| invalid(error.to_string()))
}

/// Sends a value as one line.
///
/// # Errors
/// `InvalidData` when it is longer than `bytes_max`; nothing is sent then.
pub fn write(to: &mut impl Write, value: &impl Serialize, bytes_max: usize) -> io::Result<()> {
    let mut line = serde_json::to_vec(value).map_err(|error| invalid(error.to_string()))?;
    line.push(b'\n');
    if line.len() > bytes_max {
        return Err(invalid(format!("{} bytes; allowed are {bytes_max}", line.len())));
    }
    to.write_all(&line)
}

/// The bytes that follow a line. Grows with what comes, not with what was promised.
///
/// # Errors
/// `InvalidData` when more than `bytes_max` are promised.
pub(crate) fn read_payload(from: &mut impl BufRead, bytes: u64, bytes_max: u64) -> io::Result<Vec<u8>> {
    if bytes > bytes_max {
        return Err(invalid(format!("{bytes} bytes of mail in one piece; allowed are {bytes_max}")));
    }
    let mut payload = Vec::new();
    while (payload.len() as u64) < bytes {
        let step = (bytes - payload.len() as u64).min(PAYLOAD_STEP_BYTES);
        payload.reserve_exact(usize::try_from(step).unwrap_or(0));
        if from.by_ref().take(step).read_to_end(&mut payload)? as u64 != step {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(payload)
}

fn invalid(what: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_are_read_whole_and_bounded() {
        let bytes = vec![7u8; 20 << 20];
        assert_eq!(read_payload(&mut &bytes[..], 20 << 20, 64 << 20).expect("whole"), bytes);
        assert_eq!(read_payload(&mut &bytes[..], 3, 3).expect("a part"), [7; 3]);
        let error = |promised, max| read_payload(&mut &bytes[..], promised, max).expect_err("refused").kind();
        assert_eq!(error(u64::MAX, 64), io::ErrorKind::InvalidData);
        assert_eq!(error(21 << 20, 64 << 20), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn lines_come_back_and_long_or_broken_ones_do_not() {
        let mut sent = Vec::new();
        write(&mut sent, &"a\nb", 8).expect("six bytes and the end");
        assert_eq!(read::<String>(&mut &sent[..], 8).expect("read"), Some("a\nb".to_owned()));
        assert!(write(&mut sent, &"abcdef", 8).is_err(), "nine bytes");
        assert_eq!(sent.len(), 7, "nothing of it was sent");
        assert_eq!(read::<String>(&mut &b""[..], 8).expect("the end"), None);
        for broken in [&b"\"abcdef\"\n"[..], b"\"ab\"", b"{}\n", b"\xff\n"] {
            let error = read::<String>(&mut &broken[..], 8).expect_err("refused");
            assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{broken:?}");
        }
    }
}
