//! Keys of members' URLs (RFC 4467): each member has a table of its own, with a key for each mailbox, its own or another's. A key never leaves the
//! server.
use super::login::random_secret;
use super::ops::url_keys;
use super::{Engine, Ticket};
use crate::base::{AccountId, MailboxId, Result};

/// What URLs are signed with.
pub type UrlKey = [u8; 32];

/// The mailbox that a key is for. Its UIDVALIDITY makes sure that it is still that one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UrlPlace {
    /// Whose mailbox it is.
    pub account: AccountId,
    /// Its number there.
    pub mailbox: MailboxId,
    /// RFC 3501 section 2.3.1.1.
    pub uid_validity: u32,
}

impl Engine {
    /// The key of a mailbox in a member's table, if there is one.
    pub fn url_key(&self, user: AccountId, place: UrlPlace) -> Option<UrlKey> {
        url_keys::find(&*self.account(user).ok()?, place)
    }

    /// The same; one is made if there is none. `Limit`: the table is full.
    pub fn make_url_key(&self, user: AccountId, place: UrlPlace) -> Ticket<Result<UrlKey>> {
        if let Some(key) = self.url_key(user, place) {
            return Ticket::ready(Ok(key));
        }
        let fresh = random_secret();
        self.committer_of(user).submit(move |txn| url_keys::make(txn, user, place, &fresh))
    }

    /// Another key for a mailbox: URLs that were made of it by that member are good no longer.
    pub fn reset_url_key(&self, user: AccountId, place: UrlPlace) -> Ticket<Result<()>> {
        let fresh = random_secret();
        self.committer_of(user).submit(move |txn| url_keys::replace(txn, user, place, &fresh))
    }

    /// No URL that the member has made is good any longer.
    pub fn reset_url_keys(&self, user: AccountId) -> Ticket<Result<()>> {
        self.committer_of(user).submit(move |txn| url_keys::remove_all(txn, user))
    }
}
