//! Good answers, kept for a while under a hash of their token: a client that opens five connections asks once. Bounded; holds no token.
use super::claims::Claims;
use std::collections::{HashMap, VecDeque};

/// SHA-256 of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Digest([u8; 32]);

impl Digest {
    pub(super) fn of(token: &str) -> Digest {
        let mut digest = Digest([0; 32]);
        digest.0.copy_from_slice(ring::digest::digest(&ring::digest::SHA256, token.as_bytes()).as_ref());
        digest
    }
}

/// The answers.
#[derive(Debug)]
pub(super) struct Kept {
    answers: HashMap<Digest, (Claims, i64)>,
    /// Each of them once; the first came first.
    order: VecDeque<Digest>,
    max: usize,
}

impl Kept {
    /// At most `max` answers.
    pub(super) fn new(max: usize) -> Kept {
        Kept { answers: HashMap::new(), order: VecDeque::new(), max }
    }

    /// What is known at `now`, seconds since 1970-01-01 UTC.
    pub(super) fn get(&self, digest: &Digest, now: i64) -> Option<Claims> {
        self.answers.get(digest).filter(|(_, until)| now < *until).map(|(claims, _)| claims.clone())
    }

    /// Keeps an answer until then; the oldest make room for it.
    pub(super) fn keep(&mut self, digest: Digest, claims: Claims, now: i64, until: i64) {
        if until <= now || self.max == 0 {
            return;
        }
        if self.answers.insert(digest, (claims, until)).is_none() {
            self.order.push_back(digest);
        }
        while self.answers.len() > self.max {
            if let Some(oldest) = self.order.pop_front() {
                self.answers.remove(&oldest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(address: &str) -> Claims {
        Claims { address: address.into(), scopes: Box::default(), expires: None }
    }

    #[test]
    fn bounded_and_not_for_ever() {
        let mut kept = Kept::new(2);
        for (at, token) in ["a", "b", "a", "c"].into_iter().enumerate() {
            kept.keep(Digest::of(token), claims(token), 0, 10 + at as i64);
        }
        let known = |token, now| kept.get(&Digest::of(token), now).map(|claims| claims.address.into_string());
        assert_eq!(known("a", 0), None, "the oldest has made room");
        assert_eq!((known("b", 10), known("b", 11)), (Some("b".into()), None));
        assert_eq!(known("c", 12), Some("c".into()));
        assert_eq!((kept.answers.len(), kept.order.len()), (2, 2));
        let mut none = Kept::new(0);
        none.keep(Digest::of("a"), claims("a"), 0, 10);
        assert_eq!(none.get(&Digest::of("a"), 0), None);
    }
}
