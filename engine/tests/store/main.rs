//! The engine as its callers see it, on the simulated disk: what was answered is there, also after a crash.
mod actions;
mod bin;
#[path = "../shared/cases.rs"]
mod cases;
mod checkpoints;
mod compaction;
mod compaction_model;
mod copies;
mod crash;
mod damage;
mod dictionary;
mod faults;
mod format;
mod format_part;
mod full;
mod help;
mod histories;
mod history;
mod index_model;
mod mail_log;
mod mailboxes;
mod oracle;
mod panics;
mod parts;
mod point;
mod queue;
mod restored;
#[path = "../shared/seeds.rs"]
mod seeds;
mod sharing;
mod shortened;
mod unread;
mod verdict;
mod workload;
