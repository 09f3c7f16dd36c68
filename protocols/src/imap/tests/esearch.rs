//! ESEARCH, SEARCHRES, PARTIAL, WITHIN: what SEARCH returns and keeps.
use super::play_with;

#[test]
fn every_return_option() {
    play_with(
        6,
        "C: a STORE 2,4:5 +FLAGS.SILENT (\\Flagged)
         S: a OK ...
         C: b SEARCH RETURN (MIN MAX COUNT ALL) FLAGGED
         S: * ESEARCH (TAG \"b\") MIN 2 MAX 5 COUNT 3 ALL 2,4:5
         S: b OK SEARCH completed
         C: c UID SEARCH RETURN () FLAGGED
         S: * ESEARCH (TAG \"c\") UID ALL 2,4:5
         S: c OK ...
         C: d SEARCH RETURN (MIN MAX COUNT ALL) ANSWERED
         S: * ESEARCH (TAG \"d\") COUNT 0
         S: d OK ...
         C: e SEARCH RETURN (MIN) UNFLAGGED
         S: * ESEARCH (TAG \"e\") MIN 1
         S: e OK ...
         C: f SEARCH RETURN (PARTIAL -1:-2 COUNT) ALL
         S: * ESEARCH (TAG \"f\") COUNT 6 PARTIAL (-1:-2 5:6)
         S: f OK ...
         C: g SEARCH RETURN (PARTIAL 7:9) ALL
         S: * ESEARCH (TAG \"g\") PARTIAL (7:9 NIL)
         S: g OK ...
         C: h SEARCH RETURN (ALL PARTIAL 1:2) ALL
         S: h BAD ...
         C: i SEARCH RETURN (NONSENSE) ALL
         S: i BAD ...
         C: j SEARCH RETURN (COUNT) CHARSET UTF-8 SUBJECT 3
         S: * ESEARCH (TAG \"j\") COUNT 1
         S: j OK ...
         C: k SEARCH RETURN (ALL) MODSEQ 8
         S: * OK [HIGHESTMODSEQ 8] ...
         S: * ESEARCH (TAG \"k\") ALL 2,4:5 MODSEQ 8
         S: k OK ...
         C: l SEARCH RETURN (MIN) MODSEQ 2
         S: * ESEARCH (TAG \"l\") MIN 1 MODSEQ 2
         S: l OK ...",
    );
}

#[test]
fn saved_results() {
    play_with(
        5,
        "C: a FETCH $ UID
         S: a OK ...
         C: b SEARCH RETURN (SAVE) 2:4
         S: b OK ...
         C: c FETCH $ UID
         S: * 2 FETCH (UID 2)
         S: * 3 FETCH (UID 3)
         S: * 4 FETCH (UID 4)
         S: c OK ...
         C: d SEARCH RETURN (COUNT) $ NOT 3
         S: * ESEARCH (TAG \"d\") COUNT 2
         S: d OK ...
         C: e UID STORE $ +FLAGS.SILENT (\\Deleted)
         S: e OK ...
         C: f UID EXPUNGE 3
         S: * 3 EXPUNGE
         S: f OK ...
         C: g UID FETCH $ (FLAGS)
         S: * 2 FETCH (UID 2 FLAGS (\\Deleted \\Recent))
         S: * 3 FETCH (UID 4 FLAGS (\\Deleted \\Recent))
         S: g OK ...
         C: h SEARCH RETURN (SAVE MIN) ALL
         S: * ESEARCH (TAG \"h\") MIN 1
         S: h OK ...
         C: i COPY $ Trash
         S: i OK [COPYUID ... 1 1] ...
         C: j SEARCH RETURN (SAVE) NONSENSE
         S: j BAD ...
         C: k FETCH $ UID
         S: * 1 FETCH (UID 1)
         S: k OK ...
         C: l SEARCH RETURN (SAVE) CHARSET EBCDIC ALL
         S: l NO [BADCHARSET ...
         C: m FETCH $ UID
         S: m OK ...
         C: n SEARCH RETURN (SAVE PARTIAL 1:2) ALL
         S: * ESEARCH (TAG \"n\") PARTIAL (1:2 1:2)
         S: n OK ...
         C: o MOVE $ Trash
         S: * OK [COPYUID ... 1:2 2:3] Moved
         S: * 2 EXPUNGE
         S: * 1 EXPUNGE
         S: o OK ...",
    );
}

#[test]
fn ages() {
    play_with(
        0,
        "C: a APPEND INBOX \"24-Nov-2026 03:50:38 +0000\" {12+}
         C: Subject: x
         C: 
         S: * 1 EXISTS
         S: * 1 RECENT
         S: a OK ...
         C: b SEARCH YOUNGER 10
         S: * SEARCH 1
         S: b OK ...
         C: c SEARCH YOUNGER 9
         S: * SEARCH
         S: c OK ...
         C: d SEARCH OLDER 10
         S: * SEARCH 1
         S: d OK ...
         C: e SEARCH OLDER 11
         S: * SEARCH
         S: e OK ...
         C: f SEARCH OLDER 0
         S: f BAD ...",
    );
}

#[test]
fn pages_of_fetch() {
    play_with(
        5,
        "C: a UID FETCH 2:* (FLAGS) (PARTIAL -1:-2)
         S: * 4 FETCH (UID 4 FLAGS (\\Recent))
         S: * 5 FETCH (UID 5 FLAGS (\\Recent))
         S: a OK ...
         C: b UID FETCH 1:* UID (PARTIAL 2:3)
         S: * 2 FETCH (UID 2)
         S: * 3 FETCH (UID 3)
         S: b OK ...
         C: c FETCH 1:* UID (PARTIAL 2:3)
         S: c BAD ...
         C: d STORE 5 +FLAGS.SILENT (\\Seen)
         S: d OK ...
         C: e UID FETCH 1:* UID (PARTIAL -1:-3 CHANGEDSINCE 6)
         S: * OK [HIGHESTMODSEQ 7] ...
         S: * 5 FETCH (UID 5 MODSEQ (7))
         S: e OK ...",
    );
}
