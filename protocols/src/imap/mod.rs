//! IMAP4rev1 (RFC 3501) with the extensions that [`capability`] lists: commands in, responses out, over one connection. Keeps no mail
//! and decides no policy: the engine does.
//!
//! Bytes become commands in `scan` and `parse`, both pure; `table` says what runs; `cmd/` holds one file per command; `sync` tells a
//! session what other sessions did to its mailbox, `notify/` what else has happened; `fetch/` and `search/` are the two large commands.

mod answer;
mod append;
mod args;
mod carry;
mod cmd;
mod context;
mod date;
mod driver;
mod fetch;
mod flags;
mod input;
mod listing;
mod message_limit;
mod name;
mod near;
mod notify;
mod objects;
mod order;
mod out;
mod parse;
mod pattern;
mod place;
mod progress;
mod qresync;
mod scan;
mod search;
mod set;
mod state;
mod sync;
mod table;
mod url;
mod url_auth;
pub mod utf7;
mod wake;

#[cfg(test)]
mod tests;

pub(crate) use url_auth::submitted;

use crate::runtime::{Service, SessionFuture, Stream};
use crate::session::Shared;
use std::sync::Arc;

/// IMAP for any number of connections.
pub struct ImapService {
    shared: Arc<Shared>,
}

impl ImapService {
    /// IMAP over the store of `shared`.
    pub fn new(shared: Arc<Shared>) -> ImapService {
        ImapService { shared }
    }
}

/// Reads bytes as commands and runs none: the part of a session that has no store. For fuzzing; answers how many commands there were.
pub fn fuzz_parse(mut bytes: &[u8]) -> usize {
    let mut commands = 0;
    let mut scanner = scan::Scanner::default();
    loop {
        match scanner.scan(bytes, crate::limits::IMAP_LINE_BYTES_MAX) {
            scan::Scan::More | scan::Scan::TooLong => return commands,
            scan::Scan::Literal { end, literal } => {
                let _ = append::is_message(&bytes[..end]);
                scanner.accept(literal.size);
            }
            scan::Scan::Complete(end) => {
                let (command, rest) = bytes.split_at(end);
                let _ = (parse::head(command), parse::body(command));
                if let Ok(head) = parse::head(command) {
                    let mut args = args::Args::new(command, head.len);
                    let first = args.space().and_then(|()| args.astring());
                    let _ = first.map(|first| url::Url::parse(&first).is_some());
                    let _ = search::sources::Sources::parse(&mut args, false);
                }
                commands += 1;
                bytes = rest;
                scanner = scan::Scanner::default();
            }
        }
    }
}

/// Runs a whole session on the simulated network: the client sends `bytes`, then nothing more. For fuzzing; answers what it heard.
pub fn fuzz_session(service: Arc<ImapService>, bytes: Vec<u8>) -> Vec<u8> {
    crate::runtime::sim::run_alone(move |net| async move {
        let mut client = net.connect(&*service);
        client.write(&bytes).await;
        client.shutdown();
        client.read_to_end().await
    })
}

impl Service for ImapService {
    fn serve(&self, stream: Stream) -> SessionFuture {
        Box::pin(driver::run(self.shared.clone(), stream))
    }

    fn busy_reply(&self) -> &'static [u8] {
        b"* BYE [UNAVAILABLE] Too many connections; try again later\r\n"
    }
}
