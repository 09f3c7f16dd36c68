//! The AUTHORIZATION state: USER and PASS, AUTH, CAPA, LANG, UTF8, QUIT, and what must not be possible yet.
use super::{Pop3Service, ask, filled, play_logged_in, service};
use crate::limits;
use crate::runtime::{sim, sleep};
use crate::session::{Attendance, PlaintextAuth};
use crate::testing::{play, shared};
use std::sync::Arc;

#[test]
fn user_and_pass() {
    play(
        service(filled()),
        "S: +OK mail.example.org ready
         C: STAT
         S: -ERR Log in first
         C: NOOP
         S: -ERR Log in first
         C: PASS secret
         S: -ERR USER comes first
         C: USER
         S: -ERR A name is expected
         C: USER nobody@example.org
         S: +OK ...
         C: PASS secret
         S: -ERR [AUTH] Wrong name or password
         C: PASS secret
         S: -ERR USER comes first
         C: USER ann@example.org
         S: +OK ...
         C: PASS wrong
         S: -ERR [AUTH] Wrong name or password
         C: USER ann@example.org
         S: +OK ...
         C: CAPA
         S: +OK ...
         S: TOP
         S: UIDL
         S: PIPELINING
         S: RESP-CODES
         S: AUTH-RESP-CODE
         S: UTF8 USER
         S: LANG
         S: EXPIRE NEVER
         S: USER
         S: SASL PLAIN LOGIN
         S: .
         C: PASS secret
         S: -ERR USER comes first
         C: user ann@example.org
         S: +OK ...
         C: pass secret
         S: +OK 3 messages (107 octets)
         C: USER ann@example.org
         S: -ERR You are logged in already
         C: AUTH PLAIN
         S: -ERR You are logged in already
         C: UTF8
         S: -ERR You are logged in already
         C: STLS
         S: -ERR You are logged in already
         C: QUIT
         S: +OK ...
         S: ",
    );
}

#[test]
fn auth_plain_and_login() {
    play(
        service(filled()),
        "S: +OK ...
         C: AUTH
         S: +OK ...
         S: PLAIN
         S: LOGIN
         S: .
         C: AUTH CRAM-MD5
         S: -ERR That mechanism is not offered
         C: AUTH PLAIN
         S: + 
         C: *
         S: -ERR AUTH cancelled
         C: AUTH PLAIN
         S: + 
         C: !!!
         S: -ERR Base64 ...
         C: AUTH PLAIN =
         S: -ERR Base64 ...
         C: AUTH PLAIN a b
         S: -ERR ...
         C: AUTH PLAIN Ym9iQGV4YW1wbGUub3JnAGFubkBleGFtcGxlLm9yZwBzZWNyZXQ=
         S: -ERR [AUTH] Nobody may act for somebody else
         C: AUTH PLAIN AGFubkBleGFtcGxlLm9yZwB3cm9uZw==
         S: -ERR [AUTH] Wrong name or password
         C: AUTH LOGIN
         S: + VXNlcm5hbWU6
         C: YW5uQGV4YW1wbGUub3Jn
         S: + UGFzc3dvcmQ6
         C: c2VjcmV0
         S: +OK 3 messages (107 octets)",
    );
    play(
        service(filled()),
        "S: +OK ...\nC: auth plain AGFubkBleGFtcGxlLm9yZwBzZWNyZXQ=\nS: +OK 3 messages (107 octets)",
    );
    play(
        service(filled()),
        "S: +OK ...\nC: AUTH LOGIN YW5uQGV4YW1wbGUub3Jn\nS: + UGFzc3dvcmQ6\nC: c2VjcmV0\nS: +OK 3 messages (107 octets)",
    );
}

#[test]
fn after_login_capa_names_the_implementation_and_an_empty_maildrop_opens() {
    play(
        service(shared()),
        "S: +OK ...
         C: AUTH PLAIN AGFubkBleGFtcGxlLm9yZwBzZWNyZXQ=
         S: +OK 0 messages (0 octets)
         C: CAPA
         S: +OK ...
         S: TOP
         S: UIDL
         S: PIPELINING
         S: RESP-CODES
         S: AUTH-RESP-CODE
         S: UTF8 USER
         S: LANG
         S: EXPIRE NEVER
         S: USER
         S: SASL PLAIN LOGIN
         S: IMPLEMENTATION Posthouse-...
         S: .
         C: STAT
         S: +OK 0 0
         C: LIST
         S: +OK 0 messages (0 octets)
         S: .
         C: UIDL
         S: +OK
         S: .
         C: RETR 1
         S: -ERR No such message; there are 0
         C: QUIT
         S: +OK ...",
    );
}

#[test]
fn no_password_in_the_clear_where_that_is_not_allowed() {
    let mut shared = shared();
    shared.plaintext_auth = PlaintextAuth::Never;
    play(
        service(shared),
        "S: +OK ...
         C: CAPA
         S: +OK ...
         S: TOP
         S: UIDL
         S: PIPELINING
         S: RESP-CODES
         S: AUTH-RESP-CODE
         S: UTF8 USER
         S: LANG
         S: EXPIRE NEVER
         S: .
         C: USER ann@example.org
         S: -ERR Use STLS first: ...
         C: PASS secret
         S: -ERR USER comes first
         C: AUTH PLAIN AGFubkBleGFtcGxlLm9yZwBzZWNyZXQ=
         S: -ERR Use STLS first: ...
         C: AUTH
         S: +OK ...
         S: .
         C: STLS
         S: -ERR TLS is not offered here
         C: QUIT
         S: +OK Bye
         S: ",
    );
}

#[test]
fn languages_and_utf8() {
    play(
        service(filled()),
        "S: +OK ...
         C: LANG
         S: +OK ...
         S: en English
         S: .
         C: LANG en-GB
         S: +OK en ...
         C: LANG *
         S: +OK en ...
         C: LANG de
         S: -ERR ...
         C: LANG en de
         S: -ERR ...
         C: UTF8 x
         S: -ERR ...
         C: UTF8
         S: +OK ...
         C: AUTH PLAIN AGFubkBleGFtcGxlLm9yZwBzZWNyZXQ=
         S: +OK 3 messages ...
         C: LANG EN
         S: +OK en ...",
    );
}

#[test]
fn guessing_ends_the_session_and_then_shuts_out_the_address() {
    let service = service(filled());
    sim::run(move |net| async move {
        let begun = net.now();
        let mut guesses = 0;
        // Some run off meanwhile, so it takes a few more than those that shut out.
        'guessing: while guesses < 2 * limits::LOGIN_FAILURES_MAX {
            let mut client = net.connect(&service);
            client.read_line().await;
            for guess in 1..=limits::LOGIN_FAILURES_PER_SESSION_MAX {
                ask(&mut client, "USER ann@example.org").await;
                let answer = ask(&mut client, "PASS guess").await;
                if answer.starts_with("-ERR [SYS/TEMP] Too many failed logins") {
                    break 'guessing;
                }
                guesses += 1;
                let closes = guess == limits::LOGIN_FAILURES_PER_SESSION_MAX;
                assert_eq!(answer.contains("closing"), closes, "{guesses}: {answer}");
                assert!(answer.starts_with("-ERR [AUTH] "), "{answer}");
            }
            assert!(client.read_to_end().await.is_empty());
        }
        assert!((limits::LOGIN_FAILURES_MAX..2 * limits::LOGIN_FAILURES_MAX).contains(&guesses), "{guesses}");
        assert!(net.now() - begun > limits::LOGIN_DELAY_MAX, "failures cost no wait");
        let mut client = net.connect(&service);
        client.read_line().await;
        ask(&mut client, "USER ann@example.org").await;
        let answer = ask(&mut client, "PASS secret").await;
        assert!(answer.starts_with("-ERR [SYS/TEMP] Too many failed logins"), "{answer}");
        assert!(client.read_to_end().await.is_empty());
    });
}

/// Commands that are there already, and answers that are taken slowly, do not put off the end.
#[test]
fn a_busy_client_is_sent_away_too() {
    let service = Pop3Service::new(Arc::new(filled()));
    sim::run(move |net| async move {
        let begun = net.now();
        let mut client = net.connect(&service);
        client.read_line().await;
        client.write(&b"CAPA\r\n".repeat(8000)).await;
        while !client.read().await.is_empty() && net.now() - begun < 10 * limits::POP3_LOGIN_MAX {
            sleep(limits::POP3_LOGIN_MAX / 4).await;
        }
        let lived = net.now() - begun;
        assert!(lived >= limits::POP3_LOGIN_MAX && lived <= 2 * limits::POP3_LOGIN_MAX, "{lived:?}");
    });
}

#[test]
fn who_is_silent_hears_nothing_more() {
    // RFC 1939 section 3: no response when the timer expires.
    let service = Pop3Service::new(Arc::new(filled()));
    sim::run(move |net| async move {
        let begun = net.now();
        let mut client = net.connect(&service);
        client.read_line().await;
        assert!(client.read_to_end().await.is_empty());
        let waited = net.now() - begun;
        assert!(waited >= limits::POP3_LOGIN_MAX && waited < limits::POP3_IDLE_MAX, "{waited:?}");
        let mut client = super::logged_in(&net, &service, "ann@example.org").await;
        assert_eq!(ask(&mut client, "DELE 1").await, "+OK Message 1 deleted");
        let begun = net.now();
        assert!(client.read_to_end().await.is_empty());
        assert!(net.now() - begun >= limits::POP3_IDLE_MAX);
        // No UPDATE without QUIT, and the maildrop is free.
        let mut client = super::logged_in(&net, &service, "ann@example.org").await;
        assert_eq!(ask(&mut client, "STAT").await, "+OK 3 107");
        net.stop();
        assert_eq!(client.read_to_end().await, b"-ERR [SYS/TEMP] server shutting down\r\n");
    });
}

#[test]
fn each_command_keeps_the_session_alive() {
    play_logged_in("C: NOOP\nS: +OK\nC: NOOP now\nS: -ERR No argument is expected\nC: NOOP \nS: +OK");
}

#[test]
fn an_account_has_so_many_connections() {
    let mut shared = filled();
    shared.attendance = Attendance::new(1);
    let address =
        |directory: &posthouse_engine::directory::Directory| directory.login("ann@example.org").map(|it| it.id);
    let account = shared.engine.directory(address).expect("a member");
    // As an IMAP session of the same account holds it.
    let seat = shared.attendance.take(account).expect("the first one");
    let service = service(shared);
    sim::run(move |net| async move {
        let mut client = net.connect(&service);
        client.read_line().await;
        ask(&mut client, "USER ann@example.org").await;
        let heard = ask(&mut client, "PASS secret").await;
        assert_eq!(heard, "-ERR [SYS/TEMP] Too many connections of this account: at most 1 at a time");
        assert!(client.read_line().await.is_empty(), "it is closed");
        drop(seat);
        for _ in 0..2 {
            let mut client = super::logged_in(&net, &service, "ann@example.org").await;
            assert_eq!(ask(&mut client, "QUIT").await, "+OK Bye");
            client.read_line().await;
        }
    });
}
