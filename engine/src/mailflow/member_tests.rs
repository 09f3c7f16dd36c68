//! What members' own rules do, each by itself: mail that goes on, answers for who is away.
use super::tests::{at, group, id, rule, town, with_wanted};
use super::*;
use crate::base::AccountId;
use crate::directory::{Directory, ScopeName};

fn account(address: &str) -> ScopeName {
    ScopeName::Account(at(address))
}

/// A message from outside, or from `<>`.
fn judged(directory: &Directory, sender: &str, to: &str, letter: Letter<'_>) -> Verdict {
    let sender = (!sender.is_empty()).then(|| at(sender));
    let case = Case { directory, origin: Origin::Outside, sender: sender.as_ref(), now: 1000, listed: None };
    with_wanted(directory, to, |wanted| at_message(&case, &letter, wanted))
}

fn forwards(verdict: &Verdict) -> Vec<(&str, &str)> {
    verdict.forwards.iter().map(|forward| (forward.to.as_str(), forward.sender.as_str())).collect()
}

#[test]
fn mail_goes_on_with_or_without_a_copy() {
    let mut town = town();
    rule(&mut town, account("ann@a.test"), "forward far@x.test");
    rule(&mut town, account("bob@a.test"), "forward-only far@y.test");
    let verdict = judged(&town, "s@s.test", "ann@a.test", Letter::default());
    assert_eq!(forwards(&verdict), [("far@x.test", "ann+forwarded@a.test")], "SPF of s.test knows nothing of us");
    assert_eq!(verdict.copies, [Copy::Inbox]);
    let verdict = judged(&town, "s@s.test", "bob@a.test", Letter::default());
    assert_eq!((forwards(&verdict).len(), verdict.copies), (1, vec![Copy::Forwarded]));
    // Reports keep the null sender; those about a forward go nowhere else.
    assert_eq!(forwards(&judged(&town, "", "ann@a.test", Letter::default())), [("far@x.test", "")]);
    let about = judged(&town, "", "bob+forwarded@a.test", Letter::default());
    assert_eq!((forwards(&about), about.copies.clone()), (vec![], vec![Copy::Inbox]));
    // As members of a group.
    let verdict = judged(&town, "s@s.test", "all@a.test", Letter::default());
    assert_eq!((forwards(&verdict).len(), &verdict.copies[..]), (2, &[Copy::Inbox, Copy::Forwarded][..]));
    // The same address with another word takes the rule's place.
    rule(&mut town, account("ann@a.test"), "forward-only far@x.test");
    assert_eq!(judged(&town, "s@s.test", "ann@a.test", Letter::default()).copies, [Copy::Forwarded]);
}

#[test]
fn what_is_suspicious_or_has_been_here_stays() {
    let mut town = town();
    rule(&mut town, account("ann@a.test"), "forward-only bob@a.test");
    let here = [at("ann@a.test")];
    let there = [at("bob@a.test")];
    for passed in [&here, &there] {
        let verdict = judged(&town, "s@s.test", "ann@a.test", Letter { passed, ..Letter::default() });
        assert_eq!((forwards(&verdict), verdict.copies.clone()), (vec![], vec![Copy::Inbox]), "{passed:?}");
    }
    let facts = Facts { dmarc: Dmarc::Fail(Policy::Quarantine), ..Facts::default() };
    let verdict = judged(&town, "s@s.test", "ann@a.test", Letter { facts, obeys_dmarc: true, ..Letter::default() });
    assert_eq!((forwards(&verdict), verdict.copies.clone()), (vec![], vec![Copy::Junk]));
    let refused = town.plan(
        &crate::directory::Change::RuleAdd {
            scope: account("ann@a.test"),
            rule: "forward ann@a.test".parse().expect("a rule"),
        },
        0,
    );
    assert!(refused.is_err(), "to itself");
}

#[test]
fn who_may_not_send_outside_forwards_nothing_there() {
    let mut town = town();
    rule(&mut town, ScopeName::Tenant("acme".into()), "outbound no");
    rule(&mut town, account("ann@a.test"), "forward-only far@x.test");
    rule(&mut town, account("ann@a.test"), "forward-only bob@a.test");
    let verdict = judged(&town, "s@s.test", "ann@a.test", Letter::default());
    assert_eq!(
        (forwards(&verdict), verdict.copies.clone()),
        (vec![("bob@a.test", "ann+forwarded@a.test")], vec![Copy::Forwarded])
    );
    rule(&mut town, account("ann@a.test"), "outbound yes");
    assert_eq!(forwards(&judged(&town, "s@s.test", "ann@a.test", Letter::default())).len(), 2);
}

/// The queue, which expands the group, asks neither: it knows the member no more.
#[test]
fn an_own_group_with_somebody_elsewhere_is_outside_for_what_rules_send() {
    let mut town = town();
    group(&mut town, "near@a.test", &["bob@a.test"]);
    group(&mut town, "outer@a.test", &["near@a.test", "all@a.test"]);
    for to in ["near@a.test", "all@a.test", "outer@a.test"] {
        rule(&mut town, account("ann@a.test"), &format!("forward-only {to}"));
    }
    rule(&mut town, ScopeName::Tenant("acme".into()), "rate 1/1h");
    let sender = at("s@s.test");
    let case = Case { directory: &town, origin: Origin::Outside, sender: Some(&sender), now: 1000, listed: None };
    let (verdict, onward) = with_wanted(&town, "ann@a.test", |wanted| {
        let mut verdict = at_message(&case, &Letter::default(), wanted);
        let onward = verdict.charge(&case, &mut Counters::default(), wanted, &[]);
        (verdict, onward)
    });
    let went: Vec<&str> = forwards(&verdict).iter().map(|(to, _)| *to).collect();
    assert_eq!((went.len(), went.contains(&"near@a.test"), onward.forwards.len()), (2, true, 1), "{went:?}");
    assert_eq!(onward.kept.len(), 1, "one of the two that leave is above the rate");
    rule(&mut town, ScopeName::Tenant("acme".into()), "outbound no");
    let near = [("near@a.test", "ann+forwarded@a.test")];
    assert_eq!(forwards(&judged(&town, "s@s.test", "ann@a.test", Letter::default())), near);
    let on = scripted(&mut town, "redirect \"outer@a.test\";", Letter::default());
    assert_eq!(
        (forwards(&on).contains(&("outer@a.test", "ann+forwarded@a.test")), &on.copies[..]),
        (false, &[Copy::Forwarded][..])
    );
}

#[test]
fn mail_from_the_queue_goes_on_too() {
    let mut town = town();
    rule(&mut town, account("ann@a.test"), "forward far@x.test");
    let sender = at("s@s.test");
    let case = Case { directory: &town, origin: Origin::Outside, sender: Some(&sender), now: 0, listed: None };
    let verdict = with_wanted(&town, "ann@a.test", |wanted| at_queue(&case, &Letter::default(), None, wanted));
    assert_eq!((forwards(&verdict).len(), verdict.copies), (1, vec![Copy::Inbox]));
}

#[test]
fn a_group_that_is_reached_by_way_of_another_has_its_own_senders() {
    let mut town = town();
    rule(&mut town, ScopeName::Group(at("all@a.test")), "senders tenant");
    let (ann, eve) = (id(&town, "ann@a.test"), id(&town, "eve@o.test"));
    let sender = at("s@s.test");
    let ask = |origin, by| {
        let case = Case { directory: &town, origin, sender: Some(&sender), now: 0, listed: None };
        let verdict = with_wanted(&town, "all@a.test", |wanted| at_queue(&case, &Letter::default(), by, wanted));
        verdict.refusal.map(|refusal| refusal.stage)
    };
    assert_eq!(ask(Origin::Outside, None), Some("senders"));
    assert_eq!(ask(Origin::Member(eve), None), Some("senders"));
    assert_eq!(ask(Origin::Member(ann), None), None);
    assert_eq!(ask(Origin::Outside, Some(ann)), None, "ann sends it on");
    // The one stranger who may, unless somebody else has written under its name.
    rule(&mut town, ScopeName::Group(at("all@a.test")), "senders s@s.test");
    let case = Case { directory: &town, origin: Origin::Outside, sender: Some(&sender), now: 0, listed: None };
    for (spf, stage) in [(Outcome::Pass, None), (Outcome::Fail, Some("senders"))] {
        let letter = Letter { facts: Facts { spf, ..Facts::default() }, ..Letter::default() };
        let verdict = with_wanted(&town, "all@a.test", |wanted| at_queue(&case, &letter, None, wanted));
        assert_eq!(verdict.refusal.map(|refusal| refusal.stage), stage);
    }
}

#[test]
fn who_is_away_answers_people_who_wrote_to_it() {
    let mut town = town();
    rule(&mut town, account("ann@a.test"), "away days=7 from=500 until=2000 subject=\"\" text=\"Gone.\"");
    let ann = id(&town, "ann@a.test");
    let (named, tagged, other) = ([at("x@x.test"), at("ann@a.test")], [at("ann+list@a.test")], [at("all@a.test")]);
    let answers = |town: &Directory, sender, to, letter| {
        let all = judged(town, sender, to, letter).answers;
        all.iter().map(|answering| answering.account).collect::<Vec<AccountId>>()
    };
    let letter = Letter { to: &named, ..Letter::default() };
    assert_eq!(answers(&town, "s@s.test", "ann@a.test", letter), [ann]);
    assert_eq!(answers(&town, "s@s.test", "ann@a.test", Letter { to: &tagged, ..letter }), [ann]);
    let nobody: [AccountId; 0] = [];
    // A blind copy, a list, a program, a machine, a bounce, oneself, a forgery.
    assert_eq!(answers(&town, "s@s.test", "ann@a.test", Letter { to: &other, ..letter }), nobody);
    assert_eq!(answers(&town, "s@s.test", "ann@a.test", Letter { automatic: true, ..letter }), nobody);
    for sender in
        ["MAILER-DAEMON@s.test", "no-reply@s.test", "owner-list@s.test", "list-request@s.test", "", "ann@a.test"]
    {
        assert_eq!(answers(&town, sender, "ann@a.test", letter), nobody, "{sender}");
    }
    let facts = Facts { dmarc: Dmarc::Fail(Policy::None), ..Facts::default() };
    assert_eq!(answers(&town, "s@s.test", "ann@a.test", Letter { facts, ..letter }), nobody);
    assert_eq!(answers(&town, "s@s.test", "bob@a.test", letter), nobody, "bob is here");
    // What goes on is answered all the same; what is junk is not.
    rule(&mut town, account("ann@a.test"), "forward-only far@x.test");
    assert_eq!(answers(&town, "s@s.test", "ann@a.test", letter), [ann]);
    rule(&mut town, ScopeName::Tenant("acme".into()), "keyword quarantine win");
    assert_eq!(answers(&town, "s@s.test", "ann@a.test", Letter { subject: "win", ..letter }), nobody);
    // Who may write to nobody outside answers nobody there.
    rule(&mut town, ScopeName::Tenant("acme".into()), "outbound no");
    assert_eq!(answers(&town, "s@s.test", "ann@a.test", letter), nobody);
    assert_eq!(answers(&town, "bob@a.test", "ann@a.test", letter), [ann]);
    rule(&mut town, ScopeName::Tenant("acme".into()), "outbound yes");
    // Another time.
    rule(&mut town, account("ann@a.test"), "away days=7 from=1001 until=0 subject=\"\" text=\"Gone.\"");
    assert_eq!(answers(&town, "s@s.test", "ann@a.test", letter), nobody);
}

/// A member's script with what comes of it.
fn scripted(town: &mut Directory, script: &str, letter: Letter<'_>) -> Verdict {
    let text = script.replace('\\', "\\\\").replace('"', "\\\"");
    rule(town, account("ann@a.test"), &format!("sieve \"{text}\""));
    judged(town, "s@s.test", "ann@a.test", letter)
}

#[test]
fn scripts_file_send_on_refuse_and_answer() {
    let mut town = town();
    let fields = sieve::fields(b"Subject: news of today\r\nTo: ann@a.test\r\n\r\n");
    let named = [at("ann@a.test")];
    let letter = Letter { fields: &fields, to: &named, ..Letter::default() };
    let filed = scripted(
        &mut town,
        "require \"fileinto\"; if header :contains \"subject\" \"NEWS\" { fileinto \"News\"; }",
        letter,
    );
    assert_eq!((&filed.copies[..], filed.filed[0][0].mailbox.as_deref()), (&[Copy::Filed][..], Some("News")));
    assert_eq!(scripted(&mut town, "keep;", letter).copies, [Copy::Inbox]);
    assert_eq!(scripted(&mut town, "discard;", letter).copies, [Copy::Discarded]);
    let on = scripted(&mut town, "redirect \"far@x.test\";", letter);
    assert_eq!(
        (forwards(&on), on.copies.clone()),
        (vec![("far@x.test", "ann+forwarded@a.test")], vec![Copy::Forwarded])
    );
    let here = [at("ann@a.test")];
    assert_eq!(
        scripted(&mut town, "redirect \"far@x.test\";", Letter { passed: &here, ..letter }).copies,
        [Copy::Inbox],
        "in circles"
    );
    let no = scripted(&mut town, "require \"reject\"; reject \"not today\";", letter).refusal.expect("refused");
    assert_eq!((no.stage, no.text.as_str()), ("sieve", "the recipient refuses it: not today"));
    let all = judged(&town, "s@s.test", "all@a.test", letter);
    assert_eq!((all.refusal, &all.copies[..]), (None, &[Copy::Inbox, Copy::Inbox][..]), "not for the whole group");
    let away = scripted(&mut town, "require \"vacation\"; vacation \"Gone.\";", letter);
    assert_eq!((away.answers.len(), &*away.answers[0].away.text, &away.copies[..]), (1, "Gone.", &[Copy::Inbox][..]));
    assert_eq!(
        scripted(&mut town, "require \"vacation\"; vacation \"Gone.\";", Letter { automatic: true, ..letter }).answers,
        []
    );
    // A script that is wrong, or goes wrong, loses nothing; junk is shown to none.
    assert_eq!(scripted(&mut town, "fileinto", letter).copies, [Copy::Inbox]);
    assert_eq!(scripted(&mut town, "require \"reject\"; keep; reject \"x\";", letter).copies, [Copy::Inbox]);
    rule(&mut town, ScopeName::Tenant("acme".into()), "keyword quarantine win");
    assert_eq!(scripted(&mut town, "discard;", Letter { subject: "win", ..letter }).copies, [Copy::Junk]);
}

/// What goes on and what is answered counts for the member, and for its tenant; what is above stays here.
#[test]
fn what_rules_send_outside_counts_against_the_rates() {
    let mut town = town();
    rule(&mut town, ScopeName::Tenant("acme".into()), "rate 2/1h");
    rule(&mut town, ScopeName::Tenant("acme".into()), "tenant-rate 3/1h");
    for to in ["far@x.test", "bob@a.test", "eve@o.test", "far@y.test"] {
        rule(&mut town, account("ann@a.test"), &format!("forward-only {to}"));
    }
    let away = "away days=7 from=0 until=0 subject=\"\" text=\"Gone.\"";
    rule(&mut town, account("bob@a.test"), away);
    let mut counters = Counters::default();
    let sender = at("s@s.test");
    let case = Case { directory: &town, origin: Origin::Outside, sender: Some(&sender), now: 1000, listed: None };
    let judge = |counters: &mut Counters, to: &str| {
        with_wanted(&town, to, |wanted| {
            let to = [at(to)];
            let mut verdict = at_message(&case, &Letter { to: &to, ..Letter::default() }, wanted);
            let onward = verdict.charge(&case, counters, wanted, &[]);
            (verdict, onward)
        })
    };
    let (verdict, onward) = judge(&mut counters, "ann@a.test");
    let went: Vec<&str> = forwards(&verdict).iter().map(|(to, _)| *to).collect();
    let by = at("ann@a.test");
    let kept = Kept { by, to: at(onward.kept[0].to.as_str()), is_answer: false };
    assert_eq!((went.len(), onward.forwards.len(), &onward.kept[..]), (3, 2, &[kept][..]), "{went:?}: inside is free");
    assert!(went.contains(&"bob@a.test"), "{went:?}");
    assert_eq!(verdict.copies, [Copy::Inbox], "what does not go on stays");
    // The third of the tenant, and no fourth.
    let (verdict, first) = judge(&mut counters, "bob@a.test");
    assert_eq!((verdict.answers.len(), first.answers.len()), (1, 1));
    let (verdict, second) = judge(&mut counters, "bob@a.test");
    let kept = Kept { by: at("bob@a.test"), to: sender.clone(), is_answer: true };
    assert_eq!((verdict.answers.len(), second.kept), (0, vec![kept]));
    assert_eq!(verdict.copies, [Copy::Inbox]);
    // What was not sent after all is given back.
    first.answers.iter().for_each(|(_, spent)| counters.give_back(spent));
    assert_eq!(judge(&mut counters, "bob@a.test").0.answers.len(), 1);
}
