//! Senders whom SPF calls false: they have sent nothing, and hear of nothing. And who waits for room beside others.
use super::author::{verifier_of, with};
use super::member::{HELLO, queued, send};
use super::reports::{BOTH, big, reported};
use super::{inbox, shared};
use crate::session::Shared;
use std::sync::Arc;

/// Senders are checked: the client is no host of victim.test.
fn checked() -> Arc<Shared> {
    with(verifier_of(&[("victim.test", "v=spf1 -all"), ("fine.test", "v=spf1 +all")]))
}

#[test]
fn a_sender_whom_spf_calls_false_hears_of_no_failure() {
    let shared = checked();
    for (from, told) in [("v@victim.test", &[][..]), ("f@fine.test", &["f@fine.test"])] {
        assert!(send(&shared, from, &BOTH, &big(11_000)).starts_with("250"), "{from}");
        assert_eq!(reported(&shared), told);
    }
    assert_eq!((inbox(&shared, BOTH[0]).len(), inbox(&shared, BOTH[1]).len()), (0, 2));
}

#[test]
fn a_sender_whom_spf_calls_false_hears_of_nothing_that_waits_either() {
    let shared = checked();
    assert!(send(&shared, "v@victim.test", &BOTH[..1], &big(6_000)).starts_with("250"));
    assert!(send(&shared, "v@victim.test", &BOTH, &big(6_000)).starts_with("250"));
    let queue = shared.engine.queue();
    assert_eq!((queue.len(), queue[0].item.recipients[0].notify), (1, 1), "NOTIFY=NEVER");
}

/// Their refusals would come back to somebody who has sent nothing.
#[test]
fn what_spf_calls_false_goes_to_no_member_of_a_group_elsewhere() {
    let shared = checked();
    assert!(send(&shared, "v@victim.test", &["all@example.org"], HELLO).starts_with("250"));
    assert_eq!((inbox(&shared, BOTH[0]).len(), inbox(&shared, BOTH[1]).len()), (1, 1));
    assert_eq!(queued(&shared), []);
    assert!(send(&shared, "f@fine.test", &["all@example.org"], HELLO).starts_with("250"));
    assert_eq!(queued(&shared), [("f@fine.test".to_owned(), "carl@elsewhere.test".to_owned())]);
}

#[test]
fn a_full_mailbox_beside_another_recipient_gets_the_message_later() {
    let shared = shared();
    assert!(send(&shared, "s@s.test", &BOTH[..1], &big(6_000)).starts_with("250"));
    assert!(send(&shared, "s@s.test", &BOTH, &big(6_000)).starts_with("250"));
    assert_eq!((inbox(&shared, BOTH[0]).len(), inbox(&shared, BOTH[1]).len()), (1, 1));
    assert_eq!(queued(&shared), [("s@s.test".to_owned(), BOTH[0].to_owned())]);
    // Of what could never fit the sender hears at once.
    assert!(send(&shared, "s@s.test", &BOTH, &big(11_000)).starts_with("250"));
    assert_eq!(reported(&shared), ["s@s.test"]);
}
