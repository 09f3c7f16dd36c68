//! ENABLE (RFC 5161): CONDSTORE; what is not known is left out of the answer.
use crate::imap::answer::Answer;
use crate::imap::state::{Running, Session};
use crate::imap::table::Request;
use imap_codec::imap_types::command::CommandBody;
use imap_codec::imap_types::extensions::enable::CapabilityEnable;

pub(in crate::imap) fn run(session: &mut Session, request: Request) -> Running<'_> {
    Box::pin(async move {
        let CommandBody::Enable { capabilities } = &request.body else {
            return Ok(Answer::bad("ENABLE: capabilities are expected"));
        };
        let condstore = capabilities.as_ref().iter().any(|wanted| matches!(wanted, CapabilityEnable::CondStore));
        if condstore && !session.condstore {
            session.untagged("ENABLED CONDSTORE");
            session.enable_condstore();
        } else {
            session.untagged("ENABLED");
        }
        Ok(Answer::ok("ENABLE completed"))
    })
}

impl Session {
    /// From now on FETCH tells MODSEQ with every change of flags (RFC 7162 section 3.1). A client that has selected a mailbox before
    /// learns from which value on.
    pub(in crate::imap) fn enable_condstore(&mut self) {
        if std::mem::replace(&mut self.condstore, true) {
            return;
        }
        if let Some(selected) = &self.selected {
            let line = format!("OK [HIGHESTMODSEQ {}] CONDSTORE enabled", selected.data().highest_modseq);
            self.untagged(&line);
        }
    }
}
