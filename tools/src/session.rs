//! One way to ask for things, whether a server has the data directory or nobody has. The lock decides; nothing is guessed.
use crate::config::Config;
use crate::control::{Client, SOCKET};
use crate::limits::CONTROL_WAIT_MAX;
use crate::ops::bulk::{Answer, Ask, Desk};
use crate::ops::{Failure, Kind, Request, Response};
use crate::store;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Where the requests of a command go.
pub struct Session {
    data: PathBuf,
    config: Config,
    to: To,
}

enum To {
    /// Not asked anything yet.
    Nobody,
    Server(Client),
    Store(Desk),
}

impl Session {
    /// Connects or opens at the first request.
    pub fn new(data: PathBuf, config: Config) -> Session {
        Session { data, config, to: To::Nobody }
    }

    /// Asks; a `Failed` answer comes as the error.
    pub fn ask(&mut self, request: &Request) -> Result<Response, Failure> {
        self.talk(request, Vec::new()).map(|(answer, _)| answer)
    }

    /// Has a server begin with what is asked next.
    pub fn ask_ahead(&mut self, request: &Request) {
        if let To::Server(client) = &mut self.to {
            client.ask_ahead(request);
        }
    }

    /// Asks for mail in bulk, or brings it: with the bytes that follow the request, and those that follow the answer.
    pub fn bulk(&mut self, ask: Ask, payload: Vec<u8>) -> Result<(Answer, Vec<u8>), Failure> {
        match self.talk(&Request::Bulk(ask), payload)? {
            (Response::Bulk(answer), bytes) => Ok((answer, bytes)),
            (other, _) => Err(Failure::new(Kind::Failed, format!("an answer of another kind was expected: {other:?}"))),
        }
    }

    /// Asks for something that comes as bytes.
    pub fn bytes(&mut self, request: &Request) -> Result<Vec<u8>, Failure> {
        self.talk(request, Vec::new()).map(|(_, bytes)| bytes)
    }

    /// The data directory.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// How a store is opened.
    pub fn config(&self) -> &Config {
        &self.config
    }

    fn talk(&mut self, request: &Request, payload: Vec<u8>) -> Result<(Response, Vec<u8>), Failure> {
        if matches!(self.to, To::Nobody) {
            self.to = self.reach(request.may_create())?;
        }
        let answer = match &mut self.to {
            To::Server(client) => client.ask(request, &payload)?,
            To::Store(desk) => desk.run(None, request, payload),
            To::Nobody => return Err(Failure::new(Kind::Failed, "nobody to ask")),
        };
        match answer {
            (Response::Failed { failure }, _) => Err(failure),
            answer => Ok(answer),
        }
    }

    /// Commits and frees the data directory; errors that a drop would swallow are told.
    pub fn close(self) -> Result<(), Failure> {
        match self.to {
            To::Store(desk) => Ok(desk.engine().close()?),
            _ => Ok(()),
        }
    }

    fn reach(&self, may_create: bool) -> Result<To, Failure> {
        let until = Instant::now() + CONTROL_WAIT_MAX;
        loop {
            if let Some(client) = Client::connect(&self.data)? {
                return Ok(To::Server(client));
            }
            if !may_create && !holds_something(&self.data) {
                return Err(Failure::not_found(format_args!("a store in {}", self.data.display())));
            }
            match store::open(&self.data, &self.config) {
                Ok(opened) => {
                    // Not the log: a command's standard error is for its own words.
                    opened.report.iter().for_each(|line| eprintln!("{line}"));
                    return Ok(To::Store(Desk::new(opened.engine)));
                }
                // A server that starts or stops has the lock and no socket, for a moment.
                Err(failure) if failure.kind == Kind::InUse && Instant::now() < until => {
                    std::thread::sleep(Duration::from_millis(50));
                }
                Err(failure) if failure.kind == Kind::InUse => {
                    let text = format!("{failure}, and no server answers at its {SOCKET}");
                    return Err(Failure::new(Kind::InUse, text));
                }
                Err(failure) => return Err(failure),
            }
        }
    }
}

/// Whether there is anything in the directory.
fn holds_something(data: &Path) -> bool {
    std::fs::read_dir(data).is_ok_and(|mut entries| entries.next().is_some())
}
