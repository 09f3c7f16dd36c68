//! Random sessions: whatever is sent, each gets replies of the right form and an end, and what was answered 250 is there.
use super::{SmtpService, inbox, shared};
use crate::lmtp::LmtpService;
use crate::runtime::{Service, sim};
use crate::testing::Random;
use std::sync::Arc;

const PIECES: [&str; 26] = [
    "EHLO x\r\n",
    "LHLO x\r\n",
    "HELO x\r\n",
    "MAIL FROM:<a@b.test>\r\n",
    "MAIL FROM:<>\r\n",
    "RCPT TO:<ann@example.org>\r\n",
    "RCPT TO:<all@example.org>\r\n",
    "RCPT TO:<nobody@example.org>\r\n",
    "DATA\r\n",
    "Subject: x\r\n\r\n",
    ".\r\n",
    "\r\n.\r\n",
    "BDAT 3\r\nabc",
    "BDAT 3 LAST\r\nabc",
    "BURL imap://ann@x/INBOX/;UID=1;URLAUTH=anonymous:internal:00\r\n",
    "BURL imap://x LAST\r\n",
    "BDAT 99999999999999999999\r\n",
    "RSET\r\n",
    "NOOP\r\n",
    "AUTH PLAIN\r\n",
    "AUTH LOGIN =\r\n",
    "*\r\n",
    "\0\r\n",
    "\r",
    "\n",
    "..",
];

#[test]
fn stirred_sessions_end_in_good_order() {
    for seed in 0..300 {
        let mut random = Random(seed);
        let session: String = (0..random.below(40)).map(|_| PIECES[random.below(PIECES.len())]).collect();
        let shared = shared();
        let services: [Arc<dyn Service>; 3] = [
            Arc::new(SmtpService::mx(shared.clone())),
            Arc::new(SmtpService::submission(shared.clone())),
            Arc::new(LmtpService::new(shared.clone())),
        ];
        let service = services[random.below(3)].clone();
        let cut = 1 + random.below(30);
        let bytes = session.clone();
        let heard = sim::run_alone(move |net| async move {
            net.segment(cut);
            let mut client = net.connect(&*service);
            client.write(bytes.as_bytes()).await;
            client.shutdown();
            client.read_to_end().await
        });
        let heard = String::from_utf8(heard).expect("replies are UTF-8");
        assert!(heard.ends_with("\r\n"), "seed {seed}: {session:?} heard {heard:?}");
        for line in heard.lines() {
            let bytes = line.as_bytes();
            let good = bytes.len() > 3 && bytes[..3].iter().all(u8::is_ascii_digit) && matches!(bytes[3], b' ' | b'-');
            assert!(good, "seed {seed}: {session:?} heard {line:?}");
        }
        let taken = heard.matches("2.0.0 Taken as ").count() + heard.matches("2.1.5 Delivered as ").count().min(1);
        assert!(inbox(&shared, "ann@example.org").len() >= taken.min(1), "seed {seed}: {session:?} heard {heard:?}");
    }
}
