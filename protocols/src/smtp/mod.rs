//! SMTP (RFC 5321) in its three roles: mail from other hosts, submission by members (RFC 6409), and LMTP's server side (RFC 2033), of
//! which `lmtp` is the face. Keeps no mail and sends none to other hosts: the engine commits deliveries and queue items.
//!
//! `table` says what runs in which role; `cmd/` holds one file per command; `message` takes a message in; `deliver` plans who gets it and
//! turns what became of it into replies; `log` notes it; `later` queues what could not be had at once, `held` what is to wait; `away` answers; `circles` ends what comes back to a group; `counted` counts for reports; `form` sees to it that all read the same header, `named` whom its fields name to whom; `literal` lets an IP address stand where a domain does; `letter` and `policy` ask the mail flow, `filter` a content filter, `milters` milters; `trace` writes the fields on top; `terms` reads how a message is to be carried, `transport` puts bytes in lines; `bounce` tells a sender what a 250 could not, `success` what it wanted to hear.

mod away;
mod bounce;
mod circles;
mod cmd;
mod counted;
mod deliver;
mod driver;
mod envelope;
mod fate;
mod filter;
mod form;
mod header;
mod held;
mod later;
mod letter;
mod literal;
mod log;
mod message;
mod milters;
mod named;
mod policy;
mod prepare;
mod reply;
mod reread;
mod role;
mod sizes;
mod state;
mod success;
mod table;
mod terms;
mod trace;
mod transport;

#[cfg(test)]
pub(crate) mod tests;

pub(crate) use away::{Means as Answerer, answer};
pub(crate) use log::moved;
pub(crate) use message::has_bare_line_end;
pub(crate) use reread::Reread;
pub(crate) use role::Role;

use crate::runtime::{Service, SessionFuture, Stream, Unserved};
use crate::session::Shared;
use reply::Reply;
use std::net::SocketAddr;
use std::sync::Arc;

/// SMTP for any number of connections, in one role.
pub struct SmtpService {
    shared: Arc<Shared>,
    role: Role,
}

impl SmtpService {
    /// Mail from other hosts to accounts of this system: no login, no relaying.
    pub fn mx(shared: Arc<Shared>) -> SmtpService {
        SmtpService { shared, role: Role::Mx }
    }

    /// Mail from members to anybody, after AUTH.
    pub fn submission(shared: Arc<Shared>) -> SmtpService {
        SmtpService { shared, role: Role::Submission }
    }
}

impl Service for SmtpService {
    fn serve(&self, stream: Stream) -> SessionFuture {
        serve(self.shared.clone(), self.role, stream)
    }

    fn busy_reply(&self) -> &'static [u8] {
        BUSY
    }

    fn unserved(&self, peer: SocketAddr, why: Unserved<'_>) {
        unserved(&self.shared, self.role, peer, why);
    }
}

/// What a client above the connection limits hears (RFC 5321 section 3.8).
pub(crate) const BUSY: &[u8] = b"421 4.7.0 Too many connections; try again later\r\n";

/// Notes what the client at `peer` was refused, in a role.
pub(crate) fn unserved(shared: &Shared, role: Role, peer: SocketAddr, why: Unserved<'_>) {
    let (policy, reply) = match why {
        Unserved::OverLimit => ("limit", Reply::new(421, "4.7.0 Too many connections; try again later")),
        Unserved::Handshake(error) => ("tls", Reply::new(454, format!("4.7.0 TLS handshake failed: {error}"))),
    };
    log::note_unserved(shared, role, peer, policy, &reply);
}

/// One connection in a role, to its end.
pub(crate) fn serve(shared: Arc<Shared>, role: Role, stream: Stream) -> SessionFuture {
    Box::pin(driver::run(shared, role, stream))
}

/// Runs a whole session on the simulated network: the client sends `bytes`, then nothing more. For fuzzing; answers what it heard.
pub fn fuzz_session(service: Arc<dyn Service>, bytes: Vec<u8>) -> Vec<u8> {
    crate::runtime::sim::run_alone(move |net| async move {
        let mut client = net.connect(&*service);
        client.write(&bytes).await;
        client.shutdown();
        client.read_to_end().await
    })
}
