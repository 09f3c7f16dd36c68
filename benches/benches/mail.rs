//! What a mail costs on its way in before it is committed: its dots, its summary, its compression; and on its way out, its dots again.
mod timed;

use criterion::{Criterion, criterion_group, criterion_main};
use posthouse_benches::work::{store, wire};
use timed::timed;

fn mail(c: &mut Criterion) {
    let mut all = c.benchmark_group("mail");
    // Each sample makes a dictionary, or mails, ready first.
    all.sample_size(20);
    timed(&mut all, "unstuff", wire::unstuff);
    timed(&mut all, "stuff", wire::stuff);
    timed(&mut all, "summary", store::parse);
    timed(&mut all, "stage", store::stage);
    timed(&mut all, "frame", store::frames);
    all.finish();
}

criterion_group!(benches, mail);
criterion_main!(benches);
