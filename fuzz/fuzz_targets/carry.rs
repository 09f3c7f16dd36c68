//! What export, import, backup and restore read: lists of backups, manifests, mboxes, names.
#![no_main]
use posthouse_fuzz::Take;

posthouse_fuzz::target!(run, seeds: seeds());

fn run(data: &[u8]) {
    let mut take = Take(data);
    match take.u8() % 4 {
        0 => drop(posthouse::fuzz::backup_list(take.0)),
        1 => drop(posthouse::fuzz::manifest(take.0)),
        2 => {
            let piece = usize::from(take.u8());
            posthouse::fuzz::mbox(take.0, piece);
        }
        _ => posthouse::fuzz::names(&String::from_utf8_lossy(take.0)),
    }
}

fn seeds() -> Vec<Vec<u8>> {
    let tagged = |tag: u8, text: &str| [&[tag], text.as_bytes()].concat();
    let file = r#"{"dir":"shards/00000","name":"seg","bytes":3,"sha256":"00","at":"files/x"}"#;
    let list = format!(
        r#"{{"version":1,"number":1,"made":"2026-11-24T05:00:00Z","posthouse":"0","store":{file},"shards":[{{"dir":"shards/00000","files":[{file}]}}]}}"#
    );
    let manifest = concat!(
        r#"{"is":"export","version":1,"format":"eml"}"#,
        "\n",
        r#"{"is":"mailbox","account":"a@b.test","mailbox":"INBOX","path":"a@b.test/INBOX","subscribed":true}"#,
        "\n",
        r#"{"is":"message","account":"a@b.test","mailbox":"INBOX","uid":1,"flags":["\\Seen"],"date":"2026-11-24T05:00:00Z","size":3,"sha256":"00","path":"x","within":{"offset":1,"length":2,"lf":true}}"#,
        "\n",
        r#"{"is":"unreadable","account":"a@b.test","mailbox":"INBOX","uid":2,"error":"corrupt"}"#,
        "\n",
        r#"{"is":"end","messages":1,"bytes":3,"unreadable":1}"#,
        "\n",
    );
    let mbox = "\u{3}From a@b.test Tue Nov 24 05:00:00 2026\nStatus: RO\nX-Keywords: one two\n\n>From here\n\nFrom - Tue Nov 24 05:00:00 2026 +0800\r\nX-Mozilla-Status: 0001\r\n\r\nhello\r\n";
    assert!(posthouse::fuzz::backup_list(list.as_bytes()), "a good list");
    assert_eq!(posthouse::fuzz::manifest(manifest.as_bytes()), 5, "good lines");
    vec![
        tagged(0, &list),
        tagged(1, manifest),
        tagged(2, mbox),
        tagged(3, "0 $Work\n1.x:2,RSa"),
        tagged(3, "INBOX/项目.eml"),
    ]
}
