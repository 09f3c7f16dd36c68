//! How much an account may still take: exact sums with checked arithmetic. Never knows which messages they are made of.
pub mod model;

use crate::base::{Error, Result};

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
    use super::{charge, release};
    use crate::base::{AccountId, Error, MailboxId, Uid};

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
    fn bounds_are_exact() {
        assert_eq!(charge(90, 10, Some(100)).ok(), Some(100));
        assert!(matches!(charge(90, 11, Some(100)), Err(Error::OverQuota { used_bytes: 90, quota_bytes_max: 100 })));
        assert!(matches!(charge(u64::MAX, 1, None), Err(Error::OverQuota { .. })));
        assert_eq!(charge(u64::MAX - 1, 1, None).ok(), Some(u64::MAX));
        assert!(matches!(release(1, 2), Err(Error::Corrupt { .. })));
        assert_eq!(release(2, 2).ok(), Some(0));
    }
}
