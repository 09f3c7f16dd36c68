//! A member's message whose body is bytes (BODY=BINARYMIME, RFC 3030) is put in lines before it is signed, where it goes on: a verifier canonicalizes
//! lines (RFC 6376 section 3.4), so a signature over a CR or LF alone is right for some and wrong for others, and the next host may want lines and break
//! what was signed (section 5.3). What stays here is kept byte for byte.
use super::message::{self, Taken};
use super::reply::Reply;
use super::role::Role;
use super::state::{Session, Transaction};
use crate::limits;
use crate::outbound::in_lines;

impl Session {
    /// Puts it in lines, if it is bytes and goes on. What cannot be put so stays as it is, and is not signed.
    pub(super) async fn put_in_lines(&self, transaction: &mut Transaction, taken: &mut Taken) -> Result<(), Reply> {
        if !transaction.terms.binary || self.role != Role::Submission || !self.may_go_on(transaction) {
            return Ok(());
        }
        // Both forms are there for a moment; base64 is the longer one.
        if !taken.room.hold(taken.message.len() as u64 * 5 / 2) {
            return Err(Reply::new(452, "4.3.1 Too many messages are under way; try again"));
        }
        let message = std::mem::take(&mut taken.message);
        let is_small = message.len() <= limits::LINES_INLINE_BYTES_MAX;
        let convert = move || {
            let lines = in_lines(&message);
            (message, lines)
        };
        let converted = if is_small { Ok(convert()) } else { self.shared.engine.work(convert).await };
        match converted {
            Ok((_, Some(lines))) => {
                taken.message = lines;
                transaction.terms.binary = false;
            }
            Ok((bytes, None)) => {
                let id = format_args!("{:X}", transaction.id);
                tracing::info!(%id, "a message of bytes cannot be put in lines; it goes on as it is, unsigned");
                taken.message = bytes;
            }
            Err(error) => return Err(Reply::refused(&error)),
        }
        Ok(())
    }

    /// Whether anybody elsewhere may get it, by the recipients' own rules too.
    fn may_go_on(&self, transaction: &Transaction) -> bool {
        transaction.recipients.iter().any(|rcpt| !rcpt.external.is_empty()) || self.has_own_rules(transaction)
    }
}

/// Whether all verifiers would make the same of a signature.
pub(super) fn can_be_signed(transaction: &Transaction, message: &[u8]) -> bool {
    !transaction.terms.binary || !message::has_bare_line_end(message)
}
