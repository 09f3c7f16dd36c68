//! Every file of a backup with a changed byte at its start, in its midst and at its end: a restore names the file and leaves nothing that
//! looks like a store, and `--check` names it too.
mod support;

use std::path::{Path, PathBuf};
use support::{House, corpus};

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(dir).expect("listed").flatten() {
        match entry.path().is_dir() {
            true => all.extend(files(&entry.path())),
            false => all.push(entry.path()),
        }
    }
    all
}

#[test]
fn every_file_of_a_backup_is_proven() {
    let house = House::new();
    house.run(&["tenant", "add", "acme"]).ok();
    house.run(&["domain", "add", "acme.test", "--tenant", "acme"]).ok();
    house.run(&["member", "add", "a@acme.test", "--no-password"]).ok();
    let mail = house.path().join("one.eml");
    std::fs::write(&mail, corpus::mail(1)).expect("written");
    house.run(&["import", "--account", "a@acme.test", &text(&mail)]).ok();
    let backups = house.path().join("backups");
    house.run(&["backup", "--to", &text(&backups)]).ok();
    let all = files(&backups);
    assert!(all.len() >= 4, "STORE, two logs and a list: {all:?}");
    let other = House::new();
    let restore = ["restore", "--from", &text(&backups)];
    let mut tried = 0;
    // The mark of such a directory is a name; what stands in it means nothing.
    for path in all.iter().filter(|path| !path.ends_with("POSTHOUSE-BACKUPS")) {
        let whole = std::fs::read(path).expect("read");
        if whole.is_empty() {
            continue;
        }
        for at in [0, whole.len() / 2, whole.len() - 1] {
            let mut bad = whole.clone();
            bad[at] ^= 1 << (at % 8);
            std::fs::write(path, bad).expect("written");
            let said = other.run(&restore);
            let name = text(path.file_name().map(Path::new).expect("a name"));
            assert!(said.code != 0 && said.err.contains(&name), "byte {at} of {}: {}", path.display(), said.err);
            assert!(!other.data().exists() && !other.path().join("data.restoring").exists(), "{}", path.display());
            let said = house.run(&["backup", "--to", &text(&backups), "--check"]);
            assert!(said.code == 8 && said.err.contains(&name), "byte {at} of {}: {}", path.display(), said.err);
            tried += 1;
        }
        std::fs::write(path, whole).expect("written");
    }
    assert!(tried >= 12, "{tried} damages");
    other.run(&restore).ok();
}
