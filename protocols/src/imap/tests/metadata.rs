//! METADATA and LIST-METADATA.
use super::play;

#[test]
fn annotations() {
    play(
        "C: a SETMETADATA INBOX (/private/comment \"My comment\" /SHARED/vendor/x/y {3+}
         C: a
         C: )
         S: a OK SETMETADATA completed
         C: b GETMETADATA INBOX /private/comment
         S: * METADATA INBOX (/private/comment \"My comment\")
         S: b OK GETMETADATA completed
         C: c GETMETADATA INBOX (/private/comment /shared/vendor/x/y /private/none)
         S: * METADATA INBOX (/private/comment \"My comment\" /shared/vendor/x/y {3}
         S: a
         S:  /private/none NIL)
         S: c OK ...
         C: d GETMETADATA (DEPTH 1) INBOX /shared/vendor
         S: d OK ...
         C: e GETMETADATA (DEPTH infinity) INBOX /shared/vendor
         S: * METADATA INBOX (/shared/vendor/x/y {3}
         S: a
         S: )
         S: e OK ...
         C: r GETMETADATA (DEPTH infinity) INBOX (/private /SHARED)
         S: * METADATA INBOX (/private/comment \"My comment\" /shared/vendor/x/y {3}
         S: a
         S: )
         S: r OK ...
         C: f GETMETADATA (DEPTH 1) INBOX /shared/vendor/x
         S: * METADATA INBOX (/shared/vendor/x/y {3}
         S: a
         S: )
         S: f OK ...
         C: g GETMETADATA (MAXSIZE 5) INBOX (/private/comment /shared/vendor/x/y)
         S: * METADATA INBOX (/shared/vendor/x/y {3}
         S: a
         S: )
         S: g OK [METADATA LONGENTRIES 10] ...
         C: h SETMETADATA INBOX (/private/comment NIL)
         S: h OK ...
         C: i GETMETADATA INBOX /private/comment
         S: * METADATA INBOX (/private/comment NIL)
         S: i OK ...
         C: j SETMETADATA \"\" (/private/vendor/z ~{2+}
         C: \u{0}1)
         S: j OK ...
         C: k GETMETADATA \"\" (MAXSIZE 100) /private/vendor/z
         S: * METADATA \"\" (/private/vendor/z ~{2}
         S: \u{0}1)
         S: k OK ...
         C: l SETMETADATA \"\" (/shared/comment \"x\")
         S: l NO [NOPERM] ...
         C: m SETMETADATA missing (/private/comment \"x\")
         S: m NO [NONEXISTENT] ...
         C: n SETMETADATA INBOX (/nonsense \"x\")
         S: n BAD ...
         C: n SETMETADATA INBOX (/private \"x\")
         S: n BAD ...
         C: o GETMETADATA INBOX /private/*
         S: o BAD ...
         C: p LIST \"\" INBOX RETURN (METADATA (/private/comment /shared/vendor/x/y))
         S: * LIST (\\HasNoChildren) \"/\" INBOX
         S: * METADATA INBOX (/private/comment NIL /shared/vendor/x/y {3}
         S: a
         S: )
         S: p OK ...
         C: q GETMETADATA (NONSENSE 1) INBOX /private/comment
         S: q BAD ...",
    );
}

#[test]
fn annotations_go_with_a_renamed_mailbox_and_have_an_end() {
    let mut script = String::from(
        "C: a CREATE x\nS: a OK ...\nC: b SETMETADATA x (/private/comment \"y\")\nS: b OK ...\nC: c RENAME x z\nS: c OK ...\n\
         C: d GETMETADATA z /private/comment\nS: * METADATA z (/private/comment \"y\")\nS: d OK ...\n",
    );
    for number in 1..100 {
        script += &format!("C: e SETMETADATA z (/private/n{number} \"\")\nS: e OK ...\n");
    }
    script += "C: f SETMETADATA z (/private/n100 \"\")\nS: f NO [METADATA TOOMANY] ...\nC: g SETMETADATA z (/private/n99 \"again\")\nS: g OK ...";
    play(Box::leak(script.into_boxed_str()));
}

#[test]
fn each_entry_is_told_once() {
    play(
        "C: a SETMETADATA INBOX (/private/a/b \"one\" /private/a \"two\")
         S: a OK ...
         C: b GETMETADATA (DEPTH infinity) INBOX (/private/a /private/A /private/a/b)
         S: * METADATA INBOX (/private/a \"two\" /private/a/b \"one\")
         S: b OK ...
         C: c GETMETADATA INBOX (/private/none /private/none)
         S: * METADATA INBOX (/private/none NIL)
         S: c OK ...",
    );
}
