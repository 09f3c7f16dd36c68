//! Holds the documents to the tree: links lead somewhere, and the RFC table names rooms that exist.
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_path_buf()
}

fn documents() -> Vec<PathBuf> {
    let folders = [root(), root().join("docs"), root().join("docs/decisions")];
    let entries = folders.iter().flat_map(|folder| std::fs::read_dir(folder).expect("a folder"));
    entries.flatten().map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|end| end == "md")).collect()
}

#[test]
fn relative_links_lead_somewhere() {
    let documents = documents();
    assert!(documents.len() >= 8, "{documents:?}");
    for document in documents {
        let text = std::fs::read_to_string(&document).expect("UTF-8");
        for link in text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next()) {
            let outside = link.is_empty() || link.contains("://");
            let there = document.parent().expect("a folder").join(link).exists();
            assert!(outside || there, "{}: {link} leads nowhere", document.display());
        }
    }
}

#[test]
fn the_rfc_table_names_rooms_that_exist() {
    let table = std::fs::read_to_string(root().join("docs/rfc.md")).expect("UTF-8");
    let mut seen = 0;
    for row in table.lines().filter(|line| line.starts_with("| ") && line.contains('`')) {
        let code = row.split('|').nth(4).expect("a column for the code");
        for path in code.split('`').skip(1).step_by(2) {
            seen += 1;
            let (room, path) = path.split_once(": ").unwrap_or(("protocols", path));
            let full = root().join(room).join("src").join(path);
            assert!(full.exists(), "docs/rfc.md: {} is not there", full.display());
        }
    }
    assert!(seen > 30, "{seen} paths");
}
