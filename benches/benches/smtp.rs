//! What a command of a mail transaction costs from its bytes to its reply's, through whole sessions over the simulated network.
mod timed;

use criterion::{Criterion, criterion_group, criterion_main};
use posthouse_benches::work::session;
use timed::timed;

fn commands(c: &mut Criterion) {
    let mut all = c.benchmark_group("smtp");
    all.sample_size(20);
    timed(&mut all, "lmtp", session::lmtp_commands);
    timed(&mut all, "mx", session::smtp_commands);
    all.finish();
}

criterion_group!(benches, commands);
criterion_main!(benches);
