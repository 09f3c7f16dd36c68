//! Scripts through what they do: one message, many scripts; every error at its place; whatever bytes, an answer.
use super::*;
use crate::base::limits;
use proptest::prelude::*;

const MESSAGE: &[u8] =
    b"From: Ann <ann+news@a.test>, bob@b.test\r\nTo: me@home.test\r\nSubject: =?utf-8?B?5Y+R56Wo?= Win\r\n now\r\n\
    X-Score: 12\r\nReceived: one\r\nReceived: two\r\n\r\n";

fn effects(script: &str) -> Result<Effects, String> {
    effects_within(script, limits::SIEVE_COST_MAX)
}

fn effects_within(script: &str, cost_max: u64) -> Result<Effects, String> {
    let script = Script::parse(script).map_err(|wrong| wrong.to_string())?;
    let fields = fields(MESSAGE);
    let has_mailbox = |name: &str| name == "Lists";
    run(
        &script,
        &Facts {
            fields: &fields,
            sender: "list@a.test",
            recipient: "me+tag@home.test",
            size: 2048,
            has_mailbox: &has_mailbox,
        },
        cost_max,
    )
}

fn places(script: &str) -> Vec<String> {
    let done = effects(script).unwrap_or_else(|why| panic!("{script}: {why}"));
    let show = |one: &Filing| {
        let create = if one.create { "+" } else { "" };
        format!("{create}{} {}", one.mailbox.as_deref().unwrap_or("INBOX"), one.flags.join(" ")).trim_end().to_owned()
    };
    done.filed.iter().map(show).collect()
}

/// Whether a test holds.
fn holds(test: &str) -> bool {
    let all = "require [\"envelope\", \"fileinto\", \"relational\", \"subaddress\", \"mailbox\", \"comparator-i;ascii-numeric\"];";
    places(&format!("{all} if {test} {{ fileinto \"Yes\"; }}")) == ["Yes"]
}

#[test]
fn tests_say_what_the_message_is() {
    let yes = [
        "true",
        "not false",
        "allof(true, true)",
        "anyof(false, true)",
        "exists [\"subject\", \"X-Score\"]",
        "size :over 2047",
        "size :under 1M",
        "header \"subject\" \"\u{53d1}\u{7968} win now\"",
        "header :contains \"SUBJECT\" \"WIN\"",
        "header :matches \"subject\" \"*w?n*\"",
        "header :matches \"x-score\" \"??\"",
        "not header :contains :comparator \"i;octet\" \"subject\" \"WIN\"",
        "header :contains :comparator \"i;octet\" \"subject\" \"Win\"",
        "address \"from\" \"BOB@b.test\"",
        "address :domain \"from\" \"a.test\"",
        "address :localpart :is \"from\" \"bob\"",
        "address :user \"from\" \"ann\"",
        "address :detail \"from\" \"news\"",
        "not address :detail \"to\" \"\"",
        "envelope \"from\" \"list@a.test\"",
        "envelope :detail \"to\" \"tag\"",
        "header :count \"eq\" \"received\" \"2\"",
        "header :value \"gt\" :comparator \"i;ascii-numeric\" \"x-score\" \"9\"",
        "not header :value \"gt\" \"x-score\" \"9\"",
        "address :count \"ge\" :comparator \"i;ascii-numeric\" \"from\" \"2\"",
        "mailboxexists \"Lists\"",
        "not mailboxexists [\"Lists\", \"None\"]",
        "header :is [\"x\", \"x-score\"] [\"1\", \"12\"]",
        "not exists [\"x-score\", \"x\"]",
        "header :matches \"subject\" \"\u{53d1}*\"",
        "not header :matches \"x-score\" \"\\\\?2\"",
    ];
    for test in yes {
        assert!(holds(test), "{test}");
    }
    for test in [
        "false",
        "not true",
        "allof(true, false)",
        "anyof(false, false)",
        "size :over 2K",
        "size :under 2048",
        "header \"subject\" \"win\"",
    ] {
        assert!(!holds(test), "{test}");
    }
}

#[test]
fn actions_and_what_they_do_to_the_copy_in_inbox() {
    assert_eq!(places(""), ["INBOX"]);
    assert_eq!(places("keep; keep;"), ["INBOX"]);
    assert_eq!(places("discard;"), Vec::<String>::new());
    assert_eq!(places("discard; keep;"), ["INBOX"]);
    assert_eq!(places("require \"fileinto\"; fileinto \"A\"; fileinto \"A\"; fileinto \"B\";"), ["A", "B"]);
    assert_eq!(places("require [\"fileinto\", \"copy\", \"mailbox\"]; fileinto :copy :create \"A\";"), ["+A", "INBOX"]);
    assert_eq!(places("if false { discard; } elsif true { stop; } else { discard; } discard;"), ["INBOX"]);
    assert_eq!(places("if true { stop; } discard;"), ["INBOX"]);
    let flags = "require [\"imap4flags\", \"fileinto\"];";
    assert_eq!(
        places(&format!("{flags} setflag \"\\\\Seen a\"; addflag [\"b\", \"A\"]; removeflag \"b\"; keep;")),
        ["INBOX \\Seen a"]
    );
    assert_eq!(
        places(&format!("{flags} addflag \"x\"; fileinto :flags \"\\\\Flagged\" \"A\"; keep;")),
        ["A \\Flagged", "INBOX x"]
    );
    assert_eq!(places(&format!("{flags} addflag \"x\"; if hasflag \"X\" {{ fileinto \"A\"; }}")), ["A x"]);
    let on = effects("redirect \"a@x.test\"; redirect \"A@X.test\";").expect("it runs");
    assert_eq!((on.redirects, on.filed), (vec![Onward { to: "a@x.test".into() }], vec![]));
    assert_eq!(effects("require \"copy\"; redirect :copy \"a@x.test\";").expect("it runs").filed.len(), 1);
    let no = effects("require \"reject\"; reject text:\nNot\n..here\n.\n;").expect("it runs");
    let told = |by_mail| Some(Refused { words: "Not\n.here\n".into(), by_mail });
    assert_eq!((no.refused, no.filed), (told(true), vec![]));
    let no = effects("require \"ereject\"; ereject text:\nNot\n..here\n.\n;").expect("it runs");
    assert_eq!(no.refused, told(false));
    let away = effects(
        "require \"vacation\"; vacation :days 3 :subject \"Off\" :addresses [\"me@b.test\"] :handle \"h\" \"Gone.\";",
    )
    .expect("it runs");
    let expected = Vacation {
        days: 3,
        subject: "Off".into(),
        addresses: vec!["me@b.test".into()],
        handle: "h".into(),
        from: None,
        mime: false,
        reason: "Gone.".into(),
    };
    assert_eq!((away.vacation, away.filed.len()), (Some(expected), 1));
    let script = "require \"vacation\"; vacation :mime :from \"Me <ME@b.test>\" text:\nContent-Type: text/html;\n charset=utf-8\n\n<p>x</p>\n.\n;";
    let vacation = effects(script).expect("it runs").vacation.expect("an answer");
    assert_eq!((vacation.from.as_deref(), vacation.mime), (Some("me@b.test"), true));
}

#[test]
fn each_error_is_told_at_its_place() {
    let wrong = [
        ("keep", "line 1, column 5: ; or { expected, not the end"),
        ("keep;\n  blah;", "line 2, column 3: there is no command blah"),
        ("fileinto \"A\";", "line 1, column 1: fileinto needs require \"fileinto\""),
        ("require \"regex\";", "line 1, column 1: the extension \"regex\" is not known"),
        ("keep; require \"copy\";", "line 1, column 7: require stands only at the front"),
        ("if true keep;", "line 1, column 1: a block in { } is expected behind if"),
        ("else { }", "line 1, column 1: else stands only behind"),
        ("if true { } keep; elsif true { }", "line 1, column 19: elsif stands only behind"),
        ("if { }", "line 1, column 1: one test is expected"),
        ("if header \"a\" { }", "line 1, column 4: header: keys expected"),
        ("if header :is :contains \"a\" \"b\" { }", "only one match type"),
        ("if header :comparator \"x\" \"a\" \"b\" { }", "there is no comparator \"x\""),
        ("if size 5 { }", "one of :over and :under"),
        ("if address \"subject\" \"x\" { }", "holds no addresses"),
        ("redirect \"nobody\";", "line 1, column 1"),
        ("keep :copy;", "line 1, column 6: keep does not take :copy"),
        ("\"text", "line 1, column 1: a string has no end"),
        ("/* x", "line 1, column 1: a comment has no end"),
        ("discard %;", "line 1, column 9: '%' is not expected here"),
        ("if size :over 99999999999999999999 { }", "the number is too large"),
        ("if true { keep;", "line 1, column 16"),
        ("require \"vacation\"; vacation :mime \"x\";", "column 21: with :mime the answer begins"),
        ("require \"vacation\"; vacation :mime \"Content-Type: a/b\";", "column 21: with :mime an empty line"),
        (
            "require \"vacation\"; vacation :mime \"Content-Type: a/b\nBcc: x@x.test\n\n\";",
            "column 21: with :mime the answer",
        ),
        ("require \"vacation\"; vacation :from \"me\" \"x\";", "column 30: "),
        ("stop { }", "stop has no block"),
        ("keep true;", "keep takes no test"),
    ];
    for (script, words) in wrong {
        let told = Script::parse(script).expect_err(script).to_string();
        assert!(told.contains(words), "{script}\n{told}");
    }
}

#[test]
fn what_is_too_much_is_refused() {
    let deep = format!("{}keep;{}", "if true {".repeat(40), "}".repeat(40));
    assert!(Script::parse(&deep).expect_err("deep").what.contains("deep"));
    let tests = format!("if {}true {{ }}", "not ".repeat(40));
    assert!(Script::parse(&tests).expect_err("deep").what.contains("deep"));
    Script::parse(&" ".repeat(limits::SIEVE_BYTES_MAX + 1)).expect_err("long");
    let many: String = (0..=limits::SIEVE_REDIRECTS_MAX).map(|n| format!("redirect \"a{n}@x.test\";")).collect();
    assert!(effects(&many).expect_err("many").contains("at most"));
    effects(&"keep;".repeat(limits::SIEVE_ACTIONS_MAX + 1)).expect_err("many");
    effects("require \"reject\"; keep; reject \"no\";").expect_err("both");
    effects("require \"vacation\"; vacation \"a\"; vacation \"b\";").expect_err("two");
    // A pattern that makes others take for ever.
    let star = "*a".repeat(2000);
    let slow = format!("if header :matches \"subject\" [{}] {{ discard; }}", vec![format!("\"{star}\""); 12].join(","));
    let begun = std::time::Instant::now();
    let _ = effects(&slow);
    assert!(begun.elapsed() < std::time::Duration::from_secs(20));
}

#[test]
fn whatever_a_test_looks_at_costs() {
    let all = "require [\"relational\", \"mailbox\"];";
    let many: Vec<String> = (0..200).map(|n| format!("\"n{n}\"")).collect();
    let many = many.join(",");
    for test in [
        format!("header :count \"gt\" \"received\" [{many}]"),
        format!("header [{many}] \"x\""),
        format!("address [\"from\"] [{many}]"),
        format!("exists [{many}]"),
        "mailboxexists [\"Lists\",\"Lists\",\"Lists\"]".to_owned(),
    ] {
        let script = format!("{all} if {test} {{ keep; }}");
        effects_within(&script, limits::SIEVE_COST_MAX).expect(&test);
        assert!(effects_within(&script, 500).expect_err(&test).contains("too long"), "{test}");
    }
}

proptest! {
    #[test]
    fn any_text_is_answered(text in "[ -~\\n]{0,200}") {
        let _ = Script::parse(&text);
    }

    #[test]
    fn words_of_scripts_in_any_order_are_answered(words in prop::collection::vec(prop::sample::select(vec![
        "if", "elsif", "else", "true", "not", "allof", "(", ")", "{", "}", ",", ";", "\"a\"", "[\"a\",\"b\"]", ":is", ":over", "5K",
        "header", "size", "keep", "discard", "stop", "fileinto", "redirect", "require \"fileinto\";", "text:\nx\n.\n", "# c\n",
    ]), 0..30)) {
        let _ = effects(&words.join(" "));
    }
}
