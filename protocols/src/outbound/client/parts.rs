//! The transactions of a message, one after the other, where a host has said how many recipients it takes in one (LIMITS, RFC 9422), or says so then.
use super::mail::{Mail, Rcpt, Sent, is_too_many};
use super::{Client, Offers};
use crate::dsn::Reply;
use std::collections::VecDeque;

impl Offers {
    /// The recipients by their places, in transactions that keep to the host's limits.
    pub(super) fn parts(&self, recipients: &[&str]) -> VecDeque<Vec<usize>> {
        let domain = |at: usize| recipients[at].rsplit_once('@').map_or("", |(_, domain)| domain);
        let mut all: Vec<usize> = (0..recipients.len()).collect();
        if self.rcpt_domain_max.is_some() {
            all.sort_by_key(|at| domain(*at));
        }
        let (most, most_domains) = (self.rcpt_max.unwrap_or(usize::MAX), self.rcpt_domain_max.unwrap_or(usize::MAX));
        let (mut parts, mut domains) = (VecDeque::<Vec<usize>>::new(), 0);
        for at in all {
            let last = parts.back().and_then(|part| part.last());
            domains += usize::from(last.is_none_or(|last| domain(*last) != domain(at)));
            match parts.back_mut().filter(|part| part.len() < most && domains <= most_domains) {
                Some(part) => part.push(at),
                None => {
                    domains = 1;
                    parts.push_back(vec![at]);
                }
            }
        }
        parts
    }
}

impl Client {
    /// All of them, or as many as the connection takes.
    pub(super) async fn send_parts(&mut self, mail: &Mail<'_>) -> Sent {
        let addresses: Vec<&str> = mail.recipients.iter().map(|rcpt| rcpt.address).collect();
        let mut parts = self.offers.parts(&addresses);
        let mut replies: Vec<Option<Reply>> = vec![None; mail.recipients.len()];
        let (mut elsewhere, mut cut) = (true, Vec::new());
        while let Some(part) = parts.pop_front() {
            if self.is_spent() && self.begun > 0 {
                parts.push_front(part);
                break;
            }
            let recipients: Vec<Rcpt<'_>> = part.iter().map(|at| mail.recipients[*at]).collect();
            let sent = self.send_at_once(&Mail { recipients: &recipients, ..*mail }).await;
            if sent.stale {
                cut = part.iter().copied().zip(sent.replies).collect();
                parts.push_front(part);
                break;
            }
            elsewhere &= sent.elsewhere;
            // Whoever had no room beside those that were taken has it in a transaction of its own, at once (RFC 5321 section 4.5.3.1.10).
            let is_taken = sent.replies.iter().any(Reply::is_positive);
            let mut again = Vec::new();
            for (at, reply) in part.into_iter().zip(sent.replies) {
                if is_taken && is_too_many(&reply) {
                    again.push(at);
                }
                replies[at] = Some(reply);
            }
            if !again.is_empty() {
                parts.push_front(again);
            }
        }
        // Only a connection that has brought somebody forward is followed by another one at once.
        let mut sent = Sent { replies, elsewhere };
        let is_forward = sent.replies.iter().flatten().any(|reply| !reply.is_transient());
        let later = Reply::own("4.5.3", "the host takes no more on this connection");
        let unsent = (!is_forward && !sent.is_stale()).then_some(later);
        parts.into_iter().flatten().for_each(|at| sent.replies[at].clone_from(&unsent));
        if unsent.is_some() {
            // What the host has said of them says more.
            cut.into_iter().for_each(|(at, reply)| sent.replies[at] = Some(reply));
        }
        sent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(rcpt_max: Option<usize>, rcpt_domain_max: Option<usize>) -> Vec<Vec<usize>> {
        let offers = Offers { rcpt_max, rcpt_domain_max, ..Offers::default() };
        offers.parts(&["a@x.test", "a@y.test", "b@x.test", "a@z.test", "b@y.test"]).into()
    }

    #[test]
    fn a_transaction_has_no_more_recipients_and_domains_than_the_host_takes() {
        assert_eq!(parts(None, None), [[0, 1, 2, 3, 4]]);
        assert_eq!(parts(Some(2), None), [vec![0, 1], vec![2, 3], vec![4]]);
        assert_eq!(parts(None, Some(1)), [vec![0, 2], vec![1, 4], vec![3]]);
        assert_eq!(parts(None, Some(2)), [vec![0, 2, 1, 4], vec![3]]);
        assert_eq!(parts(Some(1), Some(3)), [[0], [2], [1], [4], [3]]);
        assert_eq!(parts(Some(3), Some(2)), [vec![0, 2, 1], vec![4, 3]]);
        assert!(Offers::default().parts(&[]).is_empty());
    }
}
