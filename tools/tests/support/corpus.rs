//! The mail sets of `tests/corpus/make.py`, and small mails made on the spot.
#![allow(dead_code, reason = "each test file uses a part")]
use std::path::{Path, PathBuf};
use std::process::Command;

fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A set that `tests/run prepare` has made. `None`: it was not run here, which is told.
pub fn set(name: &str) -> Option<PathBuf> {
    let cache = std::env::var_os("PH_CACHE").map_or_else(|| top().join("tests/.cache"), PathBuf::from);
    let folder = cache.join("corpus").join(name);
    if folder.join("DONE").exists() {
        return Some(folder);
    }
    eprintln!("skipped: no {name} corpus in {}; tests/run prepare makes it", cache.display());
    None
}

/// The Chinese set, made in `into` when it is nowhere else.
pub fn chinese(into: &Path) -> PathBuf {
    set("chinese").unwrap_or_else(|| {
        let made = into.join("chinese");
        let done = Command::new("python3").arg(top().join("tests/corpus/make.py")).arg("chinese").arg(&made).status();
        assert!(done.expect("python3").success());
        made
    })
}

/// A small mail with CRLF line ends.
pub fn mail(number: usize) -> Vec<u8> {
    format!(
        "From: a@example.test\r\nSubject: number {number}\r\nMessage-ID: <{number}@example.test>\r\n\
         Date: Tue, 24 Nov 2026 05:00:{:02} +0000\r\n\r\nBody {number}.\r\n",
        number % 60
    )
    .into_bytes()
}

/// Without CR.
pub fn lf(mail: &[u8]) -> Vec<u8> {
    mail.iter().copied().filter(|byte| *byte != b'\r').collect()
}
