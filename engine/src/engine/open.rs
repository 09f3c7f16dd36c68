//! Opens the shards of a store, several at a time. Knows nothing of what is in them.
use super::control::Control;
use super::pace::Coming;
use super::queue_watch::QueueFeed;
use super::shard::Shard;
use super::types::Options;
use crate::base::{Error, Result, ShardId};
use std::sync::Arc;
use std::thread;

/// What was opened, and the lines of what recovery cut or passed over.
pub(super) type Opened = (Control, Vec<Shard>, Vec<String>);

/// Opens the control shard and `count` account shards, as many at a time as there are workers. With one worker all is done here and in
/// order, so that a test on a simulated disk sees the same calls each time.
pub(super) fn open(options: &Options, count: u16, feed: &Arc<QueueFeed>, coming: &Coming) -> Result<Opened> {
    if options.workers <= 1 {
        let control = Control::open(options)?;
        let shards = (0..count).map(|number| Shard::open(options, ShardId(number), feed, coming)).collect();
        return gather(control, shards);
    }
    thread::scope(|scope| {
        let control = scope.spawn(|| Control::open(options));
        let mut shards = Vec::with_capacity(usize::from(count));
        let numbers: Vec<u16> = (0..count).collect();
        for some in numbers.chunks(options.workers) {
            let open = |number: &u16| {
                let number = ShardId(*number);
                scope.spawn(move || Shard::open(options, number, feed, coming))
            };
            let threads: Vec<_> = some.iter().map(open).collect();
            shards.extend(threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| Err(panicked()))));
        }
        gather(control.join().unwrap_or_else(|_| Err(panicked()))?, shards)
    })
}

fn gather(control: (Control, Vec<String>), opened: Vec<Result<(Shard, Vec<String>)>>) -> Result<Opened> {
    let (control, mut notices) = control;
    let mut shards = Vec::with_capacity(opened.len());
    for one in opened {
        let (shard, lines) = one?;
        shards.push(shard);
        notices.extend(lines);
    }
    Ok((control, shards, notices))
}

fn panicked() -> Error {
    Error::Latched { reason: "a thread that opened a shard panicked".into() }
}
