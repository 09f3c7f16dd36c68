//! A connection to one milter, for one message. Knows packets and waits, and decides nothing.
use super::MilterAddress;
use super::wire::{self, Heard, Step};
use crate::limits;
use crate::runtime::{self, Stream, timeout};
use std::io;
use std::time::Duration;

/// See above.
pub(super) struct Link {
    stream: Stream,
    wait: Duration,
    /// What it wants to be left out and not to be waited for.
    steps: u32,
}

fn wrong(what: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.into())
}

impl Link {
    /// Connects, and agrees upon what is done and what is left out.
    pub(super) async fn open(address: &MilterAddress, wait: Duration) -> io::Result<Link> {
        let stream = match address {
            MilterAddress::Tcp(address) => runtime::connect(*address, None, wait).await?,
            MilterAddress::Unix(path) => runtime::connect_unix(path, wait).await?,
        };
        let mut link = Link { stream, wait, steps: 0 };
        let offer = [wire::VERSION, wire::ACTIONS, wire::STEPS].map(u32::to_be_bytes);
        wire::packet(link.stream.output(), b'O', &[offer.as_flattened()]);
        let (letter, data) = link.packet().await?;
        let wanted = (letter == b'O').then(|| wire::options(&data)).flatten();
        let (actions, steps) = wanted.ok_or_else(|| wrong("no negotiation"))?;
        if actions & !wire::ACTIONS != 0 || steps & !wire::STEPS != 0 {
            return Err(wrong(format!("it wants what is not done here (actions {actions:#x}, steps {steps:#x})")));
        }
        link.steps = steps;
        Ok(link)
    }

    pub(super) fn keeps_space(&self) -> bool {
        self.steps & wire::LEADING_SPACE != 0
    }

    pub(super) fn wants(&self, step: Step) -> bool {
        self.steps & step.left_out == 0
    }

    /// Macros for the next step.
    pub(super) fn macros(&mut self, step: Step, all: &[(&str, &str)]) {
        let mut parts = vec![vec![step.letter]];
        for (name, value) in all.iter().filter(|(_, value)| !value.is_empty() && !value.contains('\0')) {
            parts.push(format!("{name}\0{value}\0").into_bytes());
        }
        let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
        wire::packet(self.stream.output(), b'D', &parts);
    }

    /// A step that it wants, and what it says.
    pub(super) async fn say(&mut self, step: Step, parts: &[&[u8]]) -> io::Result<Heard> {
        if !self.wants(step) {
            return Ok(Heard::Continue);
        }
        wire::packet(self.stream.output(), step.letter, parts);
        if self.steps & step.unanswered != 0 {
            self.flush().await?;
            return Ok(Heard::Continue);
        }
        self.hear().await
    }

    /// The next that it says; work under way is waited for, but not for ever.
    pub(super) async fn hear(&mut self) -> io::Result<Heard> {
        let patience = self.wait.saturating_mul(limits::MILTER_PATIENCE);
        timeout(patience, self.answer()).await.unwrap_or_else(|| Err(io::ErrorKind::TimedOut.into()))
    }

    async fn answer(&mut self) -> io::Result<Heard> {
        loop {
            let (letter, data) = self.packet().await?;
            match wire::heard(letter, &data) {
                Some(Heard::Progress) => {}
                Some(heard) => return Ok(heard),
                None if wire::UNDONE.contains(&letter) => {
                    return Err(wrong(format!("{:?}: the envelope is changed for no milter", char::from(letter))));
                }
                None => {
                    return Err(wrong(format!("{:?} with {} bytes is not understood", char::from(letter), data.len())));
                }
            }
        }
    }

    /// The message is over; a milter that does not hear it sees the end of the connection.
    pub(super) async fn quit(mut self) {
        wire::packet(self.stream.output(), b'Q', &[]);
        let _ = self.flush().await;
    }

    async fn flush(&mut self) -> io::Result<()> {
        timeout(self.wait, self.stream.flush()).await.unwrap_or_else(|| Err(io::ErrorKind::TimedOut.into()))
    }

    async fn packet(&mut self) -> io::Result<(u8, Vec<u8>)> {
        let wait = self.wait;
        let read = timeout(wait, async {
            self.stream.flush().await?;
            loop {
                let whole = wire::packet_bytes(self.stream.buffered()).map_err(wrong)?;
                if let Some(whole) = whole.filter(|whole| self.stream.buffered().len() >= *whole) {
                    let packet = &self.stream.buffered()[4..whole];
                    let (letter, data) = (packet[0], packet[1..].to_vec());
                    self.stream.consume(whole);
                    return Ok((letter, data));
                }
                if self.stream.fill().await? == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
        });
        read.await.unwrap_or_else(|| Err(io::ErrorKind::TimedOut.into()))
    }
}
