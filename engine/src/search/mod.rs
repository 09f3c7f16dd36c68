//! Answers which messages hold a text. Never changes anything; the answer of an index must equal that of a scan.
pub mod text;
