//! Who may import whom between crates, read from the manifests. Never resolves versions.

/// Crate folder, its package, and the packages of ours that it may name in any dependency table.
const ALLOWED: [(&str, &[&str]); 6] = [
    ("engine", &[]),
    ("protocols", &["posthouse-engine"]),
    ("admin", &["posthouse-engine"]),
    ("tools", &["posthouse-engine", "posthouse-protocols", "posthouse-admin"]),
    ("benches", &["posthouse-engine", "posthouse-protocols", "posthouse-admin"]),
    ("tests", &["posthouse-engine", "posthouse-protocols", "posthouse-admin", "posthouse"]),
];

/// Crates that would bring sockets, an async runtime or HTTP into the engine.
const NOT_IN_ENGINE: [&str; 8] =
    ["tokio", "hyper", "axum", "io-uring", "socket2", "rustls", "imap-codec", "smtp-proto"];

/// Complaints about the manifest of the crate in `folder`.
pub fn manifest(folder: &str, text: &str) -> Vec<String> {
    let Some((_, allowed)) = ALLOWED.iter().find(|(name, _)| *name == folder) else {
        return vec![format!("{folder}: a crate that the import rules do not know")];
    };
    let mut out = Vec::new();
    for name in dependencies(text) {
        if name.starts_with("posthouse") && !allowed.contains(&name.as_str()) {
            out.push(format!("{folder}/Cargo.toml: may not import {name}"));
        }
        if folder == "engine" && NOT_IN_ENGINE.contains(&name.as_str()) {
            out.push(format!("engine/Cargo.toml: {name} belongs above the engine"));
        }
    }
    out
}

/// The names in every `[...dependencies]` table, also those written as `[dependencies.name]`.
fn dependencies(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut inside = false;
    for line in text.lines().map(str::trim) {
        if let Some(table) = line.strip_prefix('[') {
            let table = table.trim_end_matches(']');
            inside = table.ends_with("dependencies");
            if let Some((_, name)) = table.rsplit_once("dependencies.") {
                out.push(name.to_owned());
            }
        } else if inside && !line.starts_with('#') {
            let name: String = line.chars().take_while(|c| c.is_alphanumeric() || "-_".contains(*c)).collect();
            if !name.is_empty() {
                out.push(name);
            }
        }
    }
    out
}

/// Sockets in engine code: it gets bytes and requests, never a connection.
pub fn engine_sockets(name: &str, code: &str) -> Vec<String> {
    ["TcpStream", "TcpListener", "UdpSocket", "UnixStream", "UnixListener"]
        .iter()
        .filter(|word| super::lexer::words(code).iter().any(|(_, w)| w == *word))
        .map(|word| format!("{name}: {word} in the engine"))
        .collect()
}
