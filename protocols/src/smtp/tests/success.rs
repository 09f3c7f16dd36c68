//! NOTIFY=SUCCESS (RFC 3461): what senders hear of mail that is in mailboxes here, went to a group, or on.
use super::member::{add_rules, traced, with_rules};
use super::{PLAIN, SmtpService, answers, inbox, shared};
use crate::lmtp::LmtpService;
use crate::runtime::Service;
use crate::session::Shared;
use posthouse_engine::directory::{Change, ScopeName};
use posthouse_engine::trace::{MailKey, Step};
use std::sync::Arc;

const BODY: &str = "DATA\r\nFrom: s@s.test\r\nTo: ann@example.org\r\nSubject: hello\r\n\r\nhi\r\n.\r\n";

fn send(service: impl Service, hello: &str, from: &str, rcpt: &[&str]) -> String {
    let rcpt: String = rcpt.iter().map(|rcpt| format!("RCPT TO:{rcpt}\r\n")).collect();
    answers(service, format!("{hello} c.test\r\nMAIL FROM:{from}\r\n{rcpt}{BODY}QUIT\r\n").into_bytes())
}

/// Reports in the queue: to whom, and what they say.
fn reports(shared: &Shared) -> Vec<(String, String)> {
    let queue = shared.engine.queue();
    let null = queue.iter().filter(|item| item.item.sender.is_empty());
    let text = |id| {
        let message = shared.engine.queue_message(id).wait().expect("its message").to_vec();
        String::from_utf8(message).expect("UTF-8")
    };
    null.map(|item| (item.item.recipients[0].address.clone(), text(item.id))).collect()
}

#[test]
fn a_mailbox_here_is_told_of_when_the_sender_asks() {
    let envelope = "<s@s.test> ENVID=Q+2B1 RET=FULL";
    for lmtp in [false, true] {
        let shared = shared();
        let rcpt = [
            "<a.n.n@example.org> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;Ann@old.test",
            "<bob@example.org> NOTIFY=FAILURE",
        ];
        let heard = match lmtp {
            true => send(LmtpService::new(shared.clone()), "LHLO", envelope, &rcpt),
            false => send(SmtpService::mx(shared.clone()), "EHLO", envelope, &rcpt),
        };
        assert!(heard.contains("\r\n250 2."), "{heard}");
        let told = reports(&shared);
        assert_eq!((told.len(), told[0].0.as_str()), (1, "s@s.test"), "{told:#?}");
        let text = &told[0].1;
        let fields = "\r\nOriginal-Recipient: rfc822;Ann@old.test\r\nFinal-Recipient: rfc822; a.n.n@example.org\r\nAction: delivered\r\nStatus: 2.1.5\r\n";
        assert!(text.contains("\r\nOriginal-Envelope-Id: Q+1\r\n") && text.contains(fields), "{text}");
        // RFC 3461 section 4.3: all of the message goes back with failures only.
        assert!(
            text.contains("\r\nSubject: hello\r\n") && !text.contains("\r\nhi\r\n") && !text.contains("bob@"),
            "{text}"
        );
        let steps = traced(&shared, vec![MailKey::Address("s@s.test".into())]);
        assert!(steps.iter().any(|step| step.step == Step::Reported && step.text == "delivered: 1"), "{steps:#?}");
        assert_eq!(shared.engine.queue()[0].item.recipients[0].notify, 1, "nobody is told of a report");
    }
}

#[test]
fn who_has_not_asked_or_is_nobody_hears_nothing() {
    for (from, rcpt) in [
        ("<s@s.test>", "<ann@example.org>"),
        ("<s@s.test>", "<ann@example.org> NOTIFY=NEVER"),
        ("<s@s.test>", "<ann@example.org> NOTIFY=FAILURE,DELAY"),
        ("<>", "<ann@example.org> NOTIFY=SUCCESS"),
    ] {
        let shared = shared();
        assert!(send(SmtpService::mx(shared.clone()), "EHLO", from, &[rcpt]).contains("\r\n250 2.0.0 Taken"));
        assert_eq!((reports(&shared), inbox(&shared, "ann@example.org").len()), (vec![], 1), "{from} {rcpt}");
    }
}

#[test]
fn a_member_is_told_in_its_mailbox() {
    let shared = shared();
    let mail = BODY.replace("s@s.test", "ann@example.org");
    let session = format!(
        "EHLO x\r\nAUTH PLAIN {PLAIN}\r\nMAIL FROM:<ann@example.org>\r\nRCPT TO:<bob@example.org> NOTIFY=SUCCESS\r\n{mail}QUIT\r\n"
    );
    answers(SmtpService::submission(shared.clone()), session.into_bytes());
    let told = inbox(&shared, "ann@example.org");
    assert!(told.len() == 1 && told[0].contains("Action: delivered\r\n"), "{told:#?}");
    assert!(told[0].starts_with("Return-Path: <>\r\n"), "{told:#?}");
}

/// RFC 3461 section 5.2.7.3.
#[test]
fn a_group_is_expanded_and_its_members_are_not_told_of() {
    for (notify, onward) in [("SUCCESS", 1), ("SUCCESS,FAILURE", 4), ("SUCCESS,DELAY,FAILURE", 12)] {
        let shared = shared();
        let rcpt = format!("<all@example.org> NOTIFY={notify}");
        send(SmtpService::mx(shared.clone()), "EHLO", "<s@s.test>", &[&rcpt]);
        let told = reports(&shared);
        assert_eq!(told.len(), 1, "{told:#?}");
        assert!(
            told[0].1.contains("Final-Recipient: rfc822; all@example.org\r\nAction: expanded\r\nStatus: 2.1.5\r\n")
        );
        assert!(!told[0].1.contains("carl@") && !told[0].1.contains("ann@example.org\r\nAction"), "{}", told[0].1);
        let queue = shared.engine.queue();
        let copy = queue.iter().find(|item| !item.item.sender.is_empty()).expect("the copy for elsewhere");
        assert_eq!(copy.item.recipients[0].notify, onward, "{notify}");
    }
}

#[test]
fn what_goes_on_is_relayed_and_what_is_not_wanted_confirms_nothing() {
    let one = |rule: &str| {
        let shared = with_rules(&[]);
        add_rules(&shared, &[("ann@example.org", rule)]);
        send(SmtpService::mx(shared.clone()), "EHLO", "<s@s.test>", &["<ann@example.org> NOTIFY=SUCCESS"]);
        let told = reports(&shared);
        told.iter()
            .map(|(_, text)| text.split("Action: ").nth(1).unwrap_or("").split('\r').next().unwrap_or("").to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(one("forward far@x.test"), ["delivered"]);
    assert_eq!(one("forward-only far@x.test"), ["relayed"]);
    for silent in ["block s.test", "sieve \"discard;\""] {
        assert_eq!(one(silent), Vec::<String>::new(), "{silent}");
    }
}

#[test]
fn what_is_suspicious_is_no_proof_of_an_address() {
    let shared = shared();
    let rule = "keyword quarantine hello".parse().expect("a rule");
    let add = Change::RuleAdd { scope: ScopeName::Tenant("example".into()), rule };
    shared.engine.change_directory(vec![add]).wait().remove(0).expect("the directory takes it");
    for to in ["<ann@example.org> NOTIFY=SUCCESS", "<all@example.org> NOTIFY=SUCCESS"] {
        assert!(send(SmtpService::mx(shared.clone()), "EHLO", "<s@s.test>", &[to]).contains("\r\n250 2.0.0 Taken"));
    }
    assert_eq!(reports(&shared), []);
}

#[test]
fn one_who_is_elsewhere_is_the_queues_matter() {
    let shared: Arc<Shared> = shared();
    let session = format!(
        "EHLO x\r\nAUTH PLAIN {PLAIN}\r\nMAIL FROM:<ann@example.org>\r\nRCPT TO:<far@x.test> NOTIFY=SUCCESS\r\n{}QUIT\r\n",
        BODY.replace("s@s.test", "ann@example.org")
    );
    answers(SmtpService::submission(shared.clone()), session.into_bytes());
    let queue = shared.engine.queue();
    assert_eq!((queue.len(), queue[0].item.recipients[0].notify), (1, 2));
    assert!(inbox(&shared, "ann@example.org").is_empty());
}
