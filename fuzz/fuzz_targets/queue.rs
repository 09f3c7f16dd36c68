//! A checkpoint's queue, and what is kept of members' rates: what is read comes back the same.
#![no_main]
use posthouse_engine::base::bytes::Reader;
use posthouse_engine::base::{AccountId, Flags, Guid, Locator, QueueId, SegmentId};
use posthouse_engine::mailflow::Counters;
use posthouse_engine::queue::{
    Arrival, DeliverBy, Folder, NewQueueItem, Placed, Progress, Queue, QueueItem, QueueRecipient, QueueState, Terms,
    TlsDemand,
};

posthouse_fuzz::target!(run, seeds: vec![seed()]);

fn run(data: &[u8]) {
    if let Ok(queue) = Queue::decode(&mut Reader::new(data)) {
        assert_eq!(Queue::decode(&mut Reader::new(&queue.encode())).as_ref(), Ok(&queue));
    }
    let mut reader = Reader::new(data);
    if let Ok(item) = NewQueueItem::decode(&mut reader) {
        let mut out = Vec::new();
        item.encode(&mut out);
        assert_eq!(NewQueueItem::decode(&mut Reader::new(&out)).as_ref(), Ok(&item));
    }
    let rates = Counters::decode(data).encode(i64::MIN);
    assert_eq!(Counters::decode(&rates).encode(i64::MIN), rates);
}

fn seed() -> Vec<u8> {
    let recipient = QueueRecipient { address: "a@b.example".into(), notify: 3, orcpt: "rfc822;a@b".into() };
    let by = DeliverBy { at: 12, returns: true, trace: true };
    let place = |folder| Placed { folder, flags: Flags::SEEN, keywords: vec!["k".into()] };
    let placed = [Folder::Inbox, Folder::Junk, Folder::Named("News".into())].map(place).to_vec();
    let item = NewQueueItem {
        account: Some(AccountId(5)),
        sender: "c@d.example".into(),
        recipients: vec![recipient.clone(), recipient],
        ret: 1,
        utf8: false,
        envelope_id: "e".into(),
        passed: vec!["ann@z.example".into()],
        tls: TlsDemand::Required,
        terms: Terms { hold_until: 9, deliver_by: Some(by), priority: -4, binary: true },
        arrival: Some(Box::new(Arrival { suspicious: true, facts: [2; 4], placed, ..Arrival::default() })),
        origin: Some(Guid([3; 16])),
    };
    let locator = Locator { segment: SegmentId(1), offset: 64 };
    let item = QueueItem {
        id: QueueId(65_536),
        progress: vec![Progress { attempts: 2, reply: "450 later".into(), ..Progress::default() }; 2],
        item: std::sync::Arc::new(item),
        guid: Guid([1; 16]),
        locator,
        size_bytes: 900,
        state: QueueState::Hold,
        created: 5,
        next_try: 6,
    };
    let mut out = vec![1];
    item.encode(&mut out);
    out
}
