//! BURL (RFC 4468): a piece of the message that lies here already, named by a URL that its owner has authorised by IMAP (RFC 4467). For members
//! who submit; it mixes with the chunks of BDAT.
use crate::imap;
use crate::smtp::message;
use crate::smtp::reply::Reply;
use crate::smtp::state::{Answer, Coming, Running, Session};
use posthouse_engine::base::AccountId;
use smtp_proto::Request;

/// What EHLO says of it to who has logged in: URLs of IMAP, of this server.
pub(in crate::smtp) const OFFER: &str = "BURL imap";

pub(in crate::smtp) fn run(session: &mut Session, request: Request<String>) -> Running<'_> {
    Box::pin(async move {
        let Request::Burl { uri, is_last } = request else {
            return Ok(Answer::new(501, "5.5.4 BURL URL [LAST] is expected"));
        };
        let (account, chunks) = (session.account(), session.chunks());
        let (Some(account), Ok(mut chunks)) = (account, chunks) else {
            return Ok(Answer::new(503, "5.5.1 MAIL and an accepted RCPT first"));
        };
        let before = chunks.message.len();
        if let Err(reply) = session.take_url(account, &uri, &mut chunks).await {
            chunks.refuse(reply);
        }
        let taken = Reply::new(250, format!("2.5.0 {} bytes taken", chunks.message.len().saturating_sub(before)));
        Ok(session.chunk_ends(chunks, is_last, taken).await)
    })
}

impl Session {
    /// Adds what the URL leads to; why the message is refused, otherwise.
    async fn take_url(&self, account: AccountId, url: &str, chunks: &mut Coming) -> Result<(), Reply> {
        if chunks.refusal.is_some() {
            return Ok(());
        }
        let max = self.shared.message_size_bytes_max;
        let mut is_big = false;
        let take = |bytes: &[u8]| {
            is_big |= (chunks.message.len() as u64).saturating_add(bytes.len() as u64) > max;
            if !is_big {
                chunks.make_room(bytes.len());
            }
            if !is_big && chunks.refusal.is_none() {
                chunks.message.extend_from_slice(bytes);
            }
        };
        match imap::submitted(&self.shared, account, url, take).await {
            Ok(true) if is_big => Err(message::too_big(max)),
            Ok(true) => Ok(()),
            Ok(false) => Err(Reply::new(554, "5.6.6 Nothing here has that URL, or it is not for you")),
            Err(error) => Err(Reply::refused(&error)),
        }
    }
}
