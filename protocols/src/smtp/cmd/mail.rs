//! MAIL (RFC 5321 section 4.1.1.2) with SIZE (RFC 1870), BODY (RFC 6152), SMTPUTF8 (RFC 6531), RET and ENVID (RFC 3461), AUTH (RFC 4954), REQUIRETLS
//! (RFC 8689), and what `terms` reads.
use crate::smtp::envelope;
use crate::smtp::message;
use crate::smtp::reply::Reply;
use crate::smtp::role::Role;
use crate::smtp::state::{Answer, Running, Session, Transaction};
use crate::smtp::terms;
use posthouse_engine::queue::{Terms, TlsDemand};
use smtp_proto::{MAIL_REQUIRETLS, MAIL_SMTPUTF8, MailFrom, Request};

pub(in crate::smtp) fn run(session: &mut Session, request: Request<String>) -> Running<'_> {
    Box::pin(async move {
        let Request::Mail { from } = request else {
            return Ok(Answer::new(501, "5.5.4 MAIL FROM:<address> is expected"));
        };
        let asked = from.mt_priority;
        Ok(match session.begin(from) {
            Ok(mut transaction) => {
                if let Err(refusal) = session.show_sender(&mut transaction).await {
                    return Ok(refusal.into());
                }
                let priority = transaction.terms.priority;
                session.transaction = Some(Box::new(transaction));
                match i64::from(priority) == asked {
                    true => Answer::new(250, "2.1.0 Ok"),
                    // RFC 6710 section 4.1: the new priority comes first.
                    false => Answer::new(250, format!("2.3.6 {priority} is the priority that it has here")),
                }
            }
            Err(refusal) => refusal.into(),
        })
    })
}

impl Session {
    fn begin(&self, from: MailFrom<String>) -> Result<Transaction, Reply> {
        if self.hello.is_none() {
            let word = if self.role == Role::Lmtp { "LHLO" } else { "EHLO" };
            return Err(Reply::new(503, format!("5.5.1 {word} first")));
        }
        if self.transaction.is_some() {
            return Err(Reply::new(503, "5.5.1 A message is under way already; RSET forgets it"));
        }
        let checked = self.check_beginning(&from);
        // It has its id before anything is judged, so that a refusal stands in the mail log too.
        let transaction = Transaction {
            id: self.shared.next_id(),
            sender: envelope::requoted(&from.address),
            utf8: from.flags & MAIL_SMTPUTF8 != 0,
            ret: envelope::ret(from.flags),
            tls: if from.flags & MAIL_REQUIRETLS != 0 { TlsDemand::Required } else { TlsDemand::Usual },
            envelope_id: from.env_id.unwrap_or_default(),
            size_bytes: from.size as u64,
            terms: *checked.as_ref().unwrap_or(&Terms::default()),
            recipients: Vec::new(),
            excess: 0,
            begun: false,
            chunks: None,
            milters: None,
            filters_until: None,
        };
        match checked {
            Ok(_) => Ok(transaction),
            Err(refusal) => {
                self.note_refused(&transaction, "", "", &refusal);
                Err(refusal)
            }
        }
    }

    /// What the sender asks for, if it may begin.
    fn check_beginning(&self, from: &MailFrom<String>) -> Result<Terms, Reply> {
        if self.role == Role::Submission && self.login.is_none() {
            return Err(Reply::new(530, "5.7.0 AUTH first"));
        }
        envelope::check_mail(from, self.keeps_tls())?;
        let max = self.shared.message_size_bytes_max;
        if from.size as u64 > max {
            return Err(message::too_big(max));
        }
        let terms = terms::read(from, self.role, self.shared.clock.now())?;
        self.check_sender(&from.address, from.flags & MAIL_SMTPUTF8 != 0)?;
        Ok(terms)
    }

    /// Whether the client may demand TLS for the whole way: only over TLS (RFC 8689 section 2); a store is the end of the way.
    pub(in crate::smtp) fn keeps_tls(&self) -> bool {
        self.role != Role::Lmtp && self.stream.is_tls()
    }

    /// The null sender is everybody's (RFC 5321 section 4.5.5); a member sends as itself (RFC 6409 section 6.1).
    fn check_sender(&self, sender: &str, utf8: bool) -> Result<(), Reply> {
        if sender.is_empty() {
            return Ok(());
        }
        let address = envelope::address(sender, utf8, 501, "5.1.7")?;
        match &self.login {
            Some(login) if !self.shared.engine.directory(|known| known.may_send_as(login.account, &address)) => {
                Err(Reply::new(553, format!("5.7.1 {} may not send as that address", login.address)))
            }
            _ => Ok(()),
        }
    }
}
