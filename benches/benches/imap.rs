//! What IMAP costs: bytes that become commands, sets of numbers, and through whole sessions over the simulated network a message of a FETCH
//! or a SEARCH, warm, and a command that finds nothing.
mod timed;

use criterion::{Criterion, criterion_group, criterion_main};
use posthouse_benches::work::{session, wire};
use timed::timed;

fn commands(c: &mut Criterion) {
    let mut all = c.benchmark_group("imap");
    all.sample_size(20);
    timed(&mut all, "parse", wire::imap_parse);
    timed(&mut all, "sets", wire::sets);
    timed(&mut all, "command", session::imap_commands);
    all.finish();
}

fn messages(c: &mut Criterion) {
    let mut all = c.benchmark_group("fetch");
    all.sample_size(20);
    timed(&mut all, "flags", |times| session::fetch("FLAGS", times));
    timed(&mut all, "envelope", |times| session::fetch("ENVELOPE", times));
    timed(&mut all, "bodystructure", |times| session::fetch("BODYSTRUCTURE", times));
    timed(&mut all, "full", |times| session::fetch("BODY.PEEK[]", times));
    all.finish();
    let mut all = c.benchmark_group("search");
    all.sample_size(20);
    timed(&mut all, "flags", |times| session::search("UNSEEN", times));
    timed(&mut all, "envelope", |times| session::search("FROM \"sender\"", times));
    timed(&mut all, "text", |times| session::search("TEXT \"yesterday because\"", times));
    timed(&mut all, "text_of_mail", wire::contains);
    all.finish();
}

criterion_group!(benches, commands, messages);
criterion_main!(benches);
