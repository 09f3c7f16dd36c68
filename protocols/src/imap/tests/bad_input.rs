//! What a server must survive: nonsense, too much, half of something. And pipelining, which is not nonsense.
use super::{logged_in, play, play_before_login, play_with, shared};
use crate::imap::ImapService;
use crate::limits;
use crate::runtime::sim;
use std::sync::Arc;

#[test]
fn nonsense_is_bad() {
    play(
        "C: a FROBNICATE
         S: a BAD There is no command FROBNICATE
         C: a
         S: a BAD ...
         C: 
         S: * BAD ...
         C: + NOOP
         S: * BAD ...
         C: a UID NOOP
         S: a BAD There is no command UID NOOP
         C: a SELECT
         S: a BAD ...
         C: a LIST \"\" \"
         S: a BAD ...
         C: a FETCH 0 FLAGS
         S: a BAD ...
         C: a FETCH 1:99999999999 FLAGS
         S: a BAD ...
         C: a SEARCH ON 99-Foo-2020
         S: a BAD ...
         C: a NOOP {1000000}
         S: a BAD [TOOBIG] The command is too long: it may have 64.0 KiB, and 128.0 KiB in literals
         C: a CREATE a\u{0}b
         S: a BAD ...
         C: a NOOP
         S: a OK ...",
    );
}

#[test]
fn bad_says_what_and_where() {
    play(
        "C: a ID foo
         S: a BAD '(' expected at byte 6 of the command
         C: a ID (\"name\" x)
         S: a BAD a string expected at byte 14 of the command
         C: a SEARCH FOO
         S: a BAD No mailbox is selected
         C: a EXAMINE INBOX (CONDSTORE
         S: a BAD a space or ) expected at byte 27 of the command
         C: a STATUS INBOX MESSAGES
         S: a BAD '(' expected at byte 16 of the command
         C: a CREATE x (UNUSED (\\Sent))
         S: a BAD (USE expected at byte 12 of the command
         C: a APPEND INBOX (\\Seen) \"99-Foo-2020 00:00:00 +0000\" {3+}
         C: abc
         S: a BAD a date like ... expected at byte 24 of the command
         C: a APPEND INBOX {3+}
         C: abc nonsense
         S: a BAD the message as a literal expected at byte 26 of the command
         C: a APPEND INBOX CATENATE (TEXT {3+}
         C: abc NONSENSE)
         S: a BAD TEXT or URL expected at byte 41 of the command",
    );
    play_with(
        1,
        "C: a SEARCH FOO
         S: a BAD There is no search key FOO without an argument
         C: a SEARCH FOO x
         S: a BAD There is no search key FOO
         C: a SEARCH (FROM)
         S: a BAD There is no search key FROM without an argument",
    );
}

#[test]
fn where_a_login_is_wrong_is_said_without_its_words() {
    play_before_login(
        shared(),
        "S: * OK ...
         C: a LOGIN ann@example.org
         S: a BAD a space expected at byte 24 of the command
         C: a LOGIN ann@example.org \"secret
         S: a BAD a closing quote expected at byte 32 of the command
         C: a LOGIN ann@example.org secret more
         S: a BAD the end expected at byte 31 of the command
         C: a AUTHENTICATE PLAIN !
         S: a BAD base64 expected at byte 22 of the command
         C: a AUTHENTICATE
         S: a BAD a space expected at byte 15 of the command",
    );
}

#[test]
fn too_much_nonsense_ends_the_session() {
    let mut script = String::from("S: * OK ...\n");
    for _ in 0..limits::IMAP_BAD_MAX {
        script += "C: a X\nS: a BAD There is no command X\n";
    }
    script += "S: * BYE [CLIENTBUG] ...\nS: ";
    play_before_login(shared(), Box::leak(script.into_boxed_str()));
}

#[test]
fn a_line_without_end_is_passed_over() {
    let service = ImapService::new(Arc::new(shared()));
    sim::run(move |net| async move {
        let mut client = logged_in(&net, &service, "ann@example.org").await;
        let mut line = b"t NOOP ".to_vec();
        line.resize(limits::IMAP_LINE_BYTES_MAX * 2, b'x');
        line.extend_from_slice(b"\r\nu NOOP\r\n");
        assert!(client.write(&line).await);
        assert!(client.read_line().await.starts_with(b"t BAD [TOOBIG]"));
        assert_eq!(client.read_line().await, b"u OK NOOP completed\r\n");
        let endless = vec![b'x'; limits::IMAP_SKIP_BYTES_MAX * 2];
        client.write(&endless).await;
        assert!(client.read_line().await.starts_with(b"* BYE [TOOBIG]"));
    });
}

/// What a webmail puts into a literal for its user must not run as commands, whatever else the command has.
#[test]
fn a_literal_in_a_command_that_is_too_long_is_not_taken_for_commands() {
    let service = ImapService::new(Arc::new(shared()));
    sim::run(move |net| async move {
        let long = "1,3,".repeat(limits::IMAP_LINE_BYTES_MAX / 4) + "5";
        let mut client = logged_in(&net, &service, "ann@example.org").await;
        client.write(b"c CREATE victim\r\n").await;
        client.read_until(b"c OK").await;
        client.read_line().await;
        client
            .write(format!("a SEARCH SUBJECT {{20+}}\r\nx\r\nz DELETE victim\r\n UID {long}\r\nb NOOP\r\n").as_bytes())
            .await;
        assert!(client.read_line().await.starts_with(b"a BAD [TOOBIG]"));
        assert_eq!(client.read_line().await, b"b OK NOOP completed\r\n");
        // One that follows the long line is on its way too.
        client.write(format!("a SEARCH UID {long} SUBJECT {{20+}}\r\nx\r\nz DELETE victim\r\n\r\n").as_bytes()).await;
        assert!(client.read_line().await.starts_with(b"* BYE [TOOBIG]"));
        let mut client = logged_in(&net, &service, "ann@example.org").await;
        client.write(b"s STATUS victim (MESSAGES)\r\n").await;
        assert_eq!(client.read_line().await, b"* STATUS victim (MESSAGES 0)\r\n");
    });
}

#[test]
fn what_costs_much_is_bounded() {
    let service = ImapService::new(Arc::new(shared()));
    sim::run(move |net| async move {
        let mut client = logged_in(&net, &service, "ann@example.org").await;
        client.write(b"s SELECT INBOX\r\n").await;
        client.read_until(b"s OK").await;
        client.read_line().await;
        let entries = (0..101).map(|n| format!(" /private/{n}")).collect::<String>();
        for (command, bound) in [
            (format!("a SEARCH {}", "$ ".repeat(limits::IMAP_SEARCH_KEYS_MAX) + "ALL"), "too many search keys"),
            (format!("a SEARCH {}", "TEXT a ".repeat(limits::IMAP_SEARCH_TEXTS_MAX) + "BODY b"), "too many texts"),
            (format!("a LIST \"\" ({})", "\"\" ".repeat(limits::IMAP_PATTERNS_MAX) + "*"), "too many patterns"),
            (format!("a GETMETADATA \"\" (/private/a{entries})"), "At most 100 entries"),
            (format!("a STORE 1 FLAGS ({})", (0..65).map(|n| format!("k{n} ")).collect::<String>() + "k"), "keywords"),
        ] {
            client.write((command.clone() + "\r\n").as_bytes()).await;
            let answer = String::from_utf8_lossy(&client.read_line().await).into_owned();
            assert!(answer.starts_with("a NO [LIMIT]") && answer.contains(bound), "{}: {answer}", &command[..20]);
        }
    });
}

#[test]
fn pipelined_commands_are_answered_in_order() {
    let service = ImapService::new(Arc::new(shared()));
    sim::run(move |net| async move {
        net.segment(1);
        let mut client = logged_in(&net, &service, "ann@example.org").await;
        client
            .write(b"a NOOP\r\nb APPEND INBOX {12+}\r\nSubject: x\r\n\r\nc STATUS INBOX (MESSAGES)\r\nd LOGOUT\r\n")
            .await;
        let heard = client.read_to_end().await;
        let heard = String::from_utf8_lossy(&heard);
        let tags: Vec<&str> = heard.lines().filter_map(|line| line.split(' ').next()).collect();
        assert_eq!(tags, ["a", "b", "*", "c", "*", "d"], "{heard}");
    });
}

#[test]
fn lines_may_end_with_lf_alone() {
    let service = ImapService::new(Arc::new(shared()));
    sim::run(move |net| async move {
        let mut client = logged_in(&net, &service, "ann@example.org").await;
        client.write(b"a NOOP\n").await;
        assert_eq!(client.read_line().await, b"a OK NOOP completed\r\n");
    });
}
