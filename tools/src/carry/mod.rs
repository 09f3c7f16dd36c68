//! Carries mail out of a store and into it: export, import, backup, restore. Decides nothing about mail; the files it reads may come from
//! anybody, and are bounded and never trusted.
pub mod backup;
pub mod export;
pub mod import;
pub mod manifest;
pub mod names;
pub mod restore;
pub mod salvage;
pub mod salvage_into;
pub(crate) mod sha;
