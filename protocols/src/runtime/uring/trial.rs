//! Tries, on a ring of its own, everything the reactor needs: multishot accept, and multishot receive into provided buffers, over the
//! loopback. What works here works in service.

use std::io::{self, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use super::buffers::Buffers;
use super::conn::{Conn, Receiving};
use super::ring::{Completion, Ring};
use super::{accept, recv};

/// How long the kernel may take for one step over the loopback.
const STEP_MAX: Duration = Duration::from_secs(2);

/// What a trial found.
pub(crate) struct Trial {
    /// How far the ring could be set up.
    pub(crate) setup: &'static str,
}

/// The step that failed and why.
pub(crate) type Failed = (&'static str, io::Error);

/// Runs the trial.
pub(crate) fn attempt() -> Result<Trial, Failed> {
    let mut ring = Ring::new().map_err(|error| ("io_uring_setup", error))?;
    let setup = ring.setup;
    let buffers = Buffers::register(&ring.io.submitter());
    let mut buffers = buffers.map_err(|error| ("provided buffer rings", error))?;
    let listener = TcpListener::bind("127.0.0.1:0").map_err(|error| ("loopback", error))?;
    let accepted = try_accept(&mut ring, &listener);
    let received = accepted.and_then(|(client, conn)| try_receive(&mut ring, &mut buffers, client, conn));
    // The ring goes before what its operations may use. Its end is not waited for: when a step failed the kernel may keep an operation
    // for a moment longer, so the buffers stay mapped then; a probe runs once in the life of a process.
    drop(ring);
    if received.is_err() {
        std::mem::forget(buffers);
    }
    received.map(|()| Trial { setup })
}

fn try_accept(ring: &mut Ring, listener: &TcpListener) -> Result<(TcpStream, Conn), Failed> {
    accept::arm(ring, 0, listener);
    let client = listener.local_addr().and_then(TcpStream::connect);
    let client = client.map_err(|error| ("loopback", error))?;
    let socket = next(ring).and_then(|accepting| {
        let socket = accept::accepted(&accepting).map_err(io::Error::from_raw_os_error)?;
        kept_on(&accepting)?;
        Ok(socket)
    });
    socket.map(|socket| (client, Conn::new(socket))).map_err(|error| ("multishot accept", error))
}

fn try_receive(ring: &mut Ring, buffers: &mut Buffers, mut client: TcpStream, mut conn: Conn) -> Result<(), Failed> {
    recv::arm(ring, 0, &mut conn);
    client.write_all(b"x").map_err(|error| ("loopback", error))?;
    let received = next(ring).and_then(|received| {
        kept_on(&received)?;
        recv::complete(ring, buffers, 0, &mut conn, &received);
        // The end of the stream ends the receive, so that its buffers are ours again.
        client.shutdown(Shutdown::Write)?;
        let end = next(ring)?;
        recv::complete(ring, buffers, 0, &mut conn, &end);
        let whole = conn.inbox == b"x" && conn.receiving == Receiving::No;
        whole.then_some(()).ok_or_else(|| io::ErrorKind::InvalidData.into())
    });
    received.map_err(|error| ("multishot receive", error))
}

fn next(ring: &mut Ring) -> io::Result<Completion> {
    let until = Instant::now() + STEP_MAX;
    let mut completed = Vec::new();
    while completed.is_empty() {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        ring.wait(Some(left))?;
        ring.completions(&mut completed);
    }
    match completed.swap_remove(0) {
        failed if failed.result < 0 => Err(io::Error::from_raw_os_error(-failed.result)),
        completion => Ok(completion),
    }
}

/// Whether the operation is multishot indeed, and not done after its first completion.
fn kept_on(completion: &Completion) -> io::Result<()> {
    completion.more().then_some(()).ok_or_else(|| io::ErrorKind::Unsupported.into())
}
