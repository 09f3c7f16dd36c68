//! SEARCH: every key.
use super::play;

const THREE: &str = "C: a APPEND INBOX (\\Seen) \"01-Jan-2020 12:00:00 +0000\" {99+}
C: Date: Thu, 31 Dec 2019 23:30:00 -0500
C: From: Ann <ann@example.org>
C: Subject: first light
C: 
C: alpha
C: 
S: a OK [APPENDUID ... 1] ...
C: a APPEND INBOX (\\Flagged \\Draft work) \"05-Jan-2020 12:00:00 +0000\" {233+}
C: Date: Sun, 5 Jan 2020 12:00:00 +0000
C: To: bob@example.org
C: Cc: carol@example.org
C: Subject: =?utf-8?B?5pel5pys?=
C: X-Odd: Thing
C: Content-Type: text/plain; charset=utf-8
C: Content-Transfer-Encoding: quoted-printable
C: 
C: be=74a =E6=97=A5
C: 
S: a OK [APPENDUID ... 2] ...
C: a APPEND INBOX (\\Answered \\Deleted) \"09-Jan-2020 12:00:00 +0000\" {47+}
C: Subject: third
C: Bcc: dan@example.org
C: 
C: gamma
C: 
S: a OK [APPENDUID ... 3] ...
C: s SELECT INBOX
S: * FLAGS ...
S: * OK [PERMANENTFLAGS ...
S: * 3 EXISTS
S: * 3 RECENT
S: * OK [UNSEEN 2] ...
S: * OK [UIDVALIDITY ...
S: * OK [UIDNEXT 4] ...
S: * OK [HIGHESTMODSEQ ...
S: * OK [MAILBOXID (...
S: s OK [READ-WRITE] ...
";

#[test]
fn keys() {
    let cases = [
        ("ALL", "1 2 3"),
        ("2:3", "2 3"),
        ("UID 1,3", "1 3"),
        ("UID 99:*", "3"),
        ("ANSWERED", "3"),
        ("UNANSWERED", "1 2"),
        ("DELETED", "3"),
        ("UNDELETED", "1 2"),
        ("DRAFT", "2"),
        ("UNDRAFT", "1 3"),
        ("FLAGGED", "2"),
        ("UNFLAGGED", "1 3"),
        ("SEEN", "1"),
        ("UNSEEN", "2 3"),
        ("KEYWORD WORK", "2"),
        ("UNKEYWORD work", "1 3"),
        ("RECENT", "1 2 3"),
        ("NEW", "2 3"),
        ("OLD", ""),
        ("BEFORE 5-Jan-2020", "1"),
        ("ON 5-Jan-2020", "2"),
        ("SINCE \"5-Jan-2020\"", "2 3"),
        ("SENTBEFORE 1-Jan-2020", "1"),
        ("SENTON 31-Dec-2019", "1"),
        ("SENTSINCE 1-Jan-2020", "2"),
        ("LARGER 150", "2"),
        ("SMALLER 150", "1 3"),
        ("FROM ANN", "1"),
        ("TO bob", "2"),
        ("CC carol", "2"),
        ("BCC dan", "3"),
        ("SUBJECT LIGHT", "1"),
        ("SUBJECT \"日本\"", "2"),
        ("CHARSET UTF-8 SUBJECT {6+}\nC: 日本", "2"),
        ("HEADER X-Odd \"\"", "2"),
        ("HEADER x-odd thing", "2"),
        ("HEADER x-odd other", ""),
        ("BODY beta", "2"),
        ("BODY Subject", ""),
        ("TEXT first", "1"),
        ("TEXT \"日\"", "2"),
        ("NOT SEEN", "2 3"),
        ("OR FROM ann BODY gamma", "1 3"),
        ("SEEN BODY gamma", ""),
        ("(SEEN) (FROM ann)", "1"),
        ("NOT (OR SEEN FLAGGED)", "3"),
        ("NOT TEXT gamma UNSEEN", "2"),
    ];
    let mut script = THREE.to_owned();
    for (at, (keys, expected)) in cases.iter().enumerate() {
        let found = if expected.is_empty() { String::new() } else { format!(" {expected}") };
        script += &format!("C: t{at} SEARCH {keys}\nS: * SEARCH{found}\nS: t{at} OK SEARCH completed\n");
    }
    script += "C: u UID SEARCH 2\nS: * SEARCH 2\nS: u OK ...
               C: v SEARCH CHARSET EBCDIC TEXT x\nS: v NO [BADCHARSET (...UTF-8...)] ...
               C: w SEARCH 2:9\nS: * SEARCH 2 3\nS: w OK ...
               C: w SEARCH 4\nS: * SEARCH\nS: w OK ...
               C: x SEARCH NONSENSE\nS: x BAD ...\n";
    play(Box::leak(script.into_boxed_str()));
}
