//! Floor 4: what happened, for people to look up: the login log (H2), the mail log (H1), and what DMARC reports are made of. Nothing else is
//! derived from them, and losing them loses no mail.
mod crowd;
mod dmarc;
#[cfg(test)]
mod dmarc_tests;
mod files;
mod find;
mod login;
mod mail;
#[cfg(test)]
mod mail_tests;
#[cfg(test)]
mod tests;

pub(crate) use crowd::Crowd;
pub use dmarc::{DmarcAction, DmarcDay, DmarcLog, DmarcRecord, DmarcRow, DmarcSignature, DmarcSums, DmarcWord};
pub use files::Record;
pub use find::{MailFilter, MailKey, MailPage, MailRow};
pub use login::{LoginFilter, LoginLog, LoginPage, LoginRecord, LoginResult, LoginRow, Means};
pub use mail::{MailLog, MailRecord, Step};
