//! RCPT (RFC 5321 section 4.1.1.3) with NOTIFY and ORCPT (RFC 3461): who is meant, and whether there is room. Unknown addresses are refused
//! here and never bounced.
use crate::limits;
use crate::runtime::{now, yield_now};
use crate::smtp::envelope;
use crate::smtp::reply::Reply;
use crate::smtp::role::Role;
use crate::smtp::state::{Answer, Rcpt, Running, Session, Transaction};
use posthouse_engine::base::Load;
use posthouse_engine::directory::{Address, Directory, Recipient, Resolution};
use posthouse_engine::quota;
use smtp_proto::{RcptTo, Request};

pub(in crate::smtp) fn run(session: &mut Session, request: Request<String>) -> Running<'_> {
    Box::pin(async move {
        let Request::Rcpt { to } = request else {
            return Ok(Answer::new(501, "5.5.4 RCPT TO:<address> is expected"));
        };
        if session.is_guessing() {
            return Ok(session.turn_away());
        }
        session.look_up_host().await;
        let found = session.recipient(to);
        if found.as_ref().is_ok_and(|rcpt| rcpt.copies() > limits::SMTP_COPIES_PER_TURN) {
            // Looking up all who stand in a group takes a while, and the next command may name it again.
            yield_now().await;
        }
        let found = match found {
            Ok(rcpt) => session.show_recipient(&rcpt).await.map(|()| rcpt),
            Err(refusal) => Err(refusal),
        };
        let Some(transaction) = &mut session.transaction else {
            return Ok(Answer::new(503, "5.5.1 MAIL first"));
        };
        Ok(match found {
            Ok(rcpt) => {
                transaction.recipients.push(rcpt);
                Answer::new(250, "2.1.5 Ok")
            }
            Err(refusal) if is_beyond(&refusal) && transaction.excess < limits::SMTP_EXCESS_RECIPIENTS_MAX => {
                // Who has sent them all at once is no nuisance, and must not lose those that were taken (RFC 5321 section 4.5.3.1.10).
                transaction.excess += 1;
                refusal.write(session.stream.output());
                Answer::Written
            }
            Err(refusal) => {
                session.count_refused_recipient(&refusal);
                refusal.into()
            }
        })
    })
}

/// Whether a recipient was refused for the number of those before it.
fn is_beyond(refusal: &Reply) -> bool {
    refusal.code == 452 && refusal.text.starts_with("4.5.3 ")
}

/// The address, if it is one and there is room for one more.
fn check(transaction: &Transaction, to: &RcptTo<String>, given: &str) -> Result<Address, Reply> {
    if transaction.recipients.len() >= limits::SMTP_RECIPIENTS_MAX {
        return Err(Reply::new(452, "4.5.3 Too many recipients; send the message to the others apart"));
    }
    let copies: usize = transaction.recipients.iter().map(Rcpt::copies).sum();
    if copies > limits::SMTP_COPIES_MAX {
        return Err(Reply::new(452, "4.5.3 The recipients stand for too many; send the message to the others apart"));
    }
    envelope::check_rcpt(to)?;
    envelope::address(given, transaction.utf8, 553, "5.1.3")
}

impl Session {
    /// Whether refused recipients count: not those of members, whom their own rates bound, nor of hosts that the operator trusts.
    fn may_be_guessing(&self) -> bool {
        self.role != Role::Lmtp && self.login.is_none() && !self.is_trusted_front()
    }

    /// The client's address was refused so many recipients of late that it looks for those that are there.
    fn is_guessing(&self) -> bool {
        self.may_be_guessing() && self.shared.refused.is_over(self.stream.peer().ip(), now())
    }

    /// Ends the session of such a client (RFC 5321 section 3.8). One that is honest comes again with the rest.
    fn turn_away(&mut self) -> Answer {
        let goodbye = Reply::new(421, "4.7.0 Too many recipients were refused to your address; try again later");
        self.note_turned_away("refused-recipients", "", &goodbye);
        self.ended = true;
        goodbye.into()
    }

    fn count_refused_recipient(&self, refusal: &Reply) {
        if refusal.code >= 500 && refusal.code != 503 && self.may_be_guessing() {
            self.shared.refused.count(self.stream.peer().ip(), now());
        }
    }

    fn recipient(&self, to: RcptTo<String>) -> Result<Rcpt, Reply> {
        let Some(transaction) = &self.transaction else {
            return Err(Reply::new(503, "5.5.1 MAIL first"));
        };
        if transaction.chunks.is_some() {
            return Err(Reply::new(503, "5.5.1 Chunks of the message have come already"));
        }
        let given = match to.address.as_str() {
            // smtp-proto gives this for <Postmaster> (RFC 5321 section 4.5.1); <> is refused before.
            "" => self.postmaster().unwrap_or_else(|| "postmaster".to_owned()),
            address => envelope::requoted(address),
        };
        let refused = |reply: Reply| {
            self.note_refused(transaction, &given, "", &reply);
            reply
        };
        if given == "postmaster" {
            return Err(refused(Reply::new(550, "5.1.1 No domain here has the address postmaster")));
        }
        let address = check(transaction, &to, &given).map_err(refused)?;
        let (mut local, mut external) = self.resolve(&address).map_err(refused)?;
        if transaction.sender.is_empty()
            && let Some(representatives) = self.shared.engine.directory(|known| known.representatives(&address))
            && !representatives.is_empty()
        {
            // A report about what was sent as the group is for those who may send as it.
            (local, external) = (representatives, Vec::new());
        }
        // Of a group each member gets what fits, the full one when it has room.
        if let ([recipient], []) = (local.as_slice(), external.as_slice()) {
            self.check_room(recipient, transaction).map_err(refused)?;
        }
        let reserved = self.judge_recipient(transaction, &address, &local, &external)?;
        let notify = envelope::notify(to.flags);
        let orcpt = to.orcpt.unwrap_or_default();
        Ok(Rcpt { given, address, reserved, local, external, notify, orcpt, ended: false })
    }

    /// Who `<Postmaster>` without a domain is: that of our own name or of the first domain that has one.
    fn postmaster(&self) -> Option<String> {
        let own = format!("postmaster@{}", self.shared.hostname);
        let receives = |known: &Directory| {
            let found = Address::parse(&own).map(|address| known.resolve(&address));
            matches!(found, Ok(Resolution::Recipients { .. }))
        };
        self.shared.engine.directory(|known| match receives(known) {
            true => Some(own.clone()),
            false => known.postmaster().map(ToString::to_string),
        })
    }

    fn resolve(&self, address: &Address) -> Result<(Vec<Recipient>, Vec<Address>), Reply> {
        match self.shared.engine.resolve(address) {
            Resolution::Recipients { local, external } => Ok((local, external)),
            Resolution::NotLocal if self.role == Role::Submission => Ok((Vec::new(), vec![address.clone()])),
            Resolution::NotLocal if self.role == Role::Mx => {
                Err(Reply::new(550, "5.7.1 Relaying denied: that domain is not served here"))
            }
            Resolution::NotLocal => Err(Reply::new(550, "5.1.2 That domain is not served here")),
            Resolution::Unknown => Err(Reply::new(550, "5.1.1 No such mailbox here")),
            Resolution::Disabled => Err(Reply::new(550, "5.2.1 That mailbox is disabled")),
        }
    }

    /// Refuses early what the commit would refuse: a full mailbox, and a message that could never fit (RFC 1870 section 6.1).
    fn check_room(&self, recipient: &Recipient, transaction: &Transaction) -> Result<(), Reply> {
        let Some(bound) = recipient.bound else {
            return Ok(());
        };
        if transaction.size_bytes > bound.bytes_max {
            return Err(Reply::new(
                552,
                format!("5.2.2 The mailbox may hold {} bytes, and the message has more", bound.bytes_max),
            ));
        }
        // An account without a view has no mail yet.
        let held = self.shared.engine.account(recipient.account).map_or(Load::default(), |account| account.load());
        let more = Load { bytes: transaction.size_bytes.max(1), messages: 1 };
        quota::admit(held, more, Some(bound)).map(drop).map_err(|error| Reply::refused(&error))
    }
}
