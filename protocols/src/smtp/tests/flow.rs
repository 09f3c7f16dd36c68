//! The mail flow's policies as a client and a reader see them; each by itself is tested in the engine.
use super::{PLAIN, inbox, shared};
use crate::session::Shared;
use crate::smtp::SmtpService;
use crate::testing;
use posthouse_engine::directory::{Address, Change, ScopeName};
use posthouse_engine::trace::{MailFilter, Step};
use std::sync::Arc;

fn with_rules(rules: &[(ScopeName, &str)]) -> Arc<Shared> {
    let shared = shared();
    let add = |(scope, text): &(ScopeName, &str)| Change::RuleAdd {
        scope: scope.clone(),
        rule: text.parse().expect("a rule"),
    };
    for done in shared.engine.change_directory(rules.iter().map(add).collect()).wait() {
        done.expect("the directory takes it");
    }
    shared
}

fn account(address: &str) -> ScopeName {
    ScopeName::Account(Address::parse(address).expect("an address"))
}

fn tenant() -> ScopeName {
    ScopeName::Tenant("example".into())
}

/// What the client hears, the greeting and EHLO left out.
fn played(service: SmtpService, lines: &str) -> Vec<String> {
    let bytes = format!("EHLO c.test\r\n{}", lines.replace('\n', "\r\n"));
    let heard = super::answers(service, bytes.into_bytes());
    heard.lines().skip_while(|line| !line.starts_with("250 ")).skip(1).map(str::to_owned).collect()
}

fn codes(service: SmtpService, lines: &str) -> String {
    played(service, lines).iter().map(|line| line.get(..9).unwrap_or(line).trim()).collect::<Vec<_>>().join(" | ")
}

#[test]
fn a_blocked_sender_is_refused_at_rcpt_and_by_from() {
    let shared = with_rules(&[(tenant(), "block spam.test")]);
    let said = codes(
        SmtpService::mx(shared.clone()),
        "MAIL FROM:<a@spam.test>\nRCPT TO:<ann@example.org>\nRSET\nMAIL FROM:<a@x.test>\nRCPT TO:<ann@example.org>\nDATA\nFrom: b@spam.test\n\nx\n.\nQUIT\n",
    );
    assert!(
        said.starts_with("250 2.1.0 | 550 5.7.1 | 250 2.0.0 | 250 2.1.0 | 250 2.1.5 | 354 Send  | 550 5.7.1")
            || said.contains("550 5.7.1 | 221"),
        "{said}"
    );
    assert!(inbox(&shared, "ann@example.org").is_empty());
}

#[test]
fn a_member_who_blocks_goes_without_and_no_bounce_is_sent() {
    let shared = with_rules(&[(account("ann@example.org"), "block spam.test")]);
    let said = codes(
        SmtpService::mx(shared.clone()),
        "MAIL FROM:<bob@spam.test>\nRCPT TO:<all@example.org>\nDATA\nFrom: bob@spam.test\n\nx\n.\nQUIT\n",
    );
    assert!(said.contains("250 2.0.0 | 221"), "{said}");
    assert!(inbox(&shared, "ann@example.org").is_empty());
    assert_eq!(inbox(&shared, "bob@example.org").len(), 1);
}

#[test]
fn a_refusal_by_policy_beside_a_delivery_is_no_bounce_to_a_stranger() {
    let shared = with_rules(&[(account("ann@example.org"), "block liar.test")]);
    let said = codes(
        SmtpService::mx(shared.clone()),
        "MAIL FROM:<bob@example.org>\nRCPT TO:<ann@example.org>\nRCPT TO:<bob@example.org>\nDATA\nFrom: x@liar.test\n\nx\n.\nQUIT\n",
    );
    assert!(said.contains("250 2.0.0 | 221"), "{said}");
    assert!(inbox(&shared, "ann@example.org").is_empty());
    assert_eq!(inbox(&shared, "bob@example.org").len(), 1, "the message and no report");
}

#[test]
fn a_member_writes_in_its_own_name() {
    let shared = with_rules(&[]);
    let submit = |header: &str| {
        codes(
            SmtpService::submission(shared.clone()),
            &format!(
                "AUTH PLAIN {PLAIN}\nMAIL FROM:<ann@example.org>\nRCPT TO:<bob@example.org>\nDATA\n{header}\n\nx\n.\nQUIT\n"
            ),
        )
    };
    for own in ["From: Ann <ann@example.org>", "From: a.n.n@example.org", "From: ann+tag@EXAMPLE.org", "Subject: none"]
    {
        assert!(submit(own).contains("250 2.0.0 | 221"), "{own}: {}", submit(own));
    }
    for foreign in ["From: bob@example.org", "From: ann@example.org, ceo@x.test", "From: boss"] {
        assert!(submit(foreign).contains("550 5.7.1 | 221"), "{foreign}: {}", submit(foreign));
    }
}

#[test]
fn bcc_does_not_arrive() {
    let shared = with_rules(&[]);
    let said = codes(
        SmtpService::submission(shared.clone()),
        &format!(
            "AUTH PLAIN {PLAIN}\nMAIL FROM:<ann@example.org>\nRCPT TO:<bob@example.org>\nDATA\nFrom: ann@example.org\nbcc : x@x.test,\n y@y.test\nResent-BCC: z@z.test\nSubject: s\n\nBcc: body\n.\nQUIT\n"
        ),
    );
    assert!(said.contains("250 2.0.0 | 221"), "{said}");
    let mail = inbox(&shared, "bob@example.org").remove(0);
    assert!(mail.ends_with("From: ann@example.org\r\nSubject: s\r\n\r\nBcc: body\r\n"), "{mail}");
}

#[test]
fn keywords_in_an_encoded_subject_and_junk() {
    let shared = with_rules(&[(tenant(), "keyword reject \u{53d1}\u{7968}"), (tenant(), "keyword quarantine win")]);
    let send = |subject: &str| {
        codes(
            SmtpService::mx(shared.clone()),
            &format!("MAIL FROM:<a@x.test>\nRCPT TO:<ann@example.org>\nDATA\nSubject: {subject}\n\nx\n.\nQUIT\n"),
        )
    };
    assert!(send("=?utf-8?B?5Y+R56Wo?=").contains("550 5.7.1 | 221"));
    assert!(send("You WIN").contains("250 2.0.0 | 221"));
    assert!(inbox(&shared, "ann@example.org").is_empty(), "it is in Junk");
    let log = shared.engine.mail_log(&MailFilter::default(), None, 10).expect("it can be read");
    let told: Vec<_> = log.rows.iter().map(|row| (row.record.step, &*row.record.policy, &*row.record.text)).collect();
    assert!(told.iter().any(|(step, policy, _)| (*step, *policy) == (Step::Refused, "keyword")), "{told:?}");
    assert!(told.contains(&(Step::Delivered, "junk", "keyword")), "{told:?}");
}

#[test]
fn catch_all_and_tags() {
    let shared = with_rules(&[(ScopeName::Domain("example.org".into()), "catch-all bob@example.org")]);
    testing::play(
        SmtpService::mx(shared.clone()),
        "S: 220 ...\nC: HELO c.test\nS: 250 ...\nC: MAIL FROM:<a@x.test>\nS: 250 ...\nC: RCPT TO:<nobody@example.org>\nS: 250 ...\nC: RCPT TO:<ann+x@example.org>\nS: 250 ...\n\
         C: DATA\nS: 354 ...\nC: Subject: x\nC: \nC: .\nS: 250 ...\nC: QUIT\nS: 221 ...\n",
    );
    assert_eq!(inbox(&shared, "ann@example.org").len(), 1);
    assert!(inbox(&shared, "bob@example.org").is_empty(), "it is in the folder for such mail");
    let bob = Address::parse("bob@example.org").expect("an address");
    let id = shared.engine.directory(|known| known.account_at(&bob).map(|account| account.id)).expect("bob");
    let view = shared.engine.account(id).expect("a view");
    assert!(view.mailbox_named(posthouse_engine::mailflow::TRANSFER_FOLDER).is_some());
}

#[test]
fn rates_count_what_was_taken() {
    let shared = with_rules(&[(tenant(), "rate 2/1d")]);
    let send = |to: &str| {
        codes(
            SmtpService::submission(shared.clone()),
            &format!(
                "AUTH PLAIN {PLAIN}\nMAIL FROM:<ann@example.org>\nRCPT TO:<{to}>\nRCPT TO:<b@x.test>\nRCPT TO:<c@x.test>\nDATA\nSubject: x\n\nx\n.\nQUIT\n"
            ),
        )
    };
    let first = send("bob@example.org");
    assert!(first.contains("250 2.1.5 | 250 2.1.5 | 250 2.1.5 | 354"), "{first}");
    let second = send("bob@example.org");
    assert!(second.contains("250 2.1.5 | 450 4.7.1 | 450 4.7.1 | 354"), "{second}");
}

/// Two connections of one member: what the first has been promised, the second cannot have, until the first does without it.
#[test]
fn a_rate_is_used_up_when_a_recipient_is_taken() {
    let shared = with_rules(&[(tenant(), "rate 2/1d")]);
    let begin = |number: u32| {
        format!(
            "S{number}: 220 ...\nC{number}: HELO c.test\nS{number}: 250 ...\nC{number}: AUTH PLAIN {PLAIN}\nS{number}: 235 ...\n\
             C{number}: MAIL FROM:<ann@example.org>\nS{number}: 250 ...\n"
        )
    };
    let both = format!(
        "{}{}C: RCPT TO:<a@x.test>\nS: 250 ...\nC: RCPT TO:<b@x.test>\nS: 250 ...\n\
         C2: RCPT TO:<c@x.test>\nS2: 450 4.7.1 ...\nC: RSET\nS: 250 ...\n\
         C2: RCPT TO:<c@x.test>\nS2: 250 ...\nC2: DATA\nS2: 354 ...\nC2: From: ann@example.org\nC2: \nC2: .\nS2: 250 ...\n\
         C: MAIL FROM:<ann@example.org>\nS: 250 ...\nC: RCPT TO:<d@x.test>\nS: 250 ...\nC: RCPT TO:<e@x.test>\nS: 450 4.7.1 ...\n",
        begin(1),
        begin(2)
    );
    testing::play(SmtpService::submission(shared.clone()), both.leak());
    assert_eq!(shared.engine.queue().len(), 1);
}

/// Which policies the mail log names, of what was refused.
fn refused_by(shared: &Shared) -> Vec<String> {
    let log = shared.engine.mail_log(&MailFilter::default(), None, 20).expect("it can be read");
    let refused = log.rows.into_iter().filter(|row| row.record.step == Step::Refused);
    refused.map(|row| format!("{} {}", row.record.policy, row.record.recipient)).collect()
}

#[test]
fn what_leaves_the_tenant_and_how_much_of_it_is_a_matter_of_rules() {
    let send = |rules: &[(ScopeName, &str)]| {
        let shared = with_rules(rules);
        let said = codes(
            SmtpService::submission(shared.clone()),
            &format!(
                "AUTH PLAIN {PLAIN}\nMAIL FROM:<ann@example.org>\nRCPT TO:<bob@example.org>\nRCPT TO:<a@x.test>\nRCPT TO:<b@x.test>\nQUIT\n"
            ),
        );
        let said =
            said.split_once("250 2.1.0 | ").expect("MAIL is taken").1.trim_end_matches(" | 221 2.0.0").to_owned();
        (said, refused_by(&shared))
    };
    let none = || (tenant(), "outbound no");
    let kept = send(&[none()]);
    assert_eq!(kept.0, "250 2.1.5 | 550 5.7.1 | 550 5.7.1");
    assert_eq!(kept.1, ["outbound a@x.test", "outbound b@x.test"]);
    let excepted = send(&[none(), (account("ann@example.org"), "outbound yes")]);
    assert_eq!(excepted.0, "250 2.1.5 | 250 2.1.5 | 250 2.1.5");
    let together = send(&[(tenant(), "tenant-rate 1/1d"), (account("ann@example.org"), "rate 9/1d")]);
    assert_eq!(together.0, "250 2.1.5 | 250 2.1.5 | 450 4.7.1");
    assert_eq!(together.1, ["rate b@x.test"]);
}
