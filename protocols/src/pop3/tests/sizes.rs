//! What a session costs while it waits: the futures it consists of.
use super::shared;
use crate::pop3::{Policy, driver};
use crate::runtime::sim;
use std::sync::Arc;

#[test]
fn a_waiting_session_is_small() {
    let shared = Arc::new(shared());
    sim::run(move |net| async move {
        let (stream, _client) = net.pair();
        let session = driver::run(shared, Policy::default(), stream);
        let size_bytes = std::mem::size_of_val(&session);
        assert!(size_bytes <= 2048, "{size_bytes} bytes");
    });
}
