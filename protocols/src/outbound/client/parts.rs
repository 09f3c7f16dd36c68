//! Which recipients of a message go in one transaction, where a host has said how many it takes (LIMITS, RFC 9422). Sends nothing.
use super::Offers;
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
