//! ENABLE (RFC 5161): CONDSTORE and QRESYNC (RFC 7162), UTF8=ACCEPT (RFC 6855), IMAP4rev2 (RFC 9051), UIDONLY (RFC 9586); what is not known
//! is left out of the answer.
use crate::imap::answer::Answer;
use crate::imap::state::{Running, Session};
use crate::imap::table::Request;

pub(in crate::imap) fn run(session: &mut Session, request: Request) -> Running<'_> {
    Box::pin(async move {
        let mut args = request.args();
        let mut answer = String::from("ENABLED");
        loop {
            args.space()?;
            let wanted = args.atom("a capability")?.to_ascii_uppercase();
            if session.enable(&wanted) {
                answer.push(' ');
                answer.push_str(&wanted);
            }
            if args.is_end() {
                break;
            }
        }
        session.untagged(&answer);
        Ok(Answer::ok("ENABLE completed"))
    })
}

impl Session {
    /// Switches a capability on; whether it is one that can be, and was off.
    fn enable(&mut self, wanted: &str) -> bool {
        let before = self.enabled;
        match wanted {
            "CONDSTORE" => self.enable_condstore(),
            "QRESYNC" => {
                // RFC 7162 section 3.2.3: it includes CONDSTORE.
                self.enable_condstore();
                self.enabled.qresync = true;
            }
            "UTF8=ACCEPT" => self.enabled.utf8 = true,
            "IMAP4REV2" => self.enabled.rev2 = true,
            "UIDONLY" => self.enabled.uid_only = true,
            _ => return false,
        }
        self.enabled != before
    }

    /// From now on FETCH tells MODSEQ with every change of flags (RFC 7162 section 3.1). A client that has selected a mailbox before
    /// learns from which value on.
    pub(in crate::imap) fn enable_condstore(&mut self) {
        if std::mem::replace(&mut self.enabled.condstore, true) {
            return;
        }
        if let Some(selected) = &self.selected {
            let line = format!("OK [HIGHESTMODSEQ {}] CONDSTORE enabled", selected.data().highest_modseq);
            self.untagged(&line);
        }
    }
}
