//! Before login: CAPABILITY, LOGIN, AUTHENTICATE, STARTTLS, ID, NOOP, LOGOUT, and what must not be possible yet.
use super::{play, play_before_login, shared};
use crate::imap::ImapService;
use crate::limits;
use crate::runtime::{sim, sleep};
use crate::session::{Attendance, PlaintextAuth};
use crate::testing::tls::{self, TlsClient};
use std::sync::Arc;

#[test]
fn greeting_login_logout() {
    play_before_login(
        shared(),
        "S: * OK [CAPABILITY IMAP4rev1 ... AUTH=PLAIN AUTH=LOGIN] mail.example.org ready
         C: a1 capability
         S: * CAPABILITY IMAP4rev1 ... AUTH=PLAIN AUTH=LOGIN
         S: a1 OK CAPABILITY completed
         C: a2 SELECT INBOX
         S: a2 BAD Log in first
         C: a3 LOGIN ann@example.org wrong
         S: a3 NO [AUTHENTICATIONFAILED] ...
         C: a4 LOGIN nobody@example.org secret
         S: a4 NO [AUTHENTICATIONFAILED] ...
         C: a5 LOGIN {15}
         S: + OK
         C: ann@example.org {6+}
         C: secret
         S: a5 OK [CAPABILITY ... IDLE ... APPENDLIMIT=...] Logged in
         C: a6 LOGIN ann@example.org secret
         S: a6 BAD You are logged in already
         C: a7 ID (\"name\" \"test\" \"version\" NIL)
         S: * ID (\"name\" \"Posthouse\")
         S: a7 OK ID completed
         C: a8 NAMESPACE
         S: * NAMESPACE ((\"\" \"/\")) ((\"Other Users/\" \"/\")) ((\"Shared/\" \"/\"))
         S: a8 OK NAMESPACE completed
         C: a9 LOGOUT
         S: * BYE ...
         S: a9 OK LOGOUT completed",
    );
}

#[test]
fn sasl_plain_and_login() {
    play_before_login(
        shared(),
        "S: * OK ...
         C: a AUTHENTICATE PLAIN
         S: + 
         C: *
         S: a BAD AUTHENTICATE cancelled
         C: b AUTHENTICATE PLAIN
         S: + 
         C: !!!
         S: b BAD ...
         C: c AUTHENTICATE CRAM-MD5
         S: c NO [CANNOT] ...
         C: d AUTHENTICATE LOGIN
         S: + VXNlcm5hbWU6
         C: YW5uQGV4YW1wbGUub3Jn
         S: + UGFzc3dvcmQ6
         C: c2VjcmV0
         S: d OK [CAPABILITY ...] Logged in",
    );
    play_before_login(
        shared(),
        "S: * OK ...
         C: a AUTHENTICATE PLAIN AGFubkBleGFtcGxlLm9yZwBzZWNyZXQ=
         S: a OK [CAPABILITY ...] Logged in",
    );
}

#[test]
fn no_password_in_the_clear_where_that_is_not_allowed() {
    let mut shared = shared();
    shared.plaintext_auth = PlaintextAuth::Never;
    play_before_login(
        shared,
        "S: * OK [CAPABILITY ... LOGINDISABLED] ...
         C: a LOGIN ann@example.org secret
         S: a NO [PRIVACYREQUIRED] ...
         C: b AUTHENTICATE PLAIN AGFubkBleGFtcGxlLm9yZwBzZWNyZXQ=
         S: b NO [PRIVACYREQUIRED] ...
         C: c STARTTLS
         S: c NO [CANNOT] ...",
    );
}

#[test]
fn guessing_ends_the_session() {
    play_before_login(
        shared(),
        "S: * OK ...
         C: a LOGIN ann@example.org 1
         S: a NO ...
         C: a LOGIN ann@example.org 2
         S: a NO ...
         C: a LOGIN ann@example.org 3
         S: a NO ...
         C: a LOGIN ann@example.org 4
         S: a NO ...
         C: a LOGIN ann@example.org 5
         S: * BYE Too many failed logins
         S: a NO ...
         S: ",
    );
}

#[test]
fn a_silent_client_is_sent_away() {
    play_before_login(shared(), "S: * OK ...\nS: * BYE No login in time\nS: ");
    play("S: * BYE Autologout; idle for too long\nS: ");
}

/// Commands that are there already, and answers that are taken slowly, do not put off the end.
#[test]
fn a_busy_client_is_sent_away_too() {
    let service = ImapService::new(Arc::new(shared()));
    sim::run(move |net| async move {
        let begun = net.now();
        let mut client = net.connect(&service);
        client.read_line().await;
        client.write(&b"a CAPABILITY\r\n".repeat(4000)).await;
        while !client.read().await.is_empty() && net.now() - begun < 10 * limits::IMAP_LOGIN_MAX {
            sleep(limits::IMAP_LOGIN_MAX / 4).await;
        }
        let lived = net.now() - begun;
        assert!(lived >= limits::IMAP_LOGIN_MAX && lived <= 2 * limits::IMAP_LOGIN_MAX, "{lived:?}");
    });
}

#[test]
fn commands_need_their_state() {
    play(
        "C: a FETCH 1 FLAGS
         S: a BAD No mailbox is selected
         C: b STARTTLS
         S: b BAD You are logged in already
         C: c ENABLE CONDSTORE X-NONE
         S: * ENABLED CONDSTORE
         S: c OK ...
         C: d ENABLE X-NONE
         S: * ENABLED
         S: d OK ...
         C: e NOOP
         S: e OK NOOP completed",
    );
}

#[test]
fn starttls_and_what_was_sent_behind_it_in_the_clear() {
    let (server, client_config) = tls::configs();
    let mut shared = shared();
    shared.plaintext_auth = PlaintextAuth::Never;
    shared.tls = Some(server);
    let service = ImapService::new(Arc::new(shared));
    sim::run(move |net| async move {
        let mut client = net.connect(&service);
        assert!(client.read_line().await.ends_with(b"STARTTLS LOGINDISABLED] mail.example.org ready\r\n"));
        client.write(b"a STARTTLS\r\n").await;
        assert!(client.read_line().await.starts_with(b"a OK "));
        let mut client = TlsClient::start(client, client_config).await;
        // Comes in one piece with the handshake's last record.
        client.write(b"b STARTTLS\r\nc LOGIN ann@example.org secret\r\n").await;
        let heard = client.read_line().await;
        assert!(heard.starts_with(b"b BAD "), "{}", String::from_utf8_lossy(&heard));
        assert!(client.read_line().await.starts_with(b"c OK [CAPABILITY "));

        let mut client = net.connect(&service);
        client.read_line().await;
        client.write(b"a STARTTLS\r\nb NOOP\r\n").await;
        let heard = client.read_to_end().await;
        let heard = String::from_utf8_lossy(&heard);
        assert!(heard.starts_with("* BYE [CLIENTBUG] ") && heard.contains("\r\na BAD "), "{heard}");
        assert!(!heard.contains("b OK"), "{heard}");
    });
}

#[test]
fn an_account_has_so_many_connections() {
    let mut shared = shared();
    shared.attendance = Attendance::new(2);
    play_before_login(
        shared,
        "S: * OK ...
         S2: * OK ...
         S3: * OK ...
         S4: * OK ...
         S5: * OK ...
         C: a LOGIN ann@example.org secret
         S: a OK ...
         C2: a LOGIN ann@example.org secret
         S2: a OK ...
         C3: a LOGIN ann@example.org secret
         S3: * BYE Too many connections of this account
         S3: a NO [LIMIT] Too many connections of this account: at most 2 at a time
         S3:
         C4: a LOGIN bob@example.org secret
         S4: a OK ...
         C2: b LOGOUT
         S2: * BYE ...
         S2: b OK ...
         S2:
         C5: a LOGIN ann@example.org secret
         S5: a OK ...
         C: b UNAUTHENTICATE
         S: b OK ...
         C4: b UNAUTHENTICATE
         S4: b OK ...
         C4: c AUTHENTICATE PLAIN AGFubkBleGFtcGxlLm9yZwBzZWNyZXQ=
         S4: c OK ...
         C: c AUTHENTICATE PLAIN AGFubkBleGFtcGxlLm9yZwBzZWNyZXQ=
         S: * BYE Too many connections of this account
         S: c NO [LIMIT] ...
         S: ",
    );
}
