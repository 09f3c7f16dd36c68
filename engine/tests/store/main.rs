//! The engine as its callers see it, on the simulated disk: what was answered is there, also after a crash.
mod crash;
mod format;
mod help;
mod mailboxes;
