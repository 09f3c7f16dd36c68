//! How much an account may still take: exact sums with checked arithmetic. Never knows which messages they are made of.
pub mod model;

use crate::base::{Bound, Error, Load, Result};

/// What is held after `more` has come; `Error::OverQuota` as `charge` has it, `Error::TooManyMessages` when there would be more of them than
/// `bound` allows (`None`: any number).
pub fn admit(held: Load, more: Load, bound: Option<Bound>) -> Result<Load> {
    let bytes = charge(held.bytes, more.bytes, bound.map(|bound| bound.bytes_max))?;
    let messages_max = bound.map_or(u64::MAX, |bound| bound.messages_max);
    match held.messages.checked_add(more.messages) {
        Some(messages) if messages <= messages_max || more.messages == 0 => Ok(Load { bytes, messages }),
        _ => Err(Error::TooManyMessages { messages: held.messages, messages_max }),
    }
}

/// What is used after `size_bytes` more; `Error::OverQuota` when that is more than `quota_bytes_max` (`None`: no
/// bound) or than 64 bits.
pub fn charge(used_bytes: u64, size_bytes: u64, quota_bytes_max: Option<u64>) -> Result<u64> {
    let bound = quota_bytes_max.unwrap_or(u64::MAX);
    match used_bytes.checked_add(size_bytes) {
        Some(after) if after <= bound => Ok(after),
        _ => Err(Error::OverQuota { used_bytes, quota_bytes_max: bound }),
    }
}

/// What is used after `size_bytes` are gone; `Error::Corrupt` when so much was never used.
pub fn release(used_bytes: u64, size_bytes: u64) -> Result<u64> {
    used_bytes.checked_sub(size_bytes).ok_or_else(|| {
        Error::corrupt("quota", 0, format!("{size_bytes} bytes leave an account that holds {used_bytes} bytes"))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::model::Model;
    use super::{admit, charge, release};
    use crate::base::{AccountId, Bound, Error, Load, MailboxId, Uid};

    proptest! {
        /// Invariant 3: usage is the sum of the sizes, whatever was charged, refused and released in whatever order.
        #[test]
        fn usage_is_the_sum_of_sizes(steps in proptest::collection::vec((0..2u64, 0..6u32, any::<bool>(), 0..900u64), 0..80)) {
            let (mut model, mut used) = (Model::default(), [0u64; 2]);
            for (account, uid, adds, size) in steps {
                let place = (AccountId(account), MailboxId::INBOX, Uid(uid));
                let sum = &mut used[account as usize];
                if let Some(gone) = model.remove(place) {
                    *sum = release(*sum, gone).expect("it was charged");
                }
                if adds && let Ok(after) = charge(*sum, size, Some(2_000)) {
                    *sum = after;
                    prop_assert!(model.add(place, size));
                }
                for (account, sum) in used.iter().enumerate() {
                    prop_assert_eq!(u128::from(*sum), model.used_bytes(AccountId(account as u64)));
                    prop_assert!(*sum <= 2_000);
                }
            }
        }
    }

    #[test]
    fn messages_are_counted_beside_bytes() {
        let load = |bytes, messages| Load { bytes, messages };
        let bound = Some(Bound { bytes_max: 100, messages_max: 3 });
        assert_eq!(admit(load(90, 2), load(10, 1), bound).ok(), Some(load(100, 3)));
        let over = admit(load(0, 2), load(1, 2), bound);
        assert!(matches!(over, Err(Error::TooManyMessages { messages: 2, messages_max: 3 })));
        assert!(matches!(admit(load(99, 3), load(2, 1), bound), Err(Error::OverQuota { .. })), "bytes first");
        assert_eq!(admit(load(5, 9), load(0, 0), bound).ok(), Some(load(5, 9)), "a bound that came later");
        assert_eq!(admit(load(5, 9), load(5, 9), None).ok(), Some(load(10, 18)));
        assert_eq!(admit(load(5, 9), load(95, 9), Some(Bound::of_bytes(100))).ok(), Some(load(100, 18)));
        assert!(matches!(admit(load(0, u64::MAX), load(0, 1), None), Err(Error::TooManyMessages { .. })));
        let freed = Bound { bytes_max: 100, messages_max: 3 }.with_freed(load(10, 1));
        assert_eq!(freed, Bound { bytes_max: 110, messages_max: 4 });
    }

    #[test]
    fn bounds_are_exact() {
        assert_eq!(charge(90, 10, Some(100)).ok(), Some(100));
        assert!(matches!(charge(90, 11, Some(100)), Err(Error::OverQuota { used_bytes: 90, quota_bytes_max: 100 })));
        assert!(matches!(charge(u64::MAX, 1, None), Err(Error::OverQuota { .. })));
        assert_eq!(charge(u64::MAX - 1, 1, None).ok(), Some(u64::MAX));
        assert!(matches!(release(1, 2), Err(Error::Corrupt { .. })));
        assert_eq!(release(2, 2).ok(), Some(0));
    }
}
