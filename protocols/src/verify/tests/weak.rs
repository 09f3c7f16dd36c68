//! Signatures by SHA-1, made once by another program, since nothing here makes them.
use super::*;

const KEY: &str = "v=DKIM1; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQCgksecM4t9sJjOKeUnrYem127qrseAgBiY6kFw+PMfC8DLuqAy2qNLpwrknkrlJH3r6eZQp\
    oDduFtXjBmEMzU0nxQURH8uy2P7KDX0XtoxGmKV/D3MC/nq0v/PZFWz8MSQvHSoCHzrKFAtPTCz1IXzR8T5h4yc3FH68mP0xCdRuQIDAQAB";
const SIGNATURE: &str = "DKIM-Signature: v=1; a=rsa-sha1; c=relaxed/relaxed; d=a.test; s=old; h=from:subject; bh=2+689OSH6dJ8r+u45EO4VHIBWe8=; b=\
    kqM1ohv8Xs4Syq9vuDGWEF4puPwnzgI+UcvTE2UKRmWjRoWzXBU87yA4BKvch/d0dKoYbSt5luYMzznEhdnqzKSLvy46izdRhV31vMnhtfHlm3bXxKQlteBt\
    XOtV7cS5T8/0TpdBk7yx/9gMS+TT4xNv1PDSIf5PeRbcqAvOVws=\r\n";
const CHAIN: &str = "ARC-Seal: i=1; a=rsa-sha1; cv=none; d=a.test; s=old; b=Xej7Dq0IUY7z4vFSBhAJivo7k0fDzSbkczhQkaynv+11ytFx6lYu228tKX/qFDkb2\
    ZWfsEBnr3m8zWakiidPzn0Ez/BBjDYPymNK0T1QN9qbQp6WiBmDuTQocomqiYIOhDLQ6adAbw3dQq+3oU/Ikku7RKOJCEW6hDQ7tfFeZL0=\r\nARC-Message-\
    Signature: i=1; a=rsa-sha1; c=relaxed/relaxed; d=a.test; s=old; h=from:subject; bh=2+689OSH6dJ8r+u45EO4VHIBWe8=; b=fbrhK\
    pa1FJ7mk4+aJsaGvx4LJaET+z9hS6Zj8RWjJexo9taK/GrkClvc8VScgqGH6zyfHubNMkATsNeJkCSALq3f/64HP0EkrY6mPx9CaAtivU9CabFurBCklmQn0\
    wv9pH8L1kkf8hjxkmyleKIJN4vS2G2uZJ/8kXH97h42vg0=\r\nARC-Authentication-Results: i=1; mx.b.test; spf=pass smtp.mailfrom=ann@a\
    .test\r\n";

/// RFC 8301 section 3.1: a signature that uses it has failed for good, whatever it proves otherwise.
#[test]
fn what_is_signed_by_sha1_proves_nobody() {
    let verifier = with(&[("old._domainkey.a.test", KEY), ("_dmarc.a.test", "v=DMARC1; p=reject")], Vec::new());
    let signed = [SIGNATURE.as_bytes(), MESSAGE].concat();
    let (facts, fields) = check(&verifier, "x@b.test", &signed);
    assert_eq!((facts.dkim, facts.dmarc), (Outcome::PermError, Dmarc::Fail(Policy::Reject)), "{fields}");
    assert!(fields.contains("dkim=permerror") && fields.contains("header.s=old"), "{fields}");
}

#[test]
fn a_chain_with_a_seal_by_sha1_is_broken() {
    let verifier = with(&[("old._domainkey.a.test", KEY)], Vec::new());
    let (facts, fields) = check(&verifier, "x@b.test", &[CHAIN.as_bytes(), MESSAGE].concat());
    assert_eq!(facts.arc, Outcome::Fail, "{fields}");
}
