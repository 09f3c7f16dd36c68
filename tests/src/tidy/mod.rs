//! The house rules as functions from text to complaints: `tests/tidy.rs` runs them over the tracked
//! files and proves on bad samples that they can fail. Reads files; never changes one.

pub mod crates;
pub mod decoders;
pub mod files;
pub mod floors;
pub mod lexer;

use std::path::{Path, PathBuf};
use std::process::Command;

/// The top of the repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_path_buf).unwrap_or_default()
}

/// Every file that git tracks or would track, relative to the top, with `/` between names.
///
/// # Panics
/// When git cannot list them: without the list nothing would be checked.
pub fn tracked(root: &Path) -> Vec<String> {
    let output = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(root)
        .output()
        .expect("git ls-files runs");
    assert!(output.status.success(), "git ls-files: {}", String::from_utf8_lossy(&output.stderr));
    let mut names: Vec<String> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter(|name| root.join(name).is_file())
        .map(str::to_owned)
        .collect();
    names.sort();
    names
}
