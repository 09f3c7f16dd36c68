//! COMPRESS=DEFLATE, spoken by a client that packs what it sends.
use super::turns::turns_during;
use super::{logged_in, play, shared};
use crate::imap::ImapService;
use crate::limits;
use crate::runtime::DeflateLayer;
use crate::runtime::sim::{self, Client};
use std::sync::Arc;

struct Packed {
    client: Client,
    layer: DeflateLayer,
    text: Vec<u8>,
}

impl Packed {
    async fn say(&mut self, text: &str) {
        self.layer.pack(&mut text.as_bytes().to_vec()).expect("packed");
        let packed = std::mem::take(&mut self.layer.packed);
        assert!(self.client.write(&packed).await);
    }

    /// What comes up to `end`.
    async fn hear(&mut self, end: &str) -> String {
        loop {
            let text = String::from_utf8_lossy(&self.text).into_owned();
            if let Some(at) = text.find(end) {
                self.text.drain(..at + end.len());
                return text[..at + end.len()].to_owned();
            }
            let bytes = self.client.read().await;
            assert!(!bytes.is_empty(), "the server has gone after {text:?}");
            self.layer.received().extend_from_slice(&bytes);
            while self.layer.has_received() && self.layer.inflate(&mut self.text).expect("good data") > 0 {}
        }
    }
}

#[test]
fn both_directions_are_packed() {
    let service = ImapService::new(Arc::new(shared()));
    sim::run(move |net| async move {
        net.segment(100);
        let mut client = logged_in(&net, &service, "ann@example.org").await;
        assert!(client.write(b"a COMPRESS DEFLATE\r\n").await);
        assert_eq!(client.read_line().await, b"a OK DEFLATE active\r\n");
        let mut packed = Packed { client, layer: DeflateLayer::new(Vec::new()), text: Vec::new() };
        packed.say("b CAPABILITY\r\n").await;
        assert!(!packed.hear("b OK CAPABILITY completed\r\n").await.contains("COMPRESS"));
        packed.say("c COMPRESS DEFLATE\r\n").await;
        packed.hear("c NO [COMPRESSIONACTIVE] ").await;
        let message = format!("Subject: x\r\n\r\n{}", "all work and no play\r\n".repeat(20_000));
        packed.say(&format!("d APPEND INBOX {{{}+}}\r\n{message}\r\n", message.len())).await;
        packed.hear("d OK [APPENDUID ").await;
        packed.say("e SELECT INBOX\r\nf FETCH 1 BODY.PEEK[]\r\n").await;
        let heard = packed.hear("f OK FETCH completed\r\n").await;
        assert!(heard.contains(&message), "the message comes back");
        packed.say("g IDLE\r\n").await;
        packed.hear("+ idling\r\n").await;
        packed.say("DONE\r\nh LOGOUT\r\n").await;
        packed.hear("h OK LOGOUT completed\r\n").await;
    });
}

/// What a few bytes stand for is passed over in pieces.
#[test]
fn others_have_their_turn_while_much_is_inflated() {
    const SIZE_BYTES: usize = 8 << 20;
    let service = ImapService::new(Arc::new(shared()));
    sim::run(move |net| async move {
        let mut client = logged_in(&net, &service, "ann@example.org").await;
        assert!(client.write(b"a COMPRESS DEFLATE\r\n").await);
        client.read_line().await;
        let mut packed = Packed { client, layer: DeflateLayer::new(Vec::new()), text: Vec::new() };
        let (turns, ()) = turns_during(&net, async {
            packed.say(&format!("b APPEND nosuch {{{SIZE_BYTES}+}}\r\n{}\r\n", "0".repeat(SIZE_BYTES))).await;
            packed.hear("b NO [TRYCREATE] ").await;
        })
        .await;
        assert!(turns > SIZE_BYTES / limits::WORK_PER_TURN_BYTES, "{turns} turns");
    });
}

#[test]
fn only_deflate() {
    play(
        "C: a COMPRESS LZ4
         S: a NO [CANNOT] ...
         C: b COMPRESS
         S: b BAD ...
         C: c NOOP
         S: c OK ...",
    );
}

#[test]
fn nonsense_in_place_of_packed_data_ends_the_session() {
    let service = ImapService::new(Arc::new(shared()));
    sim::run(move |net| async move {
        let mut client = logged_in(&net, &service, "ann@example.org").await;
        assert!(client.write(b"a COMPRESS DEFLATE\r\n").await);
        client.read_line().await;
        client.write(&[0xff; 64]).await;
        assert_eq!(client.read_to_end().await, b"");
    });
}
