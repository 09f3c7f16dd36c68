//! The engine as its callers see it, on the simulated disk: what was answered is there, also after a crash.
mod actions;
mod bin;
mod checkpoints;
mod crash;
mod damage;
mod dictionary;
mod format;
mod help;
mod histories;
mod history;
mod mailboxes;
mod oracle;
mod parts;
mod point;
mod queue;
mod restored;
mod shortened;
