//! Pieces of work on the hot paths, each of which can be done any number of times: what `posthouse-count` has counted and the criterion benches
//! have timed is the same code. Inputs are fixed; whatever is made ready costs the same however often the work is done.
pub mod mails;
pub mod session;
pub mod store;
pub mod wire;

use std::time::{Duration, Instant};

/// What came of a piece of work.
#[derive(Clone, Copy, Debug)]
pub struct Done {
    /// Bytes made, or things found: so that no work can be left out, and two runs can be compared.
    pub made: usize,
    /// How long the work took as often as it was asked for, without what was made ready before.
    pub took: Duration,
}

/// Does `one` for each number below `times` and adds up what they make.
pub fn repeat(times: usize, one: impl FnMut(usize) -> usize) -> Done {
    let start = Instant::now();
    let made = (0..times).map(one).sum();
    Done { made, took: start.elapsed() }
}
