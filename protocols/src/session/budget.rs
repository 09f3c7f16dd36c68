//! How many bytes of messages all sessions together may hold while they are received, or sent. Small messages have a part of their own, so that
//! large ones never keep them waiting; it never waits.
use crate::limits;
use crate::runtime::Site;
use posthouse_engine::base::AccountId;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The bytes left for all sessions.
#[derive(Clone, Debug)]
pub struct Budget(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    left: AtomicU64,
    /// What small messages may take beside that.
    small_left: AtomicU64,
    size_bytes: u64,
    /// What each holder has, as far as shares were made for one.
    holders: Mutex<HashMap<Holder, u64>>,
}

/// Who leaves something to others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Holder {
    Site(Site),
    Account(AccountId),
    Key(u64),
}

/// What one message has taken; dropping it gives that back.
#[derive(Debug)]
pub struct Share {
    budget: Budget,
    taken_bytes: u64,
    small_bytes: u64,
    holder: Option<Holder>,
}

impl Budget {
    /// A budget of `size_bytes`, and a part of it more for small messages.
    pub fn new(size_bytes: u64) -> Budget {
        Budget(Arc::new(Inner {
            left: AtomicU64::new(size_bytes),
            small_left: AtomicU64::new(size_bytes / limits::BUDGET_SMALL_PART),
            size_bytes,
            holders: Mutex::default(),
        }))
    }

    /// A share for one message: nothing is taken yet.
    pub fn share(&self) -> Share {
        self.share_of_holder(None)
    }

    /// A share for one message from `peer`. Messages beside another one of the same site get no more than what they leave to everybody else:
    /// one site may have half of the budget, two may have a third each, and however many there are, something is left for the next.
    pub fn share_of(&self, peer: IpAddr) -> Share {
        self.share_of_holder(Some(Holder::Site(Site::of(peer))))
    }

    /// The same for what an account's sessions hold, wherever its clients are.
    pub fn share_of_account(&self, account: AccountId) -> Share {
        self.share_of_holder(Some(Holder::Account(account)))
    }

    /// The same for whatever its owner knows by that number.
    pub fn share_of_key(&self, key: u64) -> Share {
        self.share_of_holder(Some(Holder::Key(key)))
    }

    fn share_of_holder(&self, holder: Option<Holder>) -> Share {
        Share { budget: self.clone(), taken_bytes: 0, small_bytes: 0, holder }
    }

    fn holders(&self) -> MutexGuard<'_, HashMap<Holder, u64>> {
        // The sums are whole between any two statements.
        self.0.holders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn left(&self) -> u64 {
        self.0.left.load(Ordering::Acquire)
    }

    fn take(&self, bytes: u64) -> bool {
        take(&self.0.left, bytes)
    }
}

fn take(left: &AtomicU64, bytes: u64) -> bool {
    left.fetch_update(Ordering::AcqRel, Ordering::Acquire, |left| left.checked_sub(bytes)).is_ok()
}

impl Share {
    /// Makes sure that the message may have `size_bytes`; false when too much is under way.
    pub fn hold(&mut self, size_bytes: u64) -> bool {
        if size_bytes <= self.taken_bytes.max(self.small_bytes) || self.hold_small(size_bytes) {
            return true;
        }
        // The last step of a budget that is not made of whole ones is for a message that fits in all the same.
        let (whole, all) = (size_bytes.next_multiple_of(limits::BUDGET_STEP_BYTES), self.budget.0.size_bytes);
        let wanted = if size_bytes <= all { whole.min(all) } else { whole };
        let taken = self.take(wanted - self.taken_bytes);
        if taken {
            self.taken_bytes = wanted;
            self.release_small();
        }
        taken
    }

    /// From the part of small messages. Where that is used up, they are as others.
    fn hold_small(&mut self, size_bytes: u64) -> bool {
        if size_bytes > limits::MESSAGE_SMALL_BYTES || self.taken_bytes > 0 {
            return false;
        }
        let wanted = size_bytes.next_multiple_of(limits::BUDGET_SMALL_STEP_BYTES);
        let taken = take(&self.budget.0.small_left, wanted - self.small_bytes);
        if taken {
            self.small_bytes = wanted;
        }
        taken
    }

    fn release_small(&mut self) {
        match std::mem::take(&mut self.small_bytes) {
            0 => {}
            held => drop(self.budget.0.small_left.fetch_add(held, Ordering::AcqRel)),
        }
    }

    fn take(&self, more: u64) -> bool {
        let Some(holder) = self.holder else {
            return self.budget.take(more);
        };
        let mut holders = self.budget.holders();
        let held = holders.get(&holder).copied().unwrap_or(0);
        let is_alone = held == self.taken_bytes;
        let taken = (is_alone || held + more <= self.budget.left()) && self.budget.take(more);
        if taken {
            holders.insert(holder, held + more);
        }
        taken
    }

    /// Whether it has taken anything of what large messages share.
    pub fn is_free(&self) -> bool {
        self.taken_bytes == 0
    }

    /// Whether others may soon wait for what this share holds: half of the budget is taken.
    pub fn is_wanted(&self) -> bool {
        self.taken_bytes > 0 && self.budget.left() < self.budget.0.size_bytes / 2
    }

    /// Whether somebody may be waiting for what it holds already: it is wanted, its holder may have no more beside it, or half of what small messages
    /// share is taken and it has of that.
    pub fn is_waited_for(&self) -> bool {
        let small_left = self.budget.0.small_left.load(Ordering::Acquire);
        let small = self.small_bytes > 0 && small_left < self.budget.0.size_bytes / limits::BUDGET_SMALL_PART / 2;
        let at_its_bound = |holder| {
            let held = self.budget.holders().get(&holder).copied().unwrap_or(0);
            held + limits::BUDGET_STEP_BYTES > self.budget.left()
        };
        small || self.is_wanted() || self.taken_bytes > 0 && self.holder.is_some_and(at_its_bound)
    }

    /// How fast a message must come in that holds this share, in bytes a second: as slowly as it likes while half of the budget is left beside
    /// it, and twice as fast for each halving of what is left then.
    pub fn rate_min(&self) -> u64 {
        if !self.is_wanted() {
            return 0;
        }
        let halvings = (self.budget.0.size_bytes / self.budget.left().max(1)).max(2).ilog2();
        limits::INTAKE_RATE_MIN << (halvings - 1).min(limits::INTAKE_RATE_DOUBLINGS_MAX)
    }

    /// Gives back what is taken.
    pub fn release(&mut self) {
        self.release_small();
        let taken = std::mem::take(&mut self.taken_bytes);
        if taken == 0 {
            return;
        }
        if let Some(holder) = self.holder {
            let mut holders = self.budget.holders();
            match holders.get_mut(&holder) {
                Some(held) if *held > taken => *held -= taken,
                _ => drop(holders.remove(&holder)),
            }
        }
        self.budget.0.left.fetch_add(taken, Ordering::AcqRel);
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.release();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: u64 = limits::BUDGET_STEP_BYTES;

    fn site(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    #[test]
    fn what_fits_in_all_of_it_fits() {
        let budget = Budget::new(1_100_000);
        assert!(budget.share().hold(1_090_000));
        assert!(!budget.share().hold(1_100_001));
        assert!(budget.share_of(site(1)).hold(1_090_000));
    }

    #[test]
    fn takes_and_gives_back() {
        let budget = Budget::new(2 * STEP);
        let mut first = budget.share();
        assert!(first.hold(limits::MESSAGE_SMALL_BYTES));
        assert!(first.hold(STEP + 1));
        let mut second = budget.share();
        assert!(second.hold(limits::MESSAGE_SMALL_BYTES));
        assert!(!second.hold(limits::MESSAGE_SMALL_BYTES + 1));
        assert!(first.is_wanted() && !second.is_wanted());
        first.release();
        assert!(second.hold(limits::MESSAGE_SMALL_BYTES + 1) && !second.is_wanted());
        second.release();
        drop(first);
        assert!(second.hold(limits::MESSAGE_SMALL_BYTES + 1));
    }

    /// Messages of one step each, until there is no room for one more.
    fn fill(budget: &Budget, peer: IpAddr) -> Vec<Share> {
        let shares = std::iter::repeat_with(|| budget.share_of(peer));
        shares.map_while(|mut share| share.hold(STEP).then_some(share)).collect()
    }

    #[test]
    fn a_site_leaves_something_to_others() {
        let budget = Budget::new(60 * STEP);
        let greedy = fill(&budget, site(1));
        assert_eq!(greedy.len(), 30);
        // What is left goes to whoever comes, but again not all of it to one.
        let second = fill(&budget, site(2));
        assert_eq!(second.len(), 15);
        // One message, however large, is not kept from a site that has none.
        assert!(budget.share_of(site(3)).hold(15 * STEP));
        assert!(!budget.share_of(site(3)).hold(16 * STEP));
        // The same for what is left once the first has gone: nothing is lost.
        drop(greedy);
        assert_eq!(fill(&budget, site(3)).len(), 23);
        drop(second);
        assert!(budget.holders().is_empty());
        assert_eq!(budget.left(), 60 * STEP);
    }

    #[test]
    fn an_account_leaves_something_to_others() {
        let budget = Budget::new(60 * STEP);
        let of = |account| budget.share_of_account(AccountId(account));
        let fill = |account| -> Vec<Share> {
            std::iter::repeat_with(|| of(account)).map_while(|mut share| share.hold(STEP).then_some(share)).collect()
        };
        let greedy = fill(1);
        assert_eq!(greedy.len(), 30);
        assert!(greedy.iter().all(Share::is_waited_for), "its own sessions wait for each other");
        let mut other = of(2);
        assert!(other.hold(20 * STEP) && of(3).hold(STEP));
        drop(greedy);
        assert!(!other.is_waited_for());
    }

    #[test]
    fn small_ones_are_waited_for_when_half_of_their_part_is_taken() {
        let budget = Budget::new(16 * limits::MESSAGE_SMALL_BYTES);
        let small = || {
            let mut share = budget.share_of_account(AccountId(1));
            assert!(share.hold(limits::MESSAGE_SMALL_BYTES));
            share
        };
        let mut held = vec![small(), small()];
        assert!(!held[0].is_waited_for());
        held.push(small());
        assert!(held[0].is_waited_for());
    }

    #[test]
    fn addresses_of_one_network_are_one_site() {
        let budget = Budget::new(60 * STEP);
        let of = |last: u16| IpAddr::from([0x2001, 0xdb8, 0, 1, 0, 0, 0, last]);
        let held: Vec<_> = (0..60).filter_map(|n| fill(&budget, of(n)).pop()).collect();
        assert_eq!(held.len(), 30);
    }

    #[test]
    fn the_less_is_left_the_faster_a_message_must_come() {
        let budget = Budget::new(64 * STEP);
        let mut share = budget.share();
        assert!(share.hold(STEP) && share.rate_min() == 0);
        let mut others = budget.share();
        let mut rate = |taken: u64| {
            assert!(others.hold(taken * STEP));
            share.rate_min()
        };
        let expected = [(31, 0), (32, 1), (48, 2), (56, 4), (60, 8), (63, 16)];
        for (taken, times) in expected {
            assert_eq!(rate(taken), times * limits::INTAKE_RATE_MIN, "{taken}");
        }
        assert_eq!(budget.share().rate_min(), 0, "what holds nothing may take its time");
    }
}
