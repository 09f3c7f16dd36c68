//! The floors inside the engine: a room imports only lower floors, and neighbours on one floor do
//! not import each other. Paths are read from blanked code; macros are not expanded.

use super::lexer::code_only;

/// Each room with its floor, from the ground up. `lib` sees everything.
const FLOORS: [(&str, u8); 15] = [
    ("base", 0),
    ("disk", 1),
    ("format", 2),
    ("log", 3),
    ("index", 4),
    ("directory", 4),
    ("quota", 4),
    ("search", 4),
    ("archive", 4),
    ("queue", 4),
    ("trace", 4),
    ("mailflow", 5),
    ("delivery", 6),
    ("engine", 7),
    ("rescue", 8),
];

/// The one list of exceptions: (room, room that it may import all the same, why).
const EXCEPTIONS: [(&str, &str, &str); 1] = [(
    "search",
    "index",
    "a scan reads messages, and index::mime, pure functions without state, is what understands them",
)];

fn floor(room: &str) -> Option<u8> {
    FLOORS.iter().find(|(name, _)| *name == room).map(|(_, floor)| *floor)
}

/// Complaints about one file under `engine/src/`; `name` is relative to the repository.
pub fn check(name: &str, text: &str) -> Vec<String> {
    let Some(inside) = name.strip_prefix("engine/src/") else {
        return Vec::new();
    };
    let module = module_path(inside);
    let Some(room) = module.first() else {
        return Vec::new();
    };
    let Some(own) = floor(room) else {
        return vec![format!("{name}: room {room} stands on no floor")];
    };
    let mut out = Vec::new();
    for target in imports(&code_only(text), module.len()) {
        let excepted = EXCEPTIONS.iter().any(|(from, to, _)| from == room && *to == target);
        match floor(&target) {
            Some(other) if target != *room && other >= own && !excepted => {
                out.push(format!("{name}: {room} (floor {own}) imports {target} (floor {other})"));
            }
            _ => {}
        }
    }
    out.dedup();
    out
}

/// `log/writer.rs` is `[log, writer]`, `log/mod.rs` and `log.rs` are `[log]`, `lib.rs` is empty.
fn module_path(inside: &str) -> Vec<String> {
    let mut parts: Vec<String> = inside.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    if matches!(parts.last().map(String::as_str), Some("mod" | "lib")) {
        parts.pop();
    }
    parts
}

/// First path parts after `crate::`, and after a chain of `super::` that reaches the crate's root
/// from a module `depth` levels down. A brace group gives each of its members.
fn imports(code: &str, depth: usize) -> Vec<String> {
    let mut out = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let before = code[..at].chars().next_back();
        if !before.is_some_and(|c| c == '_' || c.is_alphanumeric()) {
            out.extend(heads(&code[at + "crate::".len()..]));
        }
    }
    let chain = "super::".repeat(depth.max(1));
    for (at, _) in code.match_indices(&chain) {
        out.extend(heads(&code[at + chain.len()..]));
    }
    out
}

/// The first names of a path or of a `{a::b, c}` group.
fn heads(rest: &str) -> Vec<String> {
    let ident =
        |text: &str| text.trim_start().chars().take_while(|c| *c == '_' || c.is_alphanumeric()).collect::<String>();
    let Some(group) = rest.trim_start().strip_prefix('{') else {
        return vec![ident(rest)];
    };
    let mut out = vec![ident(group)];
    let mut level = 0usize;
    for (i, c) in group.char_indices() {
        match c {
            '{' => level += 1,
            '}' if level == 0 => break,
            '}' => level -= 1,
            ',' if level == 0 => out.push(ident(&group[i + 1..])),
            _ => {}
        }
    }
    out
}
