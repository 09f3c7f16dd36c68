//! Shard events: every one read comes back as the same event; folded in, sums and counts hold; written as an index part and read back,
//! the accounts are the same.
#![no_main]
use posthouse_engine::base::bytes::Reader;
use posthouse_engine::disk::Map;
use posthouse_engine::format::Event;
use posthouse_engine::index::{Accounts, Part, Parts, Uidls, is_unique_id};
use posthouse_engine::queue::Queue;
use posthouse_fuzz::state::{self, assert_same, check_sums};
use std::sync::Arc;

posthouse_fuzz::target!(run, seeds: vec![state::events()]);

fn run(data: &[u8]) {
    let mut ids = Uidls::default();
    ids.decode(data);
    assert!(ids.iter().all(|(_, id)| is_unique_id(id)));
    let mut reader = Reader::new(data);
    let (mut accounts, mut queue) = (Accounts::default(), Queue::default());
    while let Ok(event) = Event::decode(&mut reader) {
        let mut bytes = Vec::new();
        event.encode(&mut bytes);
        let mut again = Reader::new(&bytes);
        assert_eq!(Event::decode(&mut again).as_ref(), Ok(&event));
        assert!(again.is_empty());
        // What contradicts the state ends the log; half of it may be folded in.
        if accounts.apply(&event).is_err() || queue.apply(&event).is_err() {
            return;
        }
    }
    assert_eq!(Queue::decode(&mut Reader::new(&queue.encode())).as_ref(), Ok(&queue));
    through_a_part(&mut accounts, &queue);
}

fn through_a_part(accounts: &mut Accounts, queue: &Queue) {
    let dirty = accounts.take_dirty();
    dirty.iter().for_each(|account| check_sums(account));
    let file = state::write_part(&dirty, queue);
    let part = Part::open("part", Map::owned(file)).expect("what was written is whole");
    assert_eq!(Queue::decode(&mut Reader::new(part.state())).as_ref(), Ok(queue));
    let parts = Parts::new(vec![Arc::new(part)]);
    for account in dirty {
        let read = parts.load(account.id).expect("readable").expect("there");
        assert_same(&account, &read);
    }
}
