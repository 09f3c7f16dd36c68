//! A checkpoint's queue: what is read comes back the same.
#![no_main]
use posthouse_engine::base::bytes::Reader;
use posthouse_engine::base::{AccountId, Guid, Locator, QueueId, SegmentId};
use posthouse_engine::queue::{NewQueueItem, Progress, Queue, QueueItem, QueueRecipient, QueueState, TlsDemand};

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
}

fn seed() -> Vec<u8> {
    let recipient = QueueRecipient { address: "a@b.example".into(), notify: 3, orcpt: "rfc822;a@b".into() };
    let item = NewQueueItem {
        account: Some(AccountId(5)),
        sender: "c@d.example".into(),
        recipients: vec![recipient.clone(), recipient],
        ret: 1,
        utf8: false,
        envelope_id: "e".into(),
        passed: vec!["ann@z.example".into()],
        tls: TlsDemand::Required,
    };
    let locator = Locator { segment: SegmentId(1), offset: 64 };
    let item = QueueItem {
        id: QueueId(65_536),
        progress: vec![Progress { attempts: 2, reply: "450 later".into(), ..Progress::default() }; 2],
        item,
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
