//! Rules for one file's text: size, function length, first line, unfinished work, `unsafe`, paths
//! of a workplace. Each returns complaints that name the line.

use super::lexer::{code_only, line_of, words};

/// No Rust file is longer.
pub const FILE_LINES_MAX: usize = 500;
/// No function is longer, signature and closing brace included.
pub const FUNCTION_LINES_MAX: usize = 70;
/// The only folders whose code may say `unsafe`.
pub const UNSAFE_FOLDERS: [&str; 2] = ["engine/src/disk/", "protocols/src/runtime/uring/"];
/// A SAFETY comment stands at most this many lines above its block.
const SAFETY_LINES_MAX: usize = 8;
/// Names that may stand at the top of the repository.
const TOP_LEVEL: [&str; 19] = [
    ".ci",
    ".gitignore",
    ".gitattributes",
    ".cargo",
    ".config",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "README.zh.md",
    "clippy.toml",
    "deny.toml",
    "rust-toolchain.toml",
    "rustfmt.toml",
    "NOTICE",
    "SECURITY.md",
];
const ROOMS: [&str; 8] = ["admin", "benches", "docs", "engine", "fuzz", "protocols", "tests", "tools"];

/// Everything that one Rust file can do wrong on its own.
pub fn rust(name: &str, text: &str) -> Vec<String> {
    let code = code_only(text);
    let mut out = Vec::new();
    if !text.starts_with("//!") {
        out.push(format!("{name}:1: does not begin with //!"));
    }
    let lines = text.lines().count();
    if lines > FILE_LINES_MAX {
        out.push(format!("{name}: {lines} lines, at most {FILE_LINES_MAX}"));
    }
    out.extend(long_functions(name, &code));
    out.extend(unfinished(name, text, &code));
    out.extend(unsafety(name, text, &code));
    out
}

fn long_functions(name: &str, code: &str) -> Vec<String> {
    let mut out = Vec::new();
    let all = words(code);
    for pair in all.windows(2) {
        let ((at, word), (_, function)) = (pair[0], pair[1]);
        if word != "fn" {
            continue;
        }
        let Some(end) = body_end(code, at) else {
            continue;
        };
        let lines = line_of(code, end) - line_of(code, at) + 1;
        if lines > FUNCTION_LINES_MAX {
            out.push(format!(
                "{name}:{}: fn {function} has {lines} lines, at most {FUNCTION_LINES_MAX}",
                line_of(code, at)
            ));
        }
    }
    out
}

/// The offset of the closing brace of the function at `at`; none for a function without a body.
fn body_end(code: &str, at: usize) -> Option<usize> {
    let mut depth = 0usize;
    let mut brackets = 0usize;
    for (i, byte) in code.bytes().enumerate().skip(at) {
        match byte {
            b'(' | b'[' if depth == 0 => brackets += 1,
            b')' | b']' if depth == 0 => brackets = brackets.saturating_sub(1),
            b';' if depth == 0 && brackets == 0 => return None,
            b'{' => depth += 1,
            b'}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return Some(i);
                }
            }
            _ => {}
        }
    }
    None
}

fn unfinished(name: &str, text: &str, code: &str) -> Vec<String> {
    // Spelled in halves so that this file does not accuse itself.
    let notes = [concat!("FIX", "ME"), concat!("TO", "DO"), concat!("XX", "X")];
    let mut out = Vec::new();
    for (number, line) in text.lines().enumerate() {
        for note in notes {
            if words(line).iter().any(|(_, word)| *word == note) {
                out.push(format!("{name}:{}: {note}", number + 1));
            }
        }
    }
    for (at, word) in words(code) {
        if (word == "todo" || word == "unimplemented") && code[at + word.len()..].starts_with('!') {
            out.push(format!("{name}:{}: {word}!", line_of(code, at)));
        }
    }
    out
}

fn unsafety(name: &str, text: &str, code: &str) -> Vec<String> {
    let allowed = UNSAFE_FOLDERS.iter().any(|folder| name.starts_with(folder));
    let lines: Vec<&str> = text.lines().collect();
    let mut out = Vec::new();
    for (at, word) in words(code) {
        if word != "unsafe" {
            continue;
        }
        let line = line_of(code, at);
        if !allowed {
            out.push(format!("{name}:{line}: unsafe outside {}", UNSAFE_FOLDERS.join(" and ")));
            continue;
        }
        let from = line.saturating_sub(1 + SAFETY_LINES_MAX);
        if !lines[from..line].iter().any(|l| l.contains("SAFETY:") || l.contains("# Safety")) {
            out.push(format!("{name}:{line}: unsafe without a SAFETY line"));
        }
    }
    out
}

/// Paths of one particular workplace have no place in a file that others read.
pub fn workplace_paths(name: &str, text: &str) -> Vec<String> {
    let mut out = Vec::new();
    for (number, line) in text.lines().enumerate() {
        for folder in [concat!("/wo", "rk"), concat!("/ro", "ot")] {
            let found = line.match_indices(folder).any(|(at, _)| {
                let before = line[..at].chars().next_back();
                let after = line[at + folder.len()..].chars().next();
                !before.is_some_and(is_path_char) && !after.is_some_and(|c| c != '/' && is_path_char(c))
            });
            if found {
                out.push(format!("{name}:{}: names {folder}", number + 1));
            }
        }
    }
    out
}

fn is_path_char(c: char) -> bool {
    c.is_alphanumeric() || "_-.~}/>".contains(c)
}

/// The first part of each tracked name must be a room or a named file.
pub fn top_level(names: &[String]) -> Vec<String> {
    let mut out: Vec<String> = names
        .iter()
        .filter_map(|name| name.split('/').next())
        .filter(|first| !TOP_LEVEL.contains(first) && !ROOMS.contains(first))
        .map(|first| format!("{first}: not a name for the top level"))
        .collect();
    out.dedup();
    if !names.iter().any(|name| name == "Cargo.lock") {
        out.push("Cargo.lock is not tracked".to_owned());
    }
    out
}
