//! SORT, ESORT and THREAD.
use super::play;

const FOUR: &str = "C: a APPEND INBOX \"01-Jan-2020 00:00:04 +0000\" {122+}
C: Date: Wed, 1 Jan 2020 05:00:00 +0000
C: From: Zoe <ann@example.org>
C: Subject: Re: b
C: Message-ID: <1@x>
C: References: <3@x>
C: 
C: 
S: a OK ...
C: a APPEND INBOX \"01-Jan-2020 00:00:03 +0000\" {115+}
C: Date: Wed, 1 Jan 2020 04:00:00 +0000
C: From: bob@example.org
C: To: dan@example.org
C: Subject: A
C: Message-ID: <2@x>
C: 
C: 
S: a OK ...
C: a APPEND INBOX \"01-Jan-2020 00:00:02 +0000\" {129+}
C: Date: Wed, 1 Jan 2020 04:00:00 +0100
C: From: =?utf-8?q?=C3=84nn?= <cat@example.org>
C: Cc: a@example.org
C: Subject: b
C: Message-ID: <3@x>
C: 
C: 
S: a OK ...
C: a APPEND INBOX \"01-Jan-2020 00:00:01 +0000\" {38+}
C: Subject: [list] a
C: Message-ID: <4@x>
C: S: a OK ...
";

fn whole(script: &str) -> &'static str {
    let mut whole = String::new();
    let mut lines = FOUR.lines().peekable();
    while let Some(line) = lines.next() {
        let Some((start, _)) = line.split_once('{') else {
            whole += line;
            whole.push('\n');
            continue;
        };
        let mut body = Vec::new();
        while let Some(text) = lines.next_if(|line| !line.contains("S: a OK")) {
            body.push(text);
        }
        lines.next();
        let size: usize = body.iter().map(|line| line.len() - 3 + 2).sum::<usize>();
        whole += &format!("{start}{{{size}+}}\n{}\nC: \nS: a OK ...\n", body.join("\n"));
    }
    whole +=
        "C: s SELECT INBOX\nS: * FLAGS ...\nS: * OK [PERM...\nS: * 4 EXISTS\nS: * 4 RECENT\nS: * OK [UNSEEN 1] ...\n";
    whole += "S: * OK [UIDV...\nS: * OK [UIDN...\nS: * OK [HIGH...\nS: * OK [MAILB...\nS: s OK ...\n";
    whole += script;
    Box::leak(whole.into_boxed_str())
}

#[test]
fn every_criterion() {
    let cases = [
        ("ARRIVAL", "4 3 2 1"),
        ("REVERSE ARRIVAL", "1 2 3 4"),
        ("DATE", "4 3 2 1"),
        ("SUBJECT", "2 4 1 3"),
        ("SUBJECT DATE", "4 2 3 1"),
        ("SUBJECT REVERSE DATE", "2 4 1 3"),
        ("FROM", "4 1 2 3"),
        ("DISPLAYFROM", "4 3 2 1"),
        ("TO", "1 3 4 2"),
        ("DISPLAYTO", "1 3 4 2"),
        ("CC", "1 2 4 3"),
        ("SIZE", "4 2 1 3"),
    ];
    let mut script = String::new();
    for (at, (criteria, expected)) in cases.iter().enumerate() {
        script += &format!("C: t{at} SORT ({criteria}) UTF-8 ALL\nS: * SORT {expected}\nS: t{at} OK SORT completed\n");
    }
    script += "C: a UID SORT (ARRIVAL) US-ASCII SUBJECT b\nS: * SORT 3 1\nS: a OK ...
        C: b SORT RETURN (MIN MAX COUNT ALL) (REVERSE ARRIVAL) UTF-8 ALL
        S: * ESEARCH (TAG \"b\") MIN 1 MAX 4 COUNT 4 ALL 1:4
        S: b OK ...
        C: c UID SORT RETURN (PARTIAL 1:2) (ARRIVAL) UTF-8 NOT 2
        S: * ESEARCH (TAG \"c\") UID PARTIAL (1:2 4,3)
        S: c OK ...
        C: d SORT (DATE) EBCDIC ALL
        S: d NO [BADCHARSET ...
        C: e SORT (NONSENSE) UTF-8 ALL
        S: e BAD ...
        C: f SORT (DATE) UTF-8
        S: f BAD ...
        C: g SORT (DATE) UTF-8 SEEN
        S: * SORT
        S: g OK ...
        C: h SORT RETURN (SAVE) (DATE) UTF-8 1:2
        S: h OK ...
        C: i SEARCH $
        S: * SEARCH 1 2
        S: i OK ...
        C: j SORT (ARRIVAL) UTF-8 MODSEQ 3
        S: * OK [HIGHESTMODSEQ 5] ...
        S: * SORT 4 3 2 (MODSEQ 5)
        S: j OK ...";
    play(whole(&script));
}

#[test]
fn threads() {
    play(whole(
        "C: a THREAD REFERENCES UTF-8 ALL
         S: * THREAD ((4)(2))(3 1)
         S: a OK THREAD completed
         C: b UID THREAD ORDEREDSUBJECT UTF-8 ALL
         S: * THREAD (4 2)(3 1)
         S: b OK ...
         C: r THREAD REFS UTF-8 ALL
         S: * THREAD (4)(2)(3 1)
         S: r OK THREAD completed
         C: c THREAD REFERENCES UTF-8 SEEN
         S: * THREAD
         S: c OK ...
         C: d THREAD NONSENSE UTF-8 ALL
         S: d BAD REFERENCES, REFS or ORDEREDSUBJECT expected at byte 10 of the command
         C: e THREAD REFERENCES EBCDIC ALL
         S: e NO [BADCHARSET ...",
    ));
}
