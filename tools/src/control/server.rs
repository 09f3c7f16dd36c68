//! The server's end of the control socket: a thread for each command, a bounded number of them. Carries requests out by a `Desk` each.
use super::{SOCKET, line, path};
use crate::limits;
use crate::ops::bulk::Desk;
use crate::ops::{Failure, Kind, Request, Response};
use crate::room::Room;
use posthouse_admin::Facts;
use posthouse_engine::Engine;
use std::fs::{self, Permissions};
use std::io::{self, BufReader, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Instant;

/// What every command's thread sees.
struct Shared {
    engine: Arc<Engine>,
    facts: Box<dyn Fn() -> Facts + Send + Sync>,
    stopping: AtomicBool,
    connections: AtomicUsize,
    /// For mail that commands send.
    room: Arc<Room>,
}

/// The open control socket; dropping it closes it. Commands under way get their answers first.
pub struct Control {
    data: PathBuf,
    shared: Arc<Shared>,
    /// The listening socket once more, to end its wait.
    listening: UnixStream,
    thread: Option<JoinHandle<()>>,
}

impl Control {
    /// Opens the socket. The caller holds the data directory's lock, so a socket file that is there is left from a crash.
    pub fn open(
        data: &Path,
        engine: Arc<Engine>,
        facts: impl Fn() -> Facts + Send + Sync + 'static,
    ) -> io::Result<Control> {
        let (path, _open) = path::of(data)?;
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(&path)?;
        // Between these two calls the data directory's own mode (0700) keeps others out.
        fs::set_permissions(&path, Permissions::from_mode(0o600))?;
        let shared = Arc::new(Shared {
            engine,
            facts: Box::new(facts),
            stopping: AtomicBool::new(false),
            connections: AtomicUsize::new(0),
            room: Room::new(limits::BULK_ROOM_BYTES),
        });
        let serving = shared.clone();
        let listening = UnixStream::from(OwnedFd::from(listener.try_clone()?));
        let thread = std::thread::Builder::new().name("control".into()).spawn(move || accept(&listener, &serving))?;
        Ok(Control { data: data.to_path_buf(), shared, listening, thread: Some(thread) })
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        // Wakes the accepting thread, which then sees the flag, whatever became of the socket's name.
        if let Err(error) = self.listening.shutdown(std::net::Shutdown::Both) {
            tracing::error!(%error, "the control socket cannot be closed");
            return;
        }
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the control thread panicked");
        }
        let _ = fs::remove_file(self.data.join(SOCKET));
    }
}

fn accept(listener: &UnixListener, shared: &Arc<Shared>) {
    std::thread::scope(|threads| {
        for stream in listener.incoming() {
            if shared.stopping.load(Ordering::SeqCst) {
                return;
            }
            let Ok(stream) = stream else {
                // Out of file descriptors, for one: a later command may find the room.
                std::thread::sleep(std::time::Duration::from_millis(50));
                continue;
            };
            if shared.connections.fetch_add(1, Ordering::SeqCst) >= limits::CONTROL_CONNECTIONS_MAX {
                shared.connections.fetch_sub(1, Ordering::SeqCst);
                refuse(stream);
                continue;
            }
            let place = Place(shared);
            let spare = stream.try_clone();
            let thread = std::thread::Builder::new().name("command".into());
            let started = thread.spawn_scoped(threads, move || {
                serve(stream, place.0);
                drop(place);
            });
            if let (Err(error), Ok(spare)) = (started, spare) {
                tracing::warn!(%error, "no thread for a command");
                refuse(spare);
            }
        }
    });
}

/// One of the connections that there may be; free again when it is dropped, also by a panic.
struct Place<'a>(&'a Shared);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::SeqCst);
    }
}

fn refuse(mut stream: UnixStream) {
    let text = format!("{} commands are being served; try again", limits::CONTROL_CONNECTIONS_MAX);
    let failure = Failure::new(Kind::TryAgain, text);
    let _ = line::write(&mut stream, &Response::Failed { failure }, limits::CONTROL_ANSWER_BYTES_MAX);
}

/// One command's requests, until it closes, errs or says nothing for too long.
fn serve(stream: UnixStream, shared: &Shared) {
    if let Err(error) = converse(stream, shared) {
        tracing::debug!(%error, "a control connection ended");
    }
}

fn converse(stream: UnixStream, shared: &Shared) -> io::Result<()> {
    // Short, so that a command that keeps its connection does not hold up the stop.
    stream.set_read_timeout(Some(std::time::Duration::from_millis(200)))?;
    stream.set_write_timeout(Some(std::time::Duration::from_millis(200)))?;
    let mut reader = BufReader::new(Patient { stream: stream.try_clone()?, shared, stopping: None });
    let mut writer = Patient { stream, shared, stopping: None };
    let mut desk = Desk::new(shared.engine.clone());
    loop {
        let request: Request = match line::read(&mut reader, limits::CONTROL_REQUEST_BYTES_MAX) {
            Ok(Some(request)) => request,
            _ if shared.stopping.load(Ordering::SeqCst) => return refuse_late(&mut writer),
            Ok(None) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => return refuse_line(&mut writer, &error),
            Err(error) => return Err(error),
        };
        let bytes = request.payload_bytes();
        let _held = shared.room.hold(usize::try_from(bytes).unwrap_or(usize::MAX));
        let payload = match line::read_payload(&mut reader, bytes, limits::BULK_PAYLOAD_BYTES_MAX) {
            Err(_) if shared.stopping.load(Ordering::SeqCst) => return refuse_late(&mut writer),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => return refuse_line(&mut writer, &error),
            payload => payload?,
        };
        answer(&mut writer, shared, &mut desk, &request, payload)?;
    }
}

/// A command with many requests, an export for one, ends between two of them when the server stops.
fn refuse_late(writer: &mut impl Write) -> io::Result<()> {
    let failure = Failure::new(Kind::TryAgain, "the server is stopping; try again");
    line::write(writer, &Response::Failed { failure }, limits::CONTROL_ANSWER_BYTES_MAX)
}

/// What follows cannot be told from what was refused, so the connection ends with this.
fn refuse_line(writer: &mut impl Write, error: &io::Error) -> io::Result<()> {
    let failure = Failure::new(Kind::Refused, format!("the request cannot be read: {error}"));
    line::write(writer, &Response::Failed { failure }, limits::CONTROL_ANSWER_BYTES_MAX)
}

fn answer(
    writer: &mut impl Write,
    shared: &Shared,
    desk: &mut Desk,
    request: &Request,
    payload: Vec<u8>,
) -> io::Result<()> {
    let (response, bytes) = desk.run(Some(&*shared.facts), request, payload);
    match line::write(writer, &response, limits::CONTROL_ANSWER_BYTES_MAX) {
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            let failure = Failure::new(Kind::Refused, format!("the answer is too long: {error}"));
            line::write(writer, &Response::Failed { failure }, limits::CONTROL_ANSWER_BYTES_MAX)
        }
        done => done.and_then(|()| writer.write_all(&bytes)),
    }
}

/// Reads and writes with patience up to the idle limit. Once the server stops nothing more is read, and what is written has little time.
struct Patient<'a> {
    stream: UnixStream,
    shared: &'a Shared,
    /// Since when it is known that the server stops.
    stopping: Option<Instant>,
}

impl Patient<'_> {
    fn stops(&mut self) -> Option<Instant> {
        if self.shared.stopping.load(Ordering::SeqCst) {
            self.stopping.get_or_insert_with(Instant::now);
        }
        self.stopping
    }
}

fn is_early(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

impl io::Read for Patient<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let until = Instant::now() + limits::CONTROL_IDLE_MAX;
        loop {
            if self.stops().is_some() {
                return Ok(0);
            }
            match self.stream.read(into) {
                Err(error) if is_early(&error) && Instant::now() < until => {}
                done => return done,
            }
        }
    }
}

impl Write for Patient<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let until = Instant::now() + limits::CONTROL_IDLE_MAX;
        loop {
            if self.stops().is_some_and(|since| since.elapsed() > limits::CONTROL_STOP_MAX) {
                return Err(io::ErrorKind::TimedOut.into());
            }
            match self.stream.write(bytes) {
                Err(error) if is_early(&error) && Instant::now() < until => {}
                done => return done,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
