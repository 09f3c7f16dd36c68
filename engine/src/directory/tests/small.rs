//! Quotas as text, and passwords.
use proptest::prelude::*;

use super::super::{Quota, password};
use crate::base::limits;

#[test]
fn quotas_are_read_as_people_write_them() {
    for (text, quota) in [
        ("default", Quota::Default),
        ("Unlimited", Quota::Unlimited),
        ("1GiB", Quota::Bytes(1 << 30)),
        ("500MB", Quota::Bytes(500_000_000)),
        (" 3 kib ", Quota::Bytes(3 << 10)),
        ("77", Quota::Bytes(77)),
        ("0", Quota::Bytes(0)),
    ] {
        assert_eq!(text.parse::<Quota>().ok(), Some(quota), "{text}");
    }
    for text in ["", "GiB", "1.5GiB", "-1", "1 parsec", "99999999999999999999", "99999999TiB"] {
        let error = text.parse::<Quota>().expect_err(text).to_string();
        assert!(error.contains("allowed are default, unlimited"), "{error}");
    }
    assert_eq!(Quota::Bytes(1 << 30).to_string(), "1GiB");
    assert_eq!(Quota::Bytes(500_000_000).to_string(), "500MB");
}

proptest! {
    #[test]
    fn quotas_come_back_from_text(bytes: u64, shift in 0..64u32) {
        for quota in [Quota::Bytes(bytes), Quota::Bytes(bytes >> shift << shift), Quota::Default, Quota::Unlimited] {
            prop_assert_eq!(quota.to_string().parse::<Quota>().ok(), Some(quota));
        }
    }

    #[test]
    fn any_hash_is_answered(text in "\\$?(argon2id)?\\$?(v=19)?\\$?.{0,40}") {
        prop_assert!(password::valid_hash(&text).is_err() || text.starts_with("$argon2i"));
    }
}

#[test]
fn passwords_fit_their_own_hash_only() {
    let hash = password::hash("correct horse").expect("hashed");
    assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
    password::valid_hash(&hash).expect("its own hashes are accepted");
    assert!(password::verify(&hash, "correct horse"));
    assert!(!password::verify(&hash, "correct horse "));
    assert!(!password::verify(&hash, ""));
    assert_ne!(password::hash("correct horse").expect("hashed"), hash, "a fresh salt");
    assert!(!password::verify_dummy("correct horse"));
    assert!(password::hash("").is_err() && password::hash(&"x".repeat(limits::PASSWORD_BYTES_MAX + 1)).is_err());
}

#[test]
fn hashes_from_elsewhere_are_taken_when_they_are_argon2_and_cheap_enough() {
    // The reference implementation's test vectors (phc-winner-argon2 src/test.c: version 0x13, t=2, m=2^16, p=1).
    let tail = "$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$";
    password::valid_hash(&format!("$argon2i{tail}wWKIMhR9lyDFvRz9YTZweHKfbftvj+qf+YFY4NeBbtA")).expect("argon2i");
    let known = format!("$argon2id{tail}CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc");
    assert!(password::verify(&known, "password") && !password::verify(&known, "Password"));
    for hash in [
        "",
        "secret",
        "$2b$12$abcdefghijklmnopqrstuv",
        "$argon2d$v=19$m=64,t=1,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
        "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ",
        "$argon2id$v=19$m=4194304,t=1,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
        "$argon2id$v=19$m=64,t=1000000,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
    ] {
        let error = password::valid_hash(hash).expect_err(hash).to_string();
        assert!(error.contains("argon2id or argon2i PHC string") || error.contains("costs too much"), "{error}");
        assert!(!password::verify(hash, ""));
    }
}
