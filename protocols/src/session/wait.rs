//! How a session waits for its client: output first, then input, the clock or the stop, whichever comes. Parses nothing.
use crate::runtime::{Either, Stream, now, select, stopping, timeout};
use std::io;
use std::time::Instant;

/// Why no more input comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// The client has closed its side.
    Closed,
    /// Nothing came until the deadline.
    TimedOut,
    /// The server is going down.
    Stopping,
}

/// Sends what is to be sent, then waits for more bytes; says why when none come. Loses nothing of the input.
///
/// # Errors
/// Any error of the connection.
pub async fn wait_for_bytes(stream: &mut Stream, deadline: Instant) -> io::Result<Option<Over>> {
    if !stream.output().is_empty() {
        stream.flush().await?;
    }
    let left = deadline.saturating_duration_since(now());
    let stop = stopping();
    Ok(match timeout(left, select(stream.fill(), stop.wait())).await {
        None => Some(Over::TimedOut),
        Some(Either::Right(())) => Some(Over::Stopping),
        Some(Either::Left(filled)) => (filled? == 0).then_some(Over::Closed),
    })
}
