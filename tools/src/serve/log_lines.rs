//! Log lines on their way out: who logs never waits for who reads, be it a pipe that is full or a terminal that stands still. A thread writes
//! what has gathered; what is too much is left out, and that is said. Knows nothing of what a line says.
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tracing_subscriber::fmt::MakeWriter;

/// Bytes that wait at most.
const WAITING_BYTES_MAX: usize = 4 << 20;
/// How long lines gather before they are written: one wake-up and one write for all of them.
const GATHER: Duration = Duration::from_millis(5);
/// How long an end waits for the last lines to be taken.
const END_MAX: Duration = Duration::from_secs(1);

/// Where lines are put.
pub(super) struct Lines(Arc<Shared>);

/// Dropping it writes what is left.
pub(super) struct Writing(Arc<Shared>);

/// What both sides share; writing to it puts a line down.
#[derive(Default)]
pub(super) struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    lines: Vec<u8>,
    lost: u64,
    /// The thread sleeps until there is something.
    sleeps: bool,
    /// What there is shall be written at once.
    hurry: bool,
    /// Lines are being written.
    busy: bool,
    ended: bool,
    done: bool,
}

impl Lines {
    /// Lines that a thread writes to `out`.
    pub(super) fn to(out: impl Write + Send + 'static) -> (Lines, Writing) {
        let shared = Arc::new(Shared::default());
        let own = shared.clone();
        let started = std::thread::Builder::new().name("log".into()).spawn(move || own.write(out));
        if started.is_err() {
            shared.lock().done = true;
        }
        (Lines(shared.clone()), Writing(shared))
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = &'a Shared;
    fn make_writer(&'a self) -> &'a Shared {
        &self.0
    }
}

impl Write for &Shared {
    /// One call is one line.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut state = self.lock();
        if state.done {
            // Nobody writes (any more) but we ourselves.
            drop(state);
            return io::stderr().write(line);
        }
        if state.lines.len() + line.len() > WAITING_BYTES_MAX {
            state.lost += 1;
            return Ok(line.len());
        }
        state.lines.extend_from_slice(line);
        if std::mem::take(&mut state.sleeps) {
            self.changed.notify_all();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Each change is whole by itself.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, mut out: impl Write) {
        let mut state = self.lock();
        loop {
            if state.lines.is_empty() && state.lost == 0 {
                if state.ended {
                    break;
                }
                state.sleeps = true;
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let gathers = |state: &mut State| !state.ended && !state.hurry;
            let gathered = self.changed.wait_timeout_while(state, GATHER, gathers);
            state = gathered.unwrap_or_else(PoisonError::into_inner).0;
            state.busy = true;
            let (mut lines, lost) = (std::mem::take(&mut state.lines), std::mem::take(&mut state.lost));
            drop(state);
            if lost > 0 {
                let word = format!("{lost} log lines were left out: whoever reads the log is too slow\n");
                lines.extend_from_slice(word.as_bytes());
            }
            // Where nobody reads any more there is nobody to tell.
            let _ = out.write_all(&lines).and_then(|()| out.flush());
            state = self.lock();
            (state.busy, state.hurry) = (false, false);
            self.changed.notify_all();
        }
        state.done = true;
        self.changed.notify_all();
    }
}

impl Writing {
    /// Waits until what was logged before has been written, for a second at most.
    pub(super) fn flush(&self) {
        let mut state = self.0.lock();
        state.hurry = true;
        self.0.changed.notify_all();
        let left = |state: &mut State| !state.done && (state.busy || !state.lines.is_empty());
        drop(self.0.changed.wait_timeout_while(state, END_MAX, left));
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.ended = true;
        self.0.changed.notify_all();
        let waited = self.0.changed.wait_timeout_while(state, END_MAX, |state| !state.done);
        drop(waited);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{Receiver, Sender, channel};

    /// Takes nothing until it is told to.
    struct Stuck(Receiver<()>, Sender<Vec<u8>>);

    impl Write for Stuck {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.0.recv();
            let _ = self.1.send(bytes.to_vec());
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn who_logs_never_waits_and_hears_what_was_left_out() {
        let ((go, wait), (took, taken)) = (channel(), channel());
        let (lines, writing) = Lines::to(Stuck(wait, took));
        let line = [b'x'; 1024];
        let count = 3 * WAITING_BYTES_MAX / line.len();
        for _ in 0..count {
            lines.make_writer().write_all(&line).expect("never an error");
        }
        drop(go);
        drop(writing);
        let text = taken.iter().flatten().collect::<Vec<u8>>();
        let text = String::from_utf8(text).expect("as it was written");
        assert!(text.len() >= WAITING_BYTES_MAX - line.len() && text.len() < 3 * WAITING_BYTES_MAX);
        // One word for each batch that has lost something: a second, if this thread stood still while the first was taken.
        let words: Vec<usize> = text
            .match_indices(" log lines were left out")
            .map(|(at, _)| text[..at].rsplit('x').next().unwrap_or_default().parse().expect("a number"))
            .collect();
        assert!(!words.is_empty(), "a word about it");
        let told: usize = words.iter().sum();
        let written = text.matches(&"x".repeat(line.len())).count();
        assert_eq!(written + told, count);
    }

    #[test]
    fn the_last_lines_are_written_at_the_end() {
        let (go, wait) = channel();
        let (took, taken) = channel();
        let (lines, writing) = Lines::to(Stuck(wait, took));
        drop(go);
        lines.make_writer().write_all(b"one\n").expect("never an error");
        lines.make_writer().write_all(b"two\n").expect("never an error");
        drop(writing);
        assert_eq!(taken.iter().flatten().collect::<Vec<u8>>(), b"one\ntwo\n");
    }
}
