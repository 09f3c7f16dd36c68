//! A whole queue as a checkpoint has it.
use super::{By, NewQueueItem, Queue, QueueRecipient};
use crate::base::bytes::{Put, Reader};
use crate::base::{AccountId, Guid, Locator, QueueId};
use crate::format::Event;

const ORIGIN: Guid = Guid([7; 16]);

fn queued(id: u64, origin: Option<Guid>) -> Event {
    let recipient = QueueRecipient { address: format!("r{id}@x.test"), notify: 0, orcpt: String::new() };
    let item = NewQueueItem { recipients: vec![recipient], origin, ..NewQueueItem::default() };
    let mut bytes = Vec::new();
    item.encode(&mut bytes);
    let (guid, locator) = (Guid([1; 16]), Locator::default());
    Event::Queued { id: QueueId(id), guid, locator, size_bytes: 9, created: 100 + id as i64, item: bytes }
}

fn reached(origin: Guid, id: u64, accounts: &[u64]) -> Event {
    let accounts = accounts.iter().copied().map(AccountId).collect();
    Event::Reached { origin, id: QueueId(id), recipient: 1, when: 5, accounts }
}

fn folded(events: impl IntoIterator<Item = Event>) -> Queue {
    let mut queue = Queue::default();
    events.into_iter().for_each(|event| queue.apply(&event).expect("it fits"));
    queue
}

fn again(queue: &Queue) -> Queue {
    let bytes = queue.encode();
    assert_eq!(queue.encoded_bytes(), bytes.len() as u64);
    let mut reader = Reader::new(&bytes);
    let back = Queue::decode(&mut reader).expect("it can be read");
    assert!(reader.is_empty() && back.encode() == bytes);
    back
}

#[test]
fn many_items_come_back_packed_and_can_be_changed() {
    let mut queue = folded((1..=1000).map(|id| queued(id << 16, None)));
    let mut back = again(&queue);
    assert_eq!(back, queue);
    assert!(back.times().eq(queue.iter().map(|item| (item.id, item.state, item.next_try))));
    assert!(back.after(QueueId(500 << 16)).next().is_some_and(|item| item.id == QueueId(501 << 16)));
    let changes = [
        Event::QueueChanged { id: QueueId(3 << 16), state: 2, next_try: 7 },
        Event::QueueRemoved { id: QueueId(400 << 16) },
        queued(1001 << 16, None),
        queued(400 << 16 | 1, None),
    ];
    for change in &changes {
        back.apply(change).expect("it fits");
        queue.apply(change).expect("it fits");
    }
    assert_eq!((&back, back.counts()), (&queue, queue.counts()));
    assert_eq!(again(&back), queue);
}

#[test]
fn an_item_without_a_number_is_none() {
    let mut queue = Queue::default();
    assert!(queue.apply(&queued(0, None)).is_err(), "a checkpoint would take it for a note of reached accounts");
    assert_eq!(again(&queue), Queue::default());
}

#[test]
fn items_that_are_not_in_their_order_are_no_queue() {
    let bytes = folded([queued(1 << 16, None)]).encode();
    let twice = |count: u8| {
        let mut out = vec![count];
        (0..count).for_each(|_| out.put(&bytes[1..]));
        Queue::decode(&mut Reader::new(&out)).is_ok()
    };
    assert!(twice(1) && !twice(2));
}

#[test]
fn whom_messages_have_reached_comes_back_until_it_is_forgotten() {
    let other = Guid([8; 16]);
    let events = [
        queued(1 << 16, Some(ORIGIN)),
        queued(2 << 16, Some(ORIGIN)),
        reached(ORIGIN, 0, &[9, 3]),
        reached(ORIGIN, 2 << 16, &[4]),
        reached(other, 5, &[3]),
    ];
    let mut queue = again(&folded(events));
    let by = |queue: &Queue, account| queue.reached_by(ORIGIN, AccountId(account)).map(|by| by.id.0);
    assert_eq!([3, 9, 4, 5].map(|account| by(&queue, account)), [Some(0), Some(0), Some(2 << 16), None]);
    assert_eq!(queue.reached_by(other, AccountId(3)), Some(By { id: QueueId(5), recipient: 1 }));
    assert_eq!((queue.noted_accounts(), queue.items_of(ORIGIN), queue.len()), (4, 2, 2));
    let unknown = Guid([9; 16]);
    queue.apply(&Event::ReachedForgotten { origins: vec![unknown, ORIGIN] }).expect("it fits");
    queue.apply(&Event::QueueRemoved { id: QueueId(1 << 16) }).expect("it fits");
    let queue = again(&queue);
    assert_eq!((by(&queue, 3), queue.noted_accounts(), queue.items_of(ORIGIN)), (None, 1, 1));
    assert!(queue.notes(other) && !queue.notes(ORIGIN));
}

#[test]
fn an_item_without_an_origin_is_its_own() {
    let queue = folded([queued(3 << 16, None), queued(4 << 16, Some(ORIGIN))]);
    let origin = |id: u64| queue.get(QueueId(id << 16)).expect("there").origin();
    assert_eq!((super::QueueItem::named_by(origin(3)), origin(4)), (Some(QueueId(3 << 16)), ORIGIN));
    assert_eq!(super::QueueItem::named_by(ORIGIN), None);
}
