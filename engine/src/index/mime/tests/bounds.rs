//! Mails made to hurt: the summary stays small, quick and whole.
use super::*;
use crate::base::limits::{FRAME_PAYLOAD_BYTES_MAX, MESSAGE_BYTES_MAX, MIME_DEPTH_MAX, MIME_PARTS_MAX};

/// Room that a frame has for a summary.
const SUMMARY_BYTES_MAX: usize = FRAME_PAYLOAD_BYTES_MAX - MESSAGE_BYTES_MAX;

fn depth(rendered: &str) -> usize {
    rendered.bytes().take_while(|&b| b == b'(').count()
}

#[test]
fn ten_thousand_levels_of_multiparts_end_at_the_limit() {
    let mut message = String::new();
    for level in 0..10_000 {
        message += &format!("Content-Type: multipart/mixed; boundary=b{level}\r\n\r\n--b{level}\r\n");
    }
    let text = structure(message.as_bytes());
    assert_eq!(depth(&text), MIME_DEPTH_MAX);
    assert!(text.contains("\"application\" \"octet-stream\""));
}

#[test]
fn ten_thousand_levels_of_messages_end_at_the_limit() {
    let message = "Content-Type: message/rfc822\r\n\r\n".repeat(10_000);
    let bytes = encoded(message.as_bytes());
    let summary = SummaryRef::decode(&bytes).unwrap();
    assert_eq!(summary.parts().count(), MIME_DEPTH_MAX);
    assert!(summary.part(&[1; MIME_DEPTH_MAX]).is_some());
    assert!(summary.part(&[1; MIME_DEPTH_MAX + 1]).is_none());
}

#[test]
fn the_last_part_holds_the_rest() {
    let head = "Content-Type: multipart/mixed; boundary=b\r\n\r\n";
    let message = head.to_owned() + &"--b\r\n\r\nx\r\n".repeat(MIME_PARTS_MAX + 5);
    let bytes = encoded(message.as_bytes());
    let summary = SummaryRef::decode(&bytes).unwrap();
    assert_eq!(summary.parts().count(), MIME_PARTS_MAX);
    assert_eq!(summary.parts().last().unwrap().body.end as usize, message.len());
}

#[test]
fn huge_headers_make_small_summaries() {
    let addresses = "To: ".to_owned() + &"a,".repeat(3 << 20) + "\r\n";
    let subject = "Subject: ".to_owned() + &"x ".repeat(3 << 20) + "\r\n";
    let params = "Content-Type: text/plain".to_owned() + &"; a=\"\0\0\0\0\0\0\0\0\"".repeat(300_000) + "\r\n";
    let message = addresses.repeat(3) + &subject + &params + "\r\n";
    assert!(encoded(message.as_bytes()).len() < SUMMARY_BYTES_MAX);
}

#[test]
fn many_parts_with_large_fields_make_small_summaries() {
    let mut message = "Content-Type: multipart/digest; boundary=b\r\n\r\n".to_owned();
    for _ in 0..1000 {
        let id = "i".repeat(20_000);
        message += &format!("--b\r\nContent-ID: {id}\r\n\r\nSubject: {id}\r\nFrom: {id}@x\r\n\r\nx\r\n");
    }
    let bytes = encoded(message.as_bytes());
    assert!(bytes.len() < SUMMARY_BYTES_MAX, "{}", bytes.len());
    assert_eq!(SummaryRef::decode(&bytes).unwrap().parts().count(), 2001);
}

#[test]
fn lines_of_hyphens_do_not_take_forever() {
    let mut message = String::new();
    for level in 0..90 {
        message += &format!("Content-Type: multipart/mixed; boundary=\"{}{level}\"\r\n\r\n", "-".repeat(70));
        message += &format!("--{}{level}\r\n", "-".repeat(70));
    }
    message += "\r\n";
    message += &format!("{}\r\n", "-".repeat(72)).repeat(20_000);
    let bytes = encoded(message.as_bytes());
    assert_eq!(SummaryRef::decode(&bytes).unwrap().parts().count(), 91);
}
