//! Sieve: whatever the text, an answer; a script that is one runs over any message, and ends.
#![no_main]
use posthouse_engine::mailflow::sieve::{Facts, Script, fields, run as run_script};

posthouse_fuzz::target!(run, seeds: seeds());

fn run(data: &[u8]) {
    // A NUL parts the script from the message.
    let at = data.iter().position(|byte| *byte == 0).unwrap_or(data.len());
    let (script, message) = data.split_at(at);
    let Ok(script) = Script::parse(&String::from_utf8_lossy(script)) else { return };
    let (fields, has_mailbox) = (fields(message), |name: &str| name.len() % 2 == 0);
    let facts =
        Facts { fields: &fields, sender: "a+b@x.test", recipient: "c@y.test", size: 77, has_mailbox: &has_mailbox };
    if let Ok(effects) = run_script(&script, &facts, 2_000_000) {
        assert!(effects.filed.is_empty() || effects.refused.is_none());
    }
}

fn seeds() -> Vec<Vec<u8>> {
    let script = "require [\"fileinto\", \"copy\", \"relational\", \"imap4flags\", \"vacation\", \"envelope\", \"subaddress\"];\n\
        if allof(header :matches \"subject\" \"*a?b*\", not address :detail \"from\" [\"x\", \"y\"]) { fileinto :copy \"A\"; }\n\
        elsif header :count \"ge\" \"received\" \"2\" { addflag \"\\\\Seen\"; redirect \"z@z.test\"; stop; }\n\
        else { vacation :days 3 text:\nGone\n.\n; }\n";
    vec![format!("{script}\0Subject: xaybz\r\nFrom: q+x@x.test\r\n\r\n").into_bytes()]
}
