//! FETCH: every item, sections, partials, \Seen.
use super::play;

/// A multipart of 234 bytes: text and an embedded message.
const MULTIPART: &str = "C: a APPEND INBOX {234+}
C: From: Ann <ann@example.org>
C: Subject: parts
C: Content-Type: multipart/mixed; boundary=b
C: 
C: --b
C: Content-Type: text/plain; charset=utf-8
C: 
C: hello
C: --b
C: Content-Type: message/rfc822
C: 
C: Subject: inner
C: To: bob@example.org
C: 
C: deep
C: --b--
C: 
S: a OK [APPENDUID ...
C: s SELECT INBOX
S: * FLAGS ...
S: * OK [PERMANENTFLAGS ...
S: * 1 EXISTS
S: * 1 RECENT
S: * OK [UNSEEN 1] ...
S: * OK [UIDVALIDITY ...
S: * OK [UIDNEXT 2] ...
S: * OK [HIGHESTMODSEQ ...
S: * OK [MAILBOXID (...
S: s OK [READ-WRITE] ...
";

fn play_on_multipart(script: &str) {
    let script = format!("{MULTIPART}{script}");
    play(Box::leak(script.into_boxed_str()));
}

#[test]
fn items_without_the_body() {
    play_on_multipart(
        "C: b FETCH 1 FAST
         S: * 1 FETCH (FLAGS (\\Recent) INTERNALDATE \"24-Nov-2026 ... +0000\" RFC822.SIZE 234)
         S: b OK FETCH completed
         C: c FETCH 1 (UID ENVELOPE)
         S: * 1 FETCH (UID 1 ENVELOPE (NIL \"parts\" ((\"Ann\" NIL \"ann\" \"example.org\")) ... NIL NIL))
         S: c OK ...
         C: d UID FETCH 1 BODYSTRUCTURE
         S: * 1 FETCH (UID 1 BODYSTRUCTURE ((\"text\" \"plain\" (\"charset\" \"utf-8\") NIL NIL \"7bit\" 5 ...)(\"message\" \"rfc822\" ...
         S: d OK ...
         C: e FETCH 1 BODY
         S: * 1 FETCH (BODY ((\"text\" \"plain\" ...
         S: e OK ...
         C: f FETCH 1:* FLAGS
         S: * 1 FETCH (FLAGS (\\Recent))
         S: f OK ...
         C: g UID FETCH 77:* FLAGS
         S: * 1 FETCH (UID 1 FLAGS (\\Recent))
         S: g OK ...
         C: h UID FETCH 77 FLAGS
         S: h OK ...
         C: i FETCH 2 FLAGS
         S: i BAD ...
         C: j FETCH 1 BINARY[TEXT]
         S: j BAD ...",
    );
}

#[test]
fn sections() {
    play_on_multipart(
        "C: b FETCH 1 BODY.PEEK[1]
         S: * 1 FETCH (BODY[1] {5}
         S: hello)
         S: b OK ...
         C: c FETCH 1 BODY.PEEK[2.HEADER]
         S: * 1 FETCH (BODY[2.HEADER] {39}
         S: Subject: inner
         S: To: bob@example.org
         S: 
         S: )
         S: c OK ...
         C: d FETCH 1 BODY.PEEK[2.TEXT]<1.2>
         S: * 1 FETCH (BODY[2.TEXT]<1> {2}
         S: ee)
         S: d OK ...
         C: e FETCH 1 BODY.PEEK[2.MIME]
         S: * 1 FETCH (BODY[2.MIME] {32}
         S: Content-Type: message/rfc822
         S: 
         S: )
         S: e OK ...
         C: f FETCH 1 BODY.PEEK[HEADER.FIELDS (subject X-NONE)]
         S: * 1 FETCH (BODY[HEADER.FIELDS (subject X-NONE)] {18}
         S: Subject: parts
         S: 
         S: )
         S: f OK ...
         C: g FETCH 1 BODY.PEEK[HEADER.FIELDS.NOT (From Content-Type)]
         S: * 1 FETCH (BODY[HEADER.FIELDS.NOT (From Content-Type)] {18}
         S: Subject: parts
         S: 
         S: )
         S: g OK ...
         C: h FETCH 1 (BODY.PEEK[3] BODY.PEEK[1.TEXT] BODY.PEEK[2.1])
         S: * 1 FETCH (BODY[3] NIL BODY[1.TEXT] NIL BODY[2.1] {4}
         S: deep)
         S: h OK ...
         C: i FETCH 1 BODY.PEEK[]<229.100>
         S: * 1 FETCH (BODY[]<229> {5}
         S: b--
         S: )
         S: i OK ...",
    );
}

#[test]
fn reading_a_body_makes_it_seen() {
    play_on_multipart(
        "C: b FETCH 1 RFC822.HEADER
         S: * 1 FETCH (RFC822.HEADER {...}
         S: From: ...
         S: Subject: parts
         S: Content-Type: ...
         S: 
         S: )
         S: b OK ...
         C: c FETCH 1 BODY[1]
         S: * 1 FETCH (BODY[1] {5}
         S: hello FLAGS (\\Seen \\Recent))
         S: c OK ...
         C: d FETCH 1 (FLAGS BODY[1])
         S: * 1 FETCH (FLAGS (\\Seen \\Recent) BODY[1] {5}
         S: hello)
         S: d OK ...
         C: e EXAMINE INBOX
         S: * OK [CLOSED] ...
         S: * FLAGS ...
         S: * OK [PERMANENTFLAGS ()] ...
         S: * 1 EXISTS
         S: * 0 RECENT
         S: * OK [UIDVALIDITY ...
         S: * OK [UIDNEXT 2] ...
         S: * OK [HIGHESTMODSEQ ...
         S: * OK [MAILBOXID (...
         S: e OK [READ-ONLY] ...
         C: f FETCH 1 RFC822.TEXT
         S: * 1 FETCH (RFC822.TEXT {...",
    );
}
