//! The commands of RFC 5321 and their order, in each role.
use super::{answers, inbox, lmtp, mx, shared, submission};
use crate::smtp::SmtpService;
use posthouse_engine::directory::{Address, Change};

#[test]
fn greeting_and_what_is_offered() {
    mx("S: 220 mail.example.org ESMTP Posthouse
        C: EHLO client.test
        S: 250-mail.example.org
        S: 250-PIPELINING
        S: 250-8BITMIME
        S: 250-SMTPUTF8
        S: 250-CHUNKING
        S: 250-DSN
        S: 250-ENHANCEDSTATUSCODES
        S: 250-BINARYMIME
        S: 250-DELIVERBY 60
        S: 250-MT-PRIORITY
        S: 250-LIMITS RCPTMAX=1000
        S: 250 SIZE 52428800
        C: HELO client.test
        S: 250 mail.example.org
        C: QUIT
        S: 221 2.0.0 Goodbye
        S: ");
    lmtp(
        "S: 220 mail.example.org LMTP Posthouse
          C: EHLO client.test
          S: 500 5.5.1 Unknown command
          C: LHLO client.test
          S: 250-mail.example.org
          S: 250-PIPELINING
          S: 250-8BITMIME
          S: 250-SMTPUTF8
          S: 250-CHUNKING
          S: 250-DSN
          S: 250-ENHANCEDSTATUSCODES
          S: 250-BINARYMIME
          S: 250-LIMITS RCPTMAX=1000
          S: 250 SIZE 52428800
          C: AUTH PLAIN
          S: 500 5.5.1 Unknown command",
    );
    submission(
        "S: 220 mail.example.org ESMTP Posthouse
          C: LHLO client.test
          S: 500 5.5.1 Unknown command
          C: EHLO client.test
          S: 250-mail.example.org
          S: 250-PIPELINING
          S: 250-8BITMIME
          S: 250-SMTPUTF8
          S: 250-CHUNKING
          S: 250-DSN
          S: 250-ENHANCEDSTATUSCODES
          S: 250-BINARYMIME
          S: 250-FUTURERELEASE 2592000 2026-12-24T03:50:48Z
          S: 250-DELIVERBY 60
          S: 250-MT-PRIORITY
          S: 250-LIMITS RCPTMAX=1000
          S: 250-SIZE 52428800
          S: 250 AUTH PLAIN LOGIN",
    );
}

#[test]
fn order_of_commands() {
    mx("S: 220 ...
        C: MAIL FROM:<a@b.test>
        S: 503 5.5.1 EHLO first
        C: EHLO x
        S: 250-...
        S: 250-...
        S: 250-...
        S: 250-...
        S: 250-...
        S: 250-...
        S: 250-...
        S: 250-...
        S: 250-...
        S: 250-...
        S: 250-...
        S: 250 ...
        C: RCPT TO:<ann@example.org>
        S: 503 5.5.1 MAIL first
        C: DATA
        S: 503 5.5.1 MAIL first
        C: MAIL FROM:<a@b.test>
        S: 250 2.1.0 Ok
        C: MAIL FROM:<a@b.test>
        S: 503 5.5.1 A message is under way already; RSET forgets it
        C: DATA
        S: 503 5.5.1 No recipient has been accepted
        C: RSET
        S: 250 2.0.0 Ok
        C: RCPT TO:<ann@example.org>
        S: 503 5.5.1 MAIL first
        C: MAIL FROM:<a@b.test>
        S: 250 2.1.0 Ok
        C: HELO again
        S: 250 mail.example.org
        C: RCPT TO:<ann@example.org>
        S: 503 5.5.1 MAIL first
        C: NOOP whatever
        S: 250 2.0.0 Ok
        C: VRFY ann
        S: 252 2.1.5 Send it a message and see
        C: EXPN all
        S: 502 5.7.0 Lists are not shown
        C: HELP
        S: 214 2.0.0 ...");
}

#[test]
fn paths_and_parameters() {
    mx("S: 220 ...
        C: HELO x
        S: 250 ...
        C: mail from: <a@b.test> size=1000 body=8bitmime ret=hdrs envid=QQ314159
        S: 250 2.1.0 Ok
        C: RCPT TO:<ANN@Example.ORG> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;Ann@example.org
        S: 250 2.1.5 Ok
        C: RCPT TO:<ann@example.org> ORCPT=utf-8;\\x{90AE}\\x{2B}@example.org
        S: 250 2.1.5 Ok
        C: RCPT TO:<ann@example.org> orcpt=x400;/C=de/ NOTIFY=NEVER
        S: 250 2.1.5 Ok
        C: RCPT TO:<ann@example.org> ORCPT=rfc822;a ORCPT=rfc822;b
        S: 501 5.5.4 ORCPT is given twice
        C: RCPT TO:<ann@example.org> ORCPT=rfc822
        S: 501 5.5.4 The value of ORCPT is not allowed
        C: RCPT TO:<@relay.test,@other.test:ann@example.org>
        S: 250 2.1.5 Ok
        C: RCPT TO:<a.n.n@example.org>
        S: 250 2.1.5 Ok
        C: RCPT TO:<\"ann\"@example.org>
        S: 250 2.1.5 Ok
        C: RCPT TO:<nobody@example.org>
        S: 550 5.1.1 No such mailbox here
        C: RCPT TO:<Postmaster>
        S: 550 5.1.1 No domain here has the address postmaster
        C: RCPT TO:<a@elsewhere.test>
        S: 550 5.7.1 Relaying denied: that domain is not served here
        C: RCPT TO:<ann>
        S: 501 5.1.3 That is no address; ...
        C: RCPT TO: ann@example.org
        S: 501 5.5.4 Wrong arguments; ...
        C: RCPT TO:<ann@example.org> NOTIFY=NEVER,SUCCESS
        S: 501 5.5.4 NEVER stands alone in NOTIFY
        C: RCPT TO:<ann@example.org> XYZ=1
        S: 555 5.5.4 That parameter is not known here
        C: RSET
        S: 250 2.0.0 Ok
        C: MAIL FROM:<>
        S: 250 2.1.0 Ok
        C: RSET
        S: 250 2.0.0 Ok
        C: MAIL FROM:<a@b.test> SIZE=52428801
        S: 552 5.3.4 The message is too big; 52428800 bytes are allowed
        C: MAIL FROM:<a@b.test> SOLICIT=org.example:ADV
        S: 555 5.5.4 SOLICIT is not offered here
        C: MAIL FROM:<a@b.test> SIZE=x
        S: 501 5.5.4 The value of SIZE is not allowed
        C: MAIL FROM:<\u{90ae}@b.test>
        S: 553 5.6.7 An address in UTF-8 needs SMTPUTF8 at MAIL
        C: MAIL FROM:<\u{90ae}@b.test> SMTPUTF8
        S: 250 2.1.0 Ok");
}

#[test]
fn relaying_by_lmtp_is_refused() {
    lmtp(
        "S: 220 ...
        C: LHLO x
        S: 250-...
        S: 250-...
        S: 250-...
        S: 250-...
        S: 250-...
        S: 250-...
        S: 250-...
        S: 250-...
        S: 250-...
        S: 250 ...
        C: MAIL FROM:<a@b.test>
        S: 250 2.1.0 Ok
        C: RCPT TO:<a@elsewhere.test>
        S: 550 5.1.2 That domain is not served here
        C: RCPT TO:<nobody@example.org>
        S: 550 5.1.1 No such mailbox here
        C: DATA
        S: 503 5.5.1 No recipient has been accepted",
    );
}

#[test]
fn sizes_that_cannot_be_meant_are_refused() {
    mx("S: 220 ...
        C: HELO x
        S: 250 ...
        C: MAIL FROM:<a@b.test> SIZE=
        S: 501 5.5.4 The value of SIZE is not allowed
        C: MAIL FROM:<a@b.test> BODY=8BITMIME size=-1
        S: 501 5.5.4 The value of SIZE is not allowed
        C: MAIL FROM:<a@b.test> SIZE=99999999999999999999999
        S: 552 5.3.4 ...
        C: mail from:<\"99999999999999999999999 SIZE=x\"@b.test> SIZE=9
        S: 250 2.1.0 Ok");
}

/// RFC 5321 sections 4.1.2 and 4.1.3.
#[test]
fn paths_may_have_an_address_in_the_place_of_a_domain_and_only_one_is_null() {
    mx("S: 220 ...
        C: HELO x
        S: 250 ...
        C: MAIL FROM:<root@[192.0.2.1]> SIZE=5
        S: 250 2.1.0 Ok
        C: RCPT TO:<ann@[IPv6:2001:db8::1]>
        S: 550 5.7.1 Relaying denied: that domain is not served here
        C: RCPT TO:<ann@[192.0.2.256]>
        S: 553 5.1.3 address \"ann@[192.0.2.256]\": has an address literal that is neither [IPv4] nor [IPv6:...]
        C: RCPT TO:<ann@example.org> NOTIFY=NEVER
        S: 250 2.1.5 Ok
        C: RSET
        S: 250 2.0.0 Ok
        C: MAIL FROM:<postmaster>
        S: 501 5.1.7 That is no address; ...
        C: MAIL FROM:<\"Postmaster\">
        S: 501 5.1.7 That is no address; ...
        C: MAIL FROM:< >
        S: 250 2.1.0 Ok");
}

/// RFC 5321 section 4.5.1.
#[test]
fn postmaster_without_a_domain_is_that_of_a_domain_here() {
    let shared = shared();
    let address = |text: &str| Address::parse(text).expect("an address");
    let change = Change::AliasAdd { account: address("ann@example.org"), alias: address("postmaster@example.org") };
    for done in shared.engine.change_directory(vec![change]).wait() {
        done.expect("changed");
    }
    // RFC 5321 section 3.3: the null path is nobody's.
    let mail = b"HELO x\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<>\r\nRCPT TO:<Postmaster>\r\nDATA\r\nSubject: x\r\n\r\n.\r\nQUIT\r\n";
    let heard = answers(SmtpService::mx(shared.clone()), mail.to_vec());
    assert!(heard.contains("\r\n501 5.1.3 <> is nobody's address"), "{heard}");
    assert!(heard.contains("\r\n250 2.0.0 Taken"), "{heard}");
    assert_eq!(inbox(&shared, "ann@example.org").len(), 1);
}
