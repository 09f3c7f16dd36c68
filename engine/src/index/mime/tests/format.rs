//! Holds docs/format.md, "Summary", against the code.
use super::*;

#[test]
fn the_dictionary_is_the_documented_one() {
    let page = include_str!("../../../../../docs/format.md");
    let section = page.split("\n## Summary\n").nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let rows = section.split("| from | words |").nth(1).unwrap();
    let documented: Vec<&[u8]> = rows.split('`').skip(1).step_by(2).map(str::as_bytes).collect();
    assert_eq!(documented, wire::DICTIONARY);
}

#[test]
fn a_plain_message_is_these_bytes() {
    let bytes = encoded(b"A: b\r\n\r\nhi\r\n");
    let mut expected = vec![1, 41];
    expected.extend_from_slice(b"(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)");
    // Message length, nodes; flags, gap, header, body, lines, type, subtype, parameters, encoding.
    expected.extend_from_slice(&[12, 1, 4, 0, 8, 4, 1, 0, 0, 0, 0]);
    assert_eq!(bytes, expected);
}

#[test]
fn a_part_with_everything_is_these_bytes() {
    let bytes = encoded(
        b"Content-Type: message/rfc822; charset=x\r\nContent-Disposition: inline\r\nContent-Language: en\r\nContent-MD5: m\r\n\r\n\r\n",
    );
    let envelope = b"(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)";
    let mut expected = vec![1, 41];
    expected.extend_from_slice(envelope);
    expected.extend_from_slice(&[112, 2, 2 | 8 | 16, 0, 110, 2, 1, 2 * 56 + 1, 2 * 57 + 1, 1, 3 * 2 + 1, 4, b'x', 0]);
    expected.extend_from_slice(&[2 * 45 + 1, 0, 0, 0, 4, b'm', 0, 1, 6, b'e', b'n', 41]);
    expected.extend_from_slice(envelope);
    expected.extend_from_slice(&[4, 0, 2, 0, 0, 0, 0, 0, 0]);
    assert_eq!(bytes, expected);
}

#[test]
fn other_versions_and_leftovers_are_refused() {
    let good = encoded(b"A: b\r\n\r\nhi\r\n");
    let mut newer = good.clone();
    newer[0] = 2;
    let mut longer = good.clone();
    longer.push(0);
    let shorter = &good[..good.len() - 1];
    for bad in [&newer[..], &longer, shorter, b""] {
        assert!(SummaryRef::decode(bad).is_err());
    }
}
