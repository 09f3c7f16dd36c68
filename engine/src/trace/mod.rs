//! Floor 4: what happened, for people to look up: the login log (H2). Nothing is derived from it, and losing it loses no mail.
mod files;
mod login;
#[cfg(test)]
mod tests;

pub use files::LoginLog;
pub use login::{LoginFilter, LoginPage, LoginRecord, LoginResult, LoginRow, Means};
