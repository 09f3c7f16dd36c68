//! Between a session and the mail flow's policies: facts are gathered here, verdicts become replies and places. Decides nothing itself.
use super::letter::{Addressed, Says};
use super::reply::Reply;
use super::role::Role;
use super::state::{Rcpt, Session, Transaction};
use crate::placing;
use crate::runtime::yield_now;
use crate::spending::{Charged, Reserved};
use posthouse_engine::directory::{Address, Recipient, Rule, Scope};
use posthouse_engine::mailflow::{
    Advice, Case, Dmarc, Facts, Letter, Listed, Origin, Refusal, Verdict, Wanted, at_message, at_recipient,
};

/// A refusal as its reply.
pub(super) fn reply(refusal: &Refusal) -> Reply {
    Reply::new(refusal.code, format!("{} {}", refusal.status, refusal.text))
}

fn wanted(rcpt: &Rcpt) -> Wanted<'_> {
    Wanted { address: &rcpt.address, local: &rcpt.local, external: &rcpt.external }
}

impl Session {
    pub(super) fn origin(&self) -> Origin {
        match (self.role, self.account()) {
            (_, Some(account)) => Origin::Member(account),
            (Role::Lmtp, None) => Origin::Front,
            (_, None) => Origin::Outside,
        }
    }

    fn with_case<R>(&self, sender: &str, then: impl FnOnce(&Case<'_>) -> R) -> R {
        let (sender, now) = (Address::parse(sender).ok(), self.shared.clock.now());
        let origin = self.origin();
        let known = self.listing.as_ref().zip(self.shared.blocklists.as_ref());
        let told = known.map(|(listing, _)| format!("{} {}", self.stream.peer().ip(), listing.zones.join(", ")));
        let listed = known.zip(told.as_deref()).map(|((listing, lists), told)| {
            let (reject_from, junk_from) = (lists.settings().reject_from, lists.settings().junk_from);
            Listed { score: listing.score, reject_from, junk_from, told }
        });
        self.shared
            .engine
            .directory(|directory| then(&Case { directory, origin, sender: sender.as_ref(), now, listed }))
    }

    /// Asks what DNS blocklists say of the host, before its first recipient; later ones find the answer here.
    pub(super) async fn look_up_host(&mut self) {
        let lists = self.shared.blocklists.clone().filter(|_| self.role == Role::Mx && self.listing.is_none());
        if let Some(lists) = lists {
            self.listing = lists.ask(self.stream.peer().ip()).await;
        }
    }

    /// Whether mail for this recipient is taken; and what it has cost of the sender's rate. It counts from now on, so that no other connection of the
    /// sender's takes its place.
    pub(super) fn judge_recipient(
        &self,
        transaction: &Transaction,
        address: &Address,
        local: &[Recipient],
        external: &[Address],
    ) -> Result<Option<Reserved>, Reply> {
        let wanted = Wanted { address, local, external };
        let found = self.with_case(&transaction.sender, |case| {
            let mut counters = self.shared.engine.rates();
            match at_recipient(case, &counters, &wanted, 1) {
                Some(refusal) => Err(refusal),
                None => Ok(case.spend(&mut counters, &wanted, 1)),
            }
        });
        let reserved = found.map(|spent| spent.map(|spent| Reserved::new(&self.shared.engine, spent)));
        reserved.map_err(|refusal| {
            tracing::info!(peer = %self.stream.peer(), from = %transaction.sender.escape_debug(), to = %address, policy = refusal.stage, "recipient refused");
            let reply = reply(&refusal);
            self.note_refused(transaction, address.as_str(), refusal.stage, &reply);
            reply
        })
    }

    /// What is to happen with the message for each recipient. Members' scripts run in it, and there can be a thousand recipients: the directory is let go of
    /// between them, and where they have rules of their own others have their turn.
    /// What that costs of members' rates comes with it.
    pub(super) async fn judge_message(
        &self,
        transaction: &Transaction,
        says: &Says,
        more: &Addressed,
        (facts, advice): (Facts, Advice<'_>),
    ) -> (Vec<Verdict>, Charged) {
        let obeys_dmarc = self.shared.verifier.as_ref().is_some_and(|verifier| verifier.obeys_dmarc());
        let Addressed { to, passed, automatic, fields, size_bytes } = more;
        let has_mailbox = |account, name: &str| placing::has_mailbox(&self.shared.engine, account, name);
        let letter = Letter {
            from: &says.from,
            subject: &says.subject,
            facts,
            to,
            passed,
            automatic: *automatic,
            fields,
            size_bytes: *size_bytes,
            has_mailbox: Some(&has_mailbox),
            advice,
            obeys_dmarc,
        };
        let (mut verdicts, mut charged) = (Vec::with_capacity(transaction.recipients.len()), Charged::default());
        for rcpt in &transaction.recipients {
            if !verdicts.is_empty() && !fields.is_empty() {
                yield_now().await;
            }
            let (verdict, onward) = self.with_case(&transaction.sender, |case| {
                let wanted = wanted(rcpt);
                let mut verdict = at_message(case, &letter, &wanted);
                // What ends here concerns nobody any more; a refusal would only make the host that sends it back report it.
                verdict.refusal = verdict.refusal.filter(|_| !rcpt.ended);
                let sends = verdict.sends_onward() && transaction.terms.hold_until == 0;
                let onward = sends.then(|| verdict.charge(case, &mut self.shared.engine.rates(), &wanted, &verdicts));
                (verdict, onward)
            });
            charged.add(&self.shared.engine, onward.unwrap_or_default());
            verdicts.push(verdict);
        }
        (verdicts, charged)
    }

    /// Whether a recipient has rules for which more of the header must be known, or of which an ARC set must tell.
    pub(super) fn has_own_rules(&self, transaction: &Transaction) -> bool {
        let mut all = transaction.recipients.iter().flat_map(|rcpt| &rcpt.local);
        self.shared.engine.directory(|known| {
            all.any(|recipient| {
                let rules = known.rules(&Scope::Account(recipient.account));
                rules.iter().any(|rule| matches!(rule, Rule::Forward { .. } | Rule::Away(_) | Rule::Sieve(_)))
            })
        })
    }

    /// What no recipient can be asked about: whose name a member writes under (RFC 6409 section 6.1), and a header that can be read in two ways.
    pub(super) fn check_author(&self, says: &Says, facts: Facts) -> Result<(), Reply> {
        if self.role == Role::Mx && facts.dmarc != Dmarc::Unchecked {
            return one_author_domain(says);
        }
        let Some(login) = self.login.as_ref().filter(|_| self.role == Role::Submission) else {
            return Ok(());
        };
        let refuse = |what: &str, field: &str| {
            Err(Reply::new(550, format!("5.7.1 {} may not write as {what} ({field} of the message)", login.address)))
        };
        if says.from_fields > 1 {
            return Err(too_many_from());
        }
        let owns = |address: &&Address| self.shared.engine.directory(|known| known.may_send_as(login.account, address));
        let fields = [("From", &says.from, says.from_is_odd), ("Sender", &says.senders, says.sender_is_odd)];
        for (name, addresses, is_odd) in fields {
            if is_odd {
                return refuse("what is no address, or hides behind a header that is too long", name);
            }
            if let Some(address) = addresses.iter().find(|address| !owns(address)) {
                return refuse(&super::reply::printable(address.as_str()), name);
            }
        }
        Ok(())
    }

    /// Who writes a message that does not say so: whoever sends it, or the member for the null sender.
    pub(super) fn author(&self, transaction: &Transaction) -> Option<Address> {
        let login = self.login.as_ref().filter(|_| self.role == Role::Submission)?;
        Some(Address::parse(&transaction.sender).unwrap_or_else(|_| login.address.clone()))
    }
}

/// DMARC speaks of the domain of the only From (RFC 7489 section 6.6.1): with two of them it would judge one and the reader see the other, and
/// without any it would say nothing of what readers take for the author.
fn one_author_domain(says: &Says) -> Result<(), Reply> {
    if says.from_fields > 1 {
        return Err(too_many_from());
    }
    if says.from_has_one_domain {
        return Ok(());
    }
    Err(Reply::new(
        550,
        "5.6.0 From of the message has to name an author, and authors of one domain only (RFC 5322 section 3.6.2)",
    ))
}

/// RFC 5322 section 3.6.
fn too_many_from() -> Reply {
    Reply::new(550, "5.6.0 The message has more than one From field")
}
