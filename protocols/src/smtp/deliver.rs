//! From a message that has come whole to its replies: who gets it, what the policies and the store say, and one verdict for each recipient. A
//! positive one is given only after the sync that covers it.
use super::bounce;
use super::fate::{self, Fate, Places, fates, one_reply};
use super::filter::Filtered;
use super::letter::{self, Addressed, Says};
use super::message::Taken;
use super::prepare::{Before, Prepared};
use super::reply::Reply;
use super::role::Role;
use super::state::{Answer, Rcpt, Session, Transaction};
use super::{form, header, policy};
use crate::runtime::Site;
use crate::spending::{Charged, Reserved};
use crate::verify::milter::Outcome;
use crate::{limits, passed, placing};
use posthouse_engine::Expected;
use posthouse_engine::base::{AccountId, Error, Guid, QueueId};
use posthouse_engine::delivery::{self, Delivered, Delivery, Target};
use posthouse_engine::directory::Address;
use posthouse_engine::mailflow::{self, Copy, Facts, Forward, Verdict};
use posthouse_engine::queue::{Arrival, NewQueueItem, QueueRecipient};
use std::collections::{HashMap, HashSet};

impl Session {
    /// Ends the transaction with its message: one reply, or one for each recipient by LMTP (RFC 2033 section 4.2).
    pub(super) async fn finish(&mut self, mut taken: Taken) -> Answer {
        let Some(mut transaction) = self.transaction.take() else {
            return Answer::new(503, "5.5.1 MAIL first");
        };
        let verdicts = match self.filter(&mut transaction, &mut taken).await {
            Ok(filtered) => {
                transaction.heed(&taken.message);
                self.end_circles(&mut transaction, &taken.message);
                self.deliver(&mut transaction, taken, filtered).await
            }
            Err(refusal) => transaction.recipients.iter().map(|_| Err(refusal.clone())).collect(),
        };
        if verdicts.iter().any(Result::is_ok) {
            self.errors = 0;
        }
        if self.role == Role::Lmtp {
            for verdict in &verdicts {
                let reply = verdict.as_ref().unwrap_or_else(|reply| reply);
                self.say(reply);
            }
            return Answer::Written;
        }
        one_reply(verdicts).into()
    }

    /// What milters say and change, and what was found out about the sender before that.
    async fn filter(
        &self,
        transaction: &mut Transaction,
        taken: &mut Taken,
    ) -> Result<(Outcome, Option<Before>), Reply> {
        form::settle(self.role, &mut taken.message).map_err(|refusal| self.noted(transaction, refusal))?;
        let came_bytes = taken.message.len() as u64;
        let before = self.check_before(transaction, &mut taken.message, &mut taken.room).await;
        let before = before.map_err(|refusal| self.noted(transaction, refusal))?;
        let shown = match self.show_message(transaction, &mut taken.message).await {
            Ok(shown) => shown,
            Err(refusal) => {
                self.count_refused(transaction, before.filter(|_| refusal.code >= 500)).await;
                return Err(refusal);
            }
        };
        let (size_bytes, max) = (taken.message.len() as u64, self.shared.message_size_bytes_max);
        if size_bytes > came_bytes && size_bytes > max {
            let text = format!("5.3.4 With what a filter has added it has more than {max} bytes");
            return Err(self.noted(transaction, Reply::new(552, text)));
        }
        let kept_bytes = if matches!(before, Some(Before::Kept(_))) { came_bytes } else { 0 };
        if size_bytes > came_bytes && !taken.room.hold(size_bytes + kept_bytes) {
            let reply = Reply::new(452, "4.3.1 Too many messages are under way; try again");
            return Err(self.noted(transaction, reply));
        }
        self.put_in_lines(transaction, taken).await.map_err(|refusal| self.noted(transaction, refusal))?;
        Ok((shown, before))
    }

    /// All that came counts for DMARC reports, also what a filter has refused.
    async fn count_refused(&self, transaction: &Transaction, before: Option<Before>) {
        let found = match before {
            Some(Before::Found(found)) => Some(found),
            Some(Before::Kept(came)) => self.verify(transaction, came, None).await.ok().map(|(_, found)| found),
            None => None,
        };
        if let Some(found) = found {
            self.count_dmarc(found.seen, found.facts, &[]);
        }
    }

    fn noted(&self, transaction: &Transaction, refusal: Reply) -> Reply {
        self.note_refused(transaction, "", "", &refusal);
        refusal
    }

    /// Refuses the message of the transaction under way with one reply, or with one for each recipient by LMTP.
    pub(super) fn refuse(&mut self, reply: Reply) -> Answer {
        let transaction = self.transaction.take();
        if let Some(transaction) = &transaction {
            self.note_refused(transaction, "", "", &reply);
        }
        let count = transaction.map_or(1, |transaction| transaction.recipients.len());
        if self.role != Role::Lmtp {
            return reply.into();
        }
        for _ in 0..count {
            self.say(&reply);
        }
        Answer::Written
    }

    /// One verdict for each recipient: the positive reply or the refusal.
    async fn deliver(
        &self,
        transaction: &mut Transaction,
        taken: Taken,
        (shown, before): (Outcome, Option<Before>),
    ) -> Vec<Result<Reply, Reply>> {
        let header = header::read(&taken.message);
        let (id, size_bytes) = (format!("{:X}", transaction.id), taken.message.len());
        let says = self.says(transaction, &taken.message, header.size_bytes, &id);
        let filtered = self.ask_filter(transaction, shown, &taken.message, &id).await;
        let refuse_all = |transaction: &Transaction, policy: &str, facts: Facts, reply: Reply| {
            self.note_came(transaction, &says, size_bytes, (facts, &filtered.note));
            self.note_refused(transaction, "", policy, &reply);
            transaction.recipients.iter().map(|_| Err(reply.clone())).collect()
        };
        if let Some((policy, reply)) = unfit(self.leaves(transaction), header.hops, &filtered) {
            return refuse_all(transaction, policy, Facts::default(), reply);
        }
        if filtered.discards() {
            self.note_came(transaction, &says, size_bytes, (Facts::default(), &filtered.note));
            self.note_discarded(transaction);
            return transaction.recipients.iter().map(|_| Ok(fate::taken(self.role, &id))).collect();
        }
        let more = self.addressed(transaction, &taken.message, header.size_bytes);
        let bounced_header = bounce::header_of(&taken.message, header.size_bytes);
        let Taken { message, room, expected } = taken;
        let Prepared { fields, message, facts, seen } =
            match self.prepare(transaction, &says, (message, before), &header, &id).await {
                Ok(prepared) => prepared,
                Err(refusal) => return refuse_all(transaction, "verify", Facts::default(), refusal),
            };
        transaction.tell_nobody_forged(facts);
        if let Err(refusal) = self.check_author(&says, facts) {
            self.log_refusal(transaction, "author", &refusal);
            return refuse_all(transaction, "author", facts, refusal);
        }
        let judged = self.judge_message(transaction, &says, &more, (facts, filtered.advice()));
        let (mut verdicts, mut charged) = judged.await;
        self.hold_back(transaction, &mut verdicts);
        // One reply is for all: who would have to get it later would lose it beside one who gets it now.
        if let Some(later) = verdicts.iter().filter_map(|verdict| verdict.refusal.as_ref()).find(|one| one.code < 500) {
            return refuse_all(transaction, later.stage, facts, policy::reply(later));
        }
        let size_bytes = fields.len() + message.len();
        let arrival = mailflow::arrival(self.origin(), facts, filtered.quarantined, &verdicts);
        let committed = match self.commit(transaction, (&verdicts, &arrival), fields, (message, expected)).await {
            Ok(committed) => committed,
            Err(refusal) => return refuse_all(transaction, "", facts, refusal),
        };
        drop(room);
        let fates = fates(transaction, &verdicts, &committed, facts);
        if let Some(refusal) = fate::refused_for_all(self.role, &fates, &committed) {
            self.log_refusal(transaction, "", &refusal);
            return refuse_all(transaction, "", facts, refusal);
        }
        keep_counted(transaction, &fates, &committed, &mut charged);
        self.log(transaction, (&id, size_bytes), &fates, (&verdicts, facts));
        self.note_came(transaction, &says, size_bytes, (facts, &filtered.note));
        self.note_fates(transaction, &verdicts, &committed);
        self.note_kept(transaction, &charged);
        self.count_dmarc(seen, facts, &verdicts);
        self.report((transaction, &verdicts, facts), bounced_header, (&fates, &committed), &id).await;
        self.set_keywords(&verdicts, &transaction.recipients, &committed).await;
        self.answer_all(transaction, &says, (&verdicts, &committed), &mut charged).await;
        let verdicts = fates.into_iter().map(|fate| fate.verdict(self.role, &id));
        verdicts.map(|verdict| verdict.map_err(|reply| reply.readable(transaction.utf8))).collect()
    }

    /// Members who are away answer.
    async fn answer_all(
        &self,
        transaction: &Transaction,
        says: &Says,
        (verdicts, committed): (&[Verdict], &Committed),
        charged: &mut Charged,
    ) {
        // Whoever was written to by many of its addresses gives each answer once: to sign it and to look for the sender costs something.
        let mut tried = HashSet::new();
        for answering in verdicts.iter().flat_map(|verdict| &verdict.answers) {
            if !tried.insert((answering.account, &answering.handle)) {
                continue;
            }
            let failed = matches!(committed.copy_of(answering.account), Some(Err(_)));
            if !failed && self.answer(transaction, says, answering).await {
                charged.keep_answer(answering.account);
            }
        }
    }

    /// What the message says, or is going to say when a submission has got what it lacks.
    fn says(&self, transaction: &Transaction, message: &[u8], header_bytes: usize, id: &str) -> Says {
        let mut says = letter::read(message, header_bytes);
        if says.message_id.is_empty() && self.role == Role::Submission {
            says.message_id = format!("<{id}@{}>", self.shared.hostname);
        }
        if says.from_fields == 0 {
            says.from.extend(self.author(transaction));
        }
        says
    }

    /// Whom the message names, if somebody has a rule that asks for it.
    fn addressed(&self, transaction: &Transaction, message: &[u8], header_bytes: usize) -> Addressed {
        match self.has_own_rules(transaction) {
            true => Addressed {
                passed: passed::proven(&self.shared.engine, message),
                ..letter::addressed(message, header_bytes)
            },
            false => Addressed::default(),
        }
    }

    /// Into the store and the queue, for those whom no policy has refused it.
    async fn commit(
        &self,
        transaction: &Transaction,
        (verdicts, arrival): (&[Verdict], &Arrival),
        fields: Vec<u8>,
        (message, expected): (Vec<u8>, Expected),
    ) -> Result<Committed, Reply> {
        let (targets, places) = targets(&transaction.recipients, verdicts);
        let forwards = forwards(verdicts);
        let own = self.queue_items(transaction, verdicts);
        let of_own = addresses_of(&own);
        let onward = forwards.iter().map(|forward| self.forwarded(transaction, forward, verdicts));
        let own_len = own.len();
        let mut queue: Vec<NewQueueItem> =
            own.into_iter().chain(onward).map(|item| self.known(item, arrival)).collect();
        let size_bytes = (fields.len() + message.len()) as u64;
        self.check_held(transaction, size_bytes).await?;
        let mut committed = Committed { size_bytes, places, forwards, ..Committed::default() };
        if targets.is_empty() && queue.is_empty() {
            return Ok(committed);
        }
        let engine = &self.shared.engine;
        let whose = Site::of(self.stream.peer().ip()).number();
        let staged = engine.stage_from(whose, fields, message).await.map_err(|error| Reply::refused(&error))?;
        for item in queue.iter_mut().take(own_len).filter(|item| item.arrival.is_some()) {
            // Whoever gets it now gets no other copy from there; what members send on is theirs.
            item.origin = Some(staged.guid());
            committed.origin = item.origin;
        }
        // Kept for the case that its shard fails: few messages have any.
        let kept = queue.clone();
        let delivery = Delivery { staged, targets, queue };
        let (asked, more) = match committed.origin {
            Some(origin) => {
                let (asked, more) = engine.deliver_once(delivery, origin, dealt(&transaction.recipients, verdicts));
                (asked, Some(more))
            }
            None => (engine.deliver_from(whose, delivery), None),
        };
        drop(expected);
        let delivery::Outcome { targets, queued, queue_ids } = asked.await;
        committed.targets = targets;
        committed.queued = (!kept.is_empty()).then_some(queued);
        (committed.own, committed.own_len) = (of_own, own_len);
        if committed.queued.is_some() && !queue_ids.is_empty() {
            committed.set_queued(queue_ids);
        }
        self.queue_for_later(transaction, (verdicts, arrival), kept, &mut committed).await;
        drop(more);
        Ok(committed)
    }

    fn is_ours(&self, domain: &str) -> bool {
        self.shared.engine.directory(|known| known.domain(domain).is_some())
    }

    /// Whether anybody on another host is to get it.
    fn leaves(&self, transaction: &Transaction) -> bool {
        let mut all = transaction.recipients.iter().flat_map(|rcpt| &rcpt.external);
        all.any(|address| !self.is_ours(address.domain()))
    }

    /// With what is known of the message, for whoever gets it here.
    fn known(&self, item: NewQueueItem, arrival: &Arrival) -> NewQueueItem {
        let is_ours =
            |one: &QueueRecipient| self.is_ours(one.address.rsplit_once('@').map_or("", |(_, domain)| domain));
        let ends_here = item.recipients.iter().any(is_ours);
        NewQueueItem { arrival: ends_here.then(|| Box::new(arrival.clone())), ..item }
    }

    /// An item without recipients.
    pub(super) fn new_item(&self, transaction: &Transaction) -> NewQueueItem {
        NewQueueItem {
            account: self.account(),
            sender: transaction.sender.clone(),
            recipients: Vec::new(),
            ret: transaction.ret,
            utf8: transaction.utf8,
            envelope_id: transaction.envelope_id.clone(),
            passed: Vec::new(),
            tls: transaction.tls,
            terms: transaction.terms,
            arrival: None,
            origin: None,
        }
    }

    fn forwarded(&self, transaction: &Transaction, forward: &Forward, verdicts: &[Verdict]) -> NewQueueItem {
        let Forward { to, sender, .. } = forward;
        // All who send it there: what goes to each address goes once.
        let all = passed_by(verdicts).filter(|other| other.to == *to);
        let mut passed: Vec<String> = all.map(|other| other.by.to_string()).collect();
        passed.sort_unstable();
        passed.dedup();
        // RFC 3461 section 5.2.7.3 lets a forward be the end of what the sender is told of.
        let notify = u8::from(sender.is_empty());
        let recipients = vec![QueueRecipient { address: to.to_string(), notify, orcpt: String::new() }];
        let utf8 = transaction.utf8 || !to.as_str().is_ascii() || passed.iter().any(|by| !by.is_ascii());
        let (terms, tls) = (transaction.terms.of_content(), transaction.tls);
        NewQueueItem { sender: sender.clone(), recipients, utf8, passed, terms, tls, ..NewQueueItem::default() }
    }

    /// Puts keywords on the copies that scripts have filed.
    async fn set_keywords(&self, verdicts: &[Verdict], recipients: &[Rcpt], committed: &Committed) {
        for (rcpt, verdict) in recipients.iter().zip(verdicts).filter(|(_, verdict)| verdict.refusal.is_none()) {
            for (recipient, filed) in rcpt.local.iter().zip(&verdict.filed).filter(|(_, filed)| !filed.is_empty()) {
                let account = recipient.account;
                for (placed, copy) in placing::placed(Copy::Filed, filed).iter().zip(committed.copies_of(account)) {
                    if let Ok(copy) = copy {
                        placing::set_keywords(&self.shared.engine, account, &placed.keywords, copy).await;
                    }
                }
            }
        }
    }
}

/// What the message was taken for counts for good.
fn keep_counted(transaction: &mut Transaction, fates: &[Fate], committed: &Committed, charged: &mut Charged) {
    let counted = transaction.recipients.iter_mut().zip(fates).filter(|(_, fate)| fate.is_taken());
    counted.filter_map(|(rcpt, _)| rcpt.reserved.as_mut()).for_each(Reserved::keep);
    if matches!(committed.queued, Some(Ok(()))) {
        charged.keep_forwards();
    }
}

/// Why a message is not even judged, with the policy's name.
fn unfit(leaves: bool, hops: usize, filtered: &Filtered) -> Option<(&'static str, Reply)> {
    if hops > limits::SMTP_HOPS_MAX {
        return Some(("hops", Reply::new(554, "5.4.6 Too many hops: the message goes in circles")));
    }
    // What is put aside must not leave, and there is no place for it here.
    let leaves = filtered.quarantined && leaves;
    leaves.then(|| ("filter", Reply::new(550, "5.7.1 A filter holds that message back; it is not sent on")))
}

/// What the store said, and what it was asked.
#[derive(Default)]
pub(super) struct Committed {
    /// Bytes of the message as it is stored.
    pub(super) size_bytes: u64,
    places: Places,
    targets: Vec<Result<Delivered, Error>>,
    /// Whether the copies for other hosts are queued; `None`: there are none.
    pub(super) queued: Option<Result<(), Error>>,
    /// Which of the copies in the queue is for an address.
    own: HashMap<Address, usize>,
    /// How many they are.
    own_len: usize,
    /// What those that end here are known by; `None`: there are none.
    pub(super) origin: Option<Guid>,
    /// The numbers of these copies.
    pub(super) queue_ids: Vec<QueueId>,
    /// What members' rules send on.
    pub(super) forwards: Vec<Forward>,
    /// Their numbers.
    pub(super) forward_ids: Vec<QueueId>,
    /// Accounts that get the message by way of the queue, having failed for a moment.
    pub(super) later: HashMap<AccountId, QueueId>,
}

impl Committed {
    /// What became of an account's copies, in the order in which they were asked for.
    pub(super) fn copies_of(&self, account: AccountId) -> impl Iterator<Item = &Result<Delivered, Error>> {
        self.places.get(&account).into_iter().flatten().filter_map(|at| self.targets.get(*at))
    }

    /// A copy of the account if it has one, else why not; `None`: none was asked for.
    pub(super) fn copy_of(&self, account: AccountId) -> Option<&Result<Delivered, Error>> {
        let has_it = self.copies_of(account).find(|copy| copy.is_ok());
        has_it.or_else(|| self.copies_of(account).next())
    }

    /// A copy that can be read.
    pub(super) fn first_copy(&self) -> Option<(AccountId, &Delivered)> {
        self.places.keys().find_map(|account| Some((*account, self.copy_of(*account)?.as_ref().ok()?)))
    }

    /// Whether anybody has it.
    pub(super) fn is_anywhere(&self) -> bool {
        self.first_copy().is_some() || !self.queue_ids.is_empty() || !self.forward_ids.is_empty()
    }

    /// All copies for other hosts are queued under these numbers.
    pub(super) fn set_queued(&mut self, mut ids: Vec<QueueId>) {
        self.queue_ids = ids.drain(..self.own_len.min(ids.len())).collect();
        (self.forward_ids, self.queued) = (ids, Some(Ok(())));
    }

    /// The number of the queue's copy for an address.
    pub(super) fn queue_id_of(&self, address: &Address) -> Option<QueueId> {
        let at = *self.own.get(address)?;
        self.queue_ids.get(at).copied()
    }
}

fn passed_by(verdicts: &[Verdict]) -> impl Iterator<Item = &Forward> {
    verdicts.iter().filter(|verdict| verdict.refusal.is_none()).flat_map(|verdict| &verdict.forwards)
}

/// By their canonical form: the queue has local parts as they were given, in any case and form of Unicode.
fn addresses_of(items: &[NewQueueItem]) -> HashMap<Address, usize> {
    let all = items.iter().enumerate().flat_map(|(at, item)| item.recipients.iter().map(move |one| (at, one)));
    let mut places = HashMap::new();
    for (at, one) in all {
        if let Ok(address) = Address::parse(&one.address) {
            places.entry(address).or_insert(at);
        }
    }
    places
}

/// Each address once, whoever sends it there.
fn forwards(verdicts: &[Verdict]) -> Vec<Forward> {
    let mut all: Vec<Forward> = Vec::new();
    for forward in passed_by(verdicts) {
        if !all.iter().any(|known| known.to == forward.to) {
            all.push(forward.clone());
        }
    }
    all
}

/// Accounts that are content without a copy: none is to come to them by the queue either. What is held comes from there.
fn dealt(recipients: &[Rcpt], verdicts: &[Verdict]) -> Vec<AccountId> {
    let passed = recipients.iter().zip(verdicts).filter(|(_, verdict)| verdict.refusal.is_none());
    let copies = passed.flat_map(|(rcpt, verdict)| rcpt.local.iter().zip(&verdict.copies));
    let without = copies.filter(|(_, copy)| copy.is_none() && **copy != Copy::Held);
    without.map(|(recipient, _)| recipient.account).collect()
}

/// Each account once, whatever addresses led to it; the first place that one of them gives counts.
fn targets(recipients: &[Rcpt], verdicts: &[Verdict]) -> (Vec<Target>, Places) {
    let mut targets = Vec::with_capacity(recipients.len());
    let mut places = Places::with_capacity(recipients.len());
    let passed = recipients.iter().zip(verdicts).filter(|(_, verdict)| verdict.refusal.is_none());
    let copies = passed.flat_map(|(rcpt, verdict)| rcpt.local.iter().zip(verdict.copies.iter().zip(&verdict.filed)));
    for (recipient, (copy, filed)) in copies {
        if copy.is_none() || places.contains_key(&recipient.account) {
            continue;
        }
        let before = targets.len();
        targets.extend(placing::placed(*copy, filed).iter().map(|placed| placing::target(recipient, placed)));
        places.insert(recipient.account, (before..targets.len()).collect());
    }
    (targets, places)
}
