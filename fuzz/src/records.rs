//! Records of logs: whatever the bytes, what is read comes back as it was.
use posthouse_engine::base::bytes::Reader;
use posthouse_engine::trace::Record;

/// Reads as many as there are.
pub fn come_back<R: Record>(data: &[u8]) {
    let mut reader = Reader::new(data);
    while let Ok(record) = R::decode(&mut reader) {
        let mut bytes = Vec::new();
        record.encode(&mut bytes);
        // Texts of others may be longer than what is kept, so the first may be more than the second; not so the second and the third.
        let kept = R::decode(&mut Reader::new(&bytes)).expect("what was encoded is read");
        let mut again = Vec::new();
        kept.encode(&mut again);
        assert_eq!(bytes, again);
    }
}
