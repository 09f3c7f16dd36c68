//! LMTP (RFC 2033): how a mail server in front hands mail over, with a reply for each recipient. Beside LHLO and those replies it is SMTP,
//! and `smtp` speaks it.
use crate::runtime::{Service, SessionFuture, Stream, Unserved};
use crate::session::Shared;
use crate::smtp::{self, Role};
use std::net::SocketAddr;
use std::sync::Arc;

/// LMTP for any number of connections. There is no login: who can connect can deliver.
pub struct LmtpService {
    shared: Arc<Shared>,
}

impl LmtpService {
    /// LMTP over the store of `shared`.
    pub fn new(shared: Arc<Shared>) -> LmtpService {
        LmtpService { shared }
    }
}

impl Service for LmtpService {
    fn serve(&self, stream: Stream) -> SessionFuture {
        smtp::serve(self.shared.clone(), Role::Lmtp, stream)
    }

    fn busy_reply(&self) -> &'static [u8] {
        smtp::BUSY
    }

    fn unserved(&self, peer: SocketAddr, why: Unserved<'_>) {
        smtp::unserved(&self.shared, Role::Lmtp, peer, why);
    }
}
