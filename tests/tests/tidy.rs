//! The house rules over every tracked file, and for each rule a bad sample that it must refuse.
//! Never fixes anything.

use posthouse_tests::tidy::{crates, decoders, files, floors, lexer, root, tracked};

fn read(name: &str) -> Option<String> {
    std::fs::read(root().join(name)).ok().and_then(|bytes| String::from_utf8(bytes).ok())
}

fn none(complaints: &[String]) {
    assert!(complaints.is_empty(), "{} complaints:\n{}", complaints.len(), complaints.join("\n"));
}

#[test]
fn rust_files_keep_the_rules() {
    let names: Vec<String> = tracked(&root()).into_iter().filter(|n| n.ends_with(".rs")).collect();
    assert!(names.len() > 10, "only {} Rust files found", names.len());
    let mut complaints = Vec::new();
    for name in names {
        let text = read(&name).unwrap_or_default();
        complaints.extend(files::rust(&name, &text));
        complaints.extend(floors::check(&name, &text));
        if name.starts_with("engine/src/") {
            complaints.extend(crates::engine_sockets(&name, &lexer::code_only(&text)));
        }
    }
    none(&complaints);
}

#[test]
fn crates_import_downwards_only() {
    let mut complaints = Vec::new();
    for name in tracked(&root()) {
        let parts: Vec<&str> = name.split('/').collect();
        if let [folder, "Cargo.toml"] = parts[..]
            && folder != "fuzz"
        {
            complaints.extend(crates::manifest(folder, &read(&name).unwrap_or_default()));
        }
    }
    none(&complaints);
}

#[test]
fn the_top_level_is_short_and_no_file_names_a_workplace() {
    let names = tracked(&root());
    let mut complaints = files::top_level(&names);
    for name in &names {
        if let Some(text) = read(name) {
            complaints.extend(files::workplace_paths(name, &text));
        }
    }
    none(&complaints);
}

#[test]
fn every_decoder_of_stored_bytes_has_a_fuzz_target() {
    let names = tracked(&root());
    let sources = names.iter().filter(|name| name.ends_with(".rs"));
    let mut complaints: Vec<String> =
        sources.flat_map(|name| decoders::source(name, &read(name).unwrap_or_default())).collect();
    complaints.extend(decoders::table(&read));
    none(&complaints);
}

#[test]
fn decoders_without_a_target_are_refused() {
    let new = "//! x\npub(super) fn decode_more(bytes: &[u8]) {}\nfn decode_own() {}\n// fn decode_not\n";
    refused(&decoders::source("engine/src/format/more.rs", new), "[\"decode_more\"]");
    refused(&decoders::source("tools/src/config/mod.rs", "//! x\n"), "[\"parse\"]");
    assert_eq!(decoders::source("protocols/src/imap/more.rs", new), Vec::<String>::new());
    let nothing_leads = decoders::table(&|name| Some(if name.starts_with("fuzz/") { "" } else { "x" }.into()));
    assert!(nothing_leads.len() > 40 && nothing_leads[0].contains("fuzz/fuzz_targets/"), "{nothing_leads:?}");
    assert_eq!(decoders::table(&|_| None).len(), 2 * nothing_leads.len());
}

/// The complaints about a sample must be exactly one and contain `what`.
fn refused(complaints: &[String], what: &str) {
    assert_eq!(complaints.len(), 1, "{complaints:?}");
    assert!(complaints[0].contains(what), "{complaints:?}");
}

#[test]
fn bad_files_are_refused() {
    let good = "//! Says.\nfn f() {\n    let s = \"unsafe { todo!() }\"; // unsafe\n}\n";
    assert_eq!(files::rust("engine/src/log/a.rs", good), Vec::<String>::new());
    refused(&files::rust("engine/src/log/a.rs", "fn f() {}\n"), "//!");
    refused(&files::rust("a.rs", &format!("//! x\n{}", "// y\n".repeat(500))), "501 lines");
    let long = format!("//! x\nfn long(a: [u8; 2]) -> u8 {{\n{}}}\n", "    work();\n".repeat(69));
    refused(&files::rust("a.rs", &long), "fn long has 71 lines");
    let fits = long.replacen("    work();\n", "", 1);
    assert_eq!(files::rust("a.rs", &fits), Vec::<String>::new());
    refused(&files::rust("a.rs", concat!("//! x\n// TO", "DO later\n")), concat!("TO", "DO"));
    refused(&files::rust("a.rs", concat!("//! x\n// FIX", "ME later\n")), concat!("FIX", "ME"));
    refused(&files::rust("a.rs", "//! x\nfn f() { todo!() }\n"), "todo!");
    refused(&files::rust("a.rs", "//! x\nfn f() { unimplemented!() }\n"), "unimplemented!");
}

#[test]
fn unsafe_code_is_refused_in_the_wrong_place_or_without_a_reason() {
    let bare = "//! x\nfn f() { unsafe { g() } }\n";
    refused(&files::rust("engine/src/log/a.rs", bare), "unsafe outside");
    refused(&files::rust("engine/src/disk/a.rs", bare), "without a SAFETY line");
    let told = "//! x\nfn f() {\n    // SAFETY: g has no conditions.\n    unsafe { g() }\n}\n";
    assert_eq!(files::rust("protocols/src/runtime/uring/a.rs", told), Vec::<String>::new());
}

#[test]
fn upward_and_sideways_imports_are_refused() {
    refused(&floors::check("engine/src/log/writer.rs", "use crate::index::Entry;"), "log (floor 3) imports index");
    refused(
        &floors::check("engine/src/quota/sum.rs", "use crate::{base::ids, directory::Member};"),
        "imports directory",
    );
    refused(&floors::check("engine/src/base/ids.rs", "fn f() { super::super::disk::g() }"), "imports disk");
    refused(&floors::check("engine/src/cellar/a.rs", ""), "stands on no floor");
    assert_eq!(
        floors::check(
            "engine/src/log/writer.rs",
            "use crate::{base::{ids, clock}, disk}; use super::reader; // crate::index"
        ),
        Vec::<String>::new()
    );
    assert_eq!(floors::check("engine/src/lib.rs", "use crate::engine::Engine;"), Vec::<String>::new());
}

#[test]
fn bad_manifests_are_refused() {
    refused(
        &crates::manifest("admin", "[dependencies]\nposthouse-protocols.workspace = true\n"),
        "may not import posthouse-protocols",
    );
    refused(&crates::manifest("engine", "[dev-dependencies]\ntokio = \"1\"\n"), "belongs above the engine");
    refused(
        &crates::manifest("protocols", "[dependencies.posthouse-admin]\npath = \"../admin\"\n"),
        "may not import posthouse-admin",
    );
    refused(&crates::manifest("cellar", ""), "do not know");
    refused(&crates::engine_sockets("engine/src/a.rs", "use std::net::TcpStream;"), "TcpStream in the engine");
}

#[test]
fn stray_names_and_workplace_paths_are_refused() {
    let names = |list: &[&str]| list.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
    refused(&files::top_level(&names(&["Cargo.lock", "scratch/a.txt"])), "scratch");
    refused(&files::top_level(&names(&["README.md"])), "Cargo.lock");
    refused(&files::workplace_paths("a", concat!("see /wo", "rk/notes")), "a:1");
    refused(&files::workplace_paths("a", concat!("HOME=/ro", "ot")), "a:1");
    assert_eq!(
        files::workplace_paths("a", "https://x.example/workers net/work/ /rooted /workspace"),
        Vec::<String>::new()
    );
}
