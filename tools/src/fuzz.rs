//! What fuzzing calls: everything in this crate that reads bytes from outside, without files and sockets. Each panics when a promise
//! is broken, and only then.
use crate::carry::{backup, import, manifest, names, sha};
use crate::config::Config;
use crate::ops::{Request, Response};
use crate::time::{parse_rfc3339, rfc3339};
use crate::{command, control, limits, ops};
use posthouse_engine::Engine;
use std::io::Read;

/// Reads a configuration file; says whether it is accepted.
pub fn config(text: &str) -> bool {
    let read = Config::parse("fuzz.toml", text);
    if let Err(error) = &read {
        let told = error.to_string();
        assert!(told.starts_with("fuzz.toml: ") && !told.contains('\n'), "not one line with the file's name: {told:?}");
    }
    read.is_ok()
}

/// Reads a member file to its end; answers how many rows can be used.
pub fn members(csv: &[u8]) -> usize {
    command::read_members(csv.to_vec())
}

/// Serves the lines of one control connection on `engine`; answers how many requests there were. Requests and answers are the same
/// at the other end of the socket.
pub fn control(engine: &Engine, mut lines: &[u8]) -> usize {
    payload(lines);
    let mut requests = 0;
    while let Ok(Some(request)) = control::read_line::<Request>(&mut lines, limits::CONTROL_REQUEST_BYTES_MAX) {
        assert_eq!(travelled(&request), request);
        let answer = ops::run(engine, None, &request);
        let heard: Response = travelled(&answer);
        assert_eq!(heard, answer);
        requests += 1;
    }
    requests
}

/// Bytes behind a line, of any length that it says: all of them, or an error.
fn payload(bytes: &[u8]) {
    let Some((said, rest)) = bytes.split_first_chunk::<4>() else { return };
    let said = u64::from(u32::from_le_bytes(*said)) >> (said[0] % 32);
    let read = control::read_payload(&mut &rest[..], said, limits::CONTROL_ANSWER_BYTES_MAX as u64);
    assert_eq!(
        read.ok().as_deref(),
        rest.get(..said as usize).filter(|_| said <= limits::CONTROL_ANSWER_BYTES_MAX as u64)
    );
}

/// Reads a backup's list, as it is and with a right hash under it; says whether it is one.
pub fn backup_list(bytes: &[u8]) -> bool {
    let _ = backup::list::Backup::decode(bytes);
    let hashed = [bytes, format!("\nsha256 {}\n", sha::of(bytes)).as_bytes()].concat();
    let Ok(read) = backup::list::Backup::decode(&hashed) else { return false };
    let again = read.encode().expect("a list can be written");
    assert_eq!(backup::list::Backup::decode(&again).as_ref(), Ok(&read));
    let inside = |path: &str| !path.starts_with('/') && !path.split('/').any(|part| part == "..");
    assert!(read.files().all(|file| inside(&file.at) && inside(&file.dir) && inside(&file.name)));
    assert!(read.files().all(|file| file.bytes <= read.bytes()));
    true
}

/// Reads an export's manifest; answers how many of its lines could be read.
pub fn manifest(bytes: &[u8]) -> usize {
    let (mut good, mut ended) = (0, false);
    for line in manifest::Lines::new(bytes) {
        assert!(!ended, "nothing follows an error");
        let Ok(line) = line else {
            ended = true;
            continue;
        };
        good += 1;
        assert_eq!(travelled(&line), line);
        if let manifest::Line::Message(message) = line
            && let Some(seconds) = parse_rfc3339(&message.date)
        {
            // Years of other than four digits are written and not read.
            assert!(parse_rfc3339(&rfc3339(seconds)).is_none_or(|again| again == seconds), "{}", message.date);
        }
    }
    good
}

/// Reads an mbox in pieces of any size: the same messages. Answers how many there are.
pub fn mbox(bytes: &[u8], piece: usize) -> usize {
    let mut messages = 0;
    for quoting in [import::Quoting::Rd, import::Quoting::O, import::Quoting::None] {
        let whole = import::fuzz::mbox(bytes, quoting);
        assert!(import::fuzz::mbox(Pieces { bytes, piece }, quoting) == whole, "pieces of {piece} bytes");
        assert!(whole.iter().all(|found| found.message.len() <= 2 * bytes.len()));
        messages = whole.len();
    }
    messages
}

/// Gives no more than a piece at a time.
struct Pieces<'a> {
    bytes: &'a [u8],
    piece: usize,
}

impl Read for Pieces<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let len = self.bytes.len().min(into.len()).min(self.piece.max(1));
        let (now, later) = self.bytes.split_at(len);
        into[..len].copy_from_slice(now);
        self.bytes = later;
        Ok(len)
    }
}

/// Names of files and mailboxes: what is made here comes back, and what comes from elsewhere leads nowhere else.
pub fn names(text: &str) {
    let made = names::file_name(text);
    assert!(!made.contains(['/', '\0']) && made != "." && made != ".." && made.len() <= 255, "{made:?}");
    match names::text_of(&made) {
        Some(read) => assert_eq!(read, text),
        None => assert!(made.contains("%~"), "only what was cut is lost: {made:?}"),
    }
    assert!(!names::maildir_folder(text).contains('/'));
    for mailbox in [names::mailbox_of_maildir(text), names::mailbox(text.split('/').map(str::to_owned))] {
        assert!(!mailbox.chars().any(char::is_control) && mailbox.split('/').all(|level| !level.is_empty()));
    }
    let _ = names::text_of(text);
    import::fuzz::maildir(text);
}

fn travelled<T: serde::Serialize + serde::de::DeserializeOwned>(value: &T) -> T {
    let mut line = Vec::new();
    control::write_line(&mut line, value, limits::CONTROL_ANSWER_BYTES_MAX).expect("short enough");
    let read = control::read_line(&mut &line[..], limits::CONTROL_ANSWER_BYTES_MAX).expect("what was written is read");
    read.expect("a line")
}
