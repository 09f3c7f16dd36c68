//! POP3 (RFC 1939) with the extensions that CAPA lists: one INBOX, as it was at login, over one connection. Keeps no mail. What POP3 has fetched
//! stays, and unseen to IMAP, unless the operator wants it otherwise.
//!
//! `table` says what runs in which state; `cmd/` holds one file per command; `maildrop` is what message numbers stand for; `content` sends
//! messages in bounded steps; `policy` is the operator's.

mod answer;
mod cmd;
mod content;
mod driver;
mod login;
mod maildrop;
mod marks;
mod policy;
mod state;
mod table;

#[cfg(test)]
mod tests;

pub use policy::Policy;
pub use posthouse_engine::directory::Fetched;

use crate::runtime::{Service, SessionFuture, Stream};
use crate::session::Shared;
use std::sync::Arc;

/// POP3 for any number of connections.
pub struct Pop3Service {
    shared: Arc<Shared>,
    policy: Policy,
}

impl Pop3Service {
    /// POP3 over the store of `shared`.
    pub fn new(shared: Arc<Shared>) -> Pop3Service {
        Pop3Service::with(shared, Policy::default())
    }

    /// The same with an operator's policy.
    pub fn with(shared: Arc<Shared>, policy: Policy) -> Pop3Service {
        Pop3Service { shared, policy }
    }
}

/// Runs a whole session on the simulated network: the client sends `bytes`, then nothing more. For fuzzing; answers what it heard.
pub fn fuzz_session(service: Arc<Pop3Service>, bytes: Vec<u8>) -> Vec<u8> {
    crate::runtime::sim::run_alone(move |net| async move {
        let mut client = net.connect(&*service);
        client.write(&bytes).await;
        client.shutdown();
        client.read_to_end().await
    })
}

impl Service for Pop3Service {
    fn serve(&self, stream: Stream) -> SessionFuture {
        Box::pin(driver::run(self.shared.clone(), self.policy, stream))
    }

    fn busy_reply(&self) -> &'static [u8] {
        b"-ERR [SYS/TEMP] Too many connections; try again later\r\n"
    }
}
