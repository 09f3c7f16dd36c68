//! AUTH: mechanisms, broken exchanges, guessing.
use super::{PLAIN, PLAIN_WRONG, SmtpService, answers, shared, submission};
use crate::limits;
use crate::session::PlaintextAuth;

#[test]
fn plain_and_login_with_and_without_initial_response() {
    submission(
        "S: 220 ...
        C: AUTH PLAIN
        S: 503 5.5.1 EHLO first
        C: HELO x
        S: 250 ...
        C: AUTH CRAM-MD5
        S: 504 5.5.4 That mechanism is not offered; PLAIN LOGIN are
        C: AUTH LOGIN
        S: 334 VXNlcm5hbWU6
        C: *
        S: 501 5.7.0 AUTH cancelled
        C: AUTH PLAIN
        S: 334 ...
        C: !!!
        S: 501 5.5.2 Base64 of the mechanism's form is expected
        C: AUTH LOGIN YW5uQGV4YW1wbGUub3Jn
        S: 334 UGFzc3dvcmQ6
        C: c2VjcmV0
        S: 235 2.7.0 Logged in
        C: AUTH PLAIN
        S: 503 5.5.1 You are logged in already",
    );
}

#[test]
fn wrong_passwords_end_the_connection() {
    let mut session = String::from("EHLO x\r\n");
    for _ in 0..limits::LOGIN_FAILURES_PER_SESSION_MAX {
        session.push_str(&format!("AUTH PLAIN {PLAIN_WRONG}\r\n"));
    }
    session.push_str(&format!("AUTH PLAIN {PLAIN}\r\n"));
    let heard = crate::runtime::sim::run(move |net| async move {
        let mut client = net.connect(&SmtpService::submission(shared()));
        client.write(session.as_bytes()).await;
        client.read_to_end().await
    });
    let heard = String::from_utf8(heard).expect("replies are ASCII");
    let wrong = "535 5.7.8 Wrong name or password\r\n";
    assert_eq!(heard.matches(wrong).count(), limits::LOGIN_FAILURES_PER_SESSION_MAX as usize, "{heard}");
    assert!(heard.ends_with("421 4.7.0 Too many failed logins\r\n"), "{heard}");
}

#[test]
fn no_password_in_the_clear_where_it_is_forbidden() {
    let mut shared = crate::testing::shared();
    shared.plaintext_auth = PlaintextAuth::Never;
    let service = SmtpService::submission(std::sync::Arc::new(shared));
    let heard = answers(service, format!("EHLO x\r\nAUTH PLAIN {PLAIN}\r\nQUIT\r\n").into_bytes());
    assert!(!heard.contains("AUTH PLAIN LOGIN"), "{heard}");
    assert!(heard.contains("538 5.7.11 Use STARTTLS first"), "{heard}");
}
