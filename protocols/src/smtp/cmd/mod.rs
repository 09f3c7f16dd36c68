//! One file per command.
pub(super) mod auth;
pub(super) mod bdat;
pub(super) mod burl;
pub(super) mod data;
pub(super) mod expn;
pub(super) mod hello;
pub(super) mod help;
pub(super) mod mail;
pub(super) mod noop;
pub(super) mod quit;
pub(super) mod rcpt;
pub(super) mod rset;
pub(super) mod starttls;
pub(super) mod vrfy;
pub(super) mod xclient;
