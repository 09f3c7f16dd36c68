//! COPY, MOVE, EXPUNGE and their uids.
use super::play;

#[test]
fn copy_and_move() {
    play(
        "C: a APPEND INBOX {12+}
         C: Subject: 1
         C: 
         S: a OK [APPENDUID ... 1] ...
         C: a APPEND INBOX {12+}
         C: Subject: 2
         C: 
         S: a OK [APPENDUID ... 2] ...
         C: a APPEND INBOX {12+}
         C: Subject: 3
         C: 
         S: a OK [APPENDUID ... 3] ...
         C: s SELECT INBOX
         S: * FLAGS ...
         S: * OK [PERMANENTFLAGS ...
         S: * 3 EXISTS
         S: * 3 RECENT
         S: * OK [UNSEEN 1] ...
         S: * OK [UIDVALIDITY ...
         S: * OK [UIDNEXT 4] ...
         S: * OK [HIGHESTMODSEQ ...
         S: * OK [MAILBOXID (...
         S: s OK [READ-WRITE] ...
         C: b COPY 1:2 Trash
         S: b OK [COPYUID ... 1:2 1:2] COPY completed
         C: c COPY 1 missing
         S: c NO [TRYCREATE] ...
         C: d COPY 4 Trash
         S: d BAD ...
         C: e UID COPY 99 Trash
         S: e OK No matching messages
         C: f UID MOVE 2:3 Trash
         S: * OK [COPYUID ... 2:3 3:4] Moved
         S: * 3 EXPUNGE
         S: * 2 EXPUNGE
         S: f OK MOVE completed
         C: g FETCH 1:* UID
         S: * 1 FETCH (UID 1)
         S: g OK ...
         C: h STORE 1 +FLAGS.SILENT (\\Deleted)
         S: h OK STORE completed
         C: i UID EXPUNGE 2
         S: i OK EXPUNGE completed
         C: j UID EXPUNGE 1:*
         S: * 1 EXPUNGE
         S: j OK EXPUNGE completed
         C: k EXPUNGE
         S: k OK EXPUNGE completed",
    );
}
