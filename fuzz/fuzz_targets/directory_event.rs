//! Directory events: every one read comes back as the same bytes; folded in, the directory's snapshot is read back as the same directory.
#![no_main]
use posthouse_engine::base::bytes::Reader;
use posthouse_engine::directory::{Directory, Event};
use posthouse_fuzz::town;

posthouse_fuzz::target!(run, seeds: vec![town::events()]);

fn run(data: &[u8]) {
    let mut reader = Reader::new(data);
    let mut directory = Directory::default();
    loop {
        let at = reader.position();
        let Ok(event) = Event::decode(&mut reader) else { break };
        let mut bytes = Vec::new();
        event.encode(&mut bytes);
        assert_eq!(bytes, data[at..reader.position()], "{event:?}");
        if directory.apply(&event).is_err() {
            return;
        }
    }
    let mut snapshot = Vec::new();
    directory.encode_snapshot(&mut snapshot);
    let read = Directory::decode_snapshot(&snapshot).expect("what was encoded is read");
    assert!(read == directory);
}
