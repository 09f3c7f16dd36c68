//! What fuzzing calls: everything in this crate that reads bytes from outside, without files and sockets. Each panics when a promise
//! is broken, and only then.
use crate::config::Config;
use crate::ops::{Request, Response};
use crate::{command, control, limits, ops};
use posthouse_engine::Engine;

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

fn travelled<T: serde::Serialize + serde::de::DeserializeOwned>(value: &T) -> T {
    let mut line = Vec::new();
    control::write_line(&mut line, value, limits::CONTROL_ANSWER_BYTES_MAX).expect("short enough");
    let read = control::read_line(&mut &line[..], limits::CONTROL_ANSWER_BYTES_MAX).expect("what was written is read");
    read.expect("a line")
}
