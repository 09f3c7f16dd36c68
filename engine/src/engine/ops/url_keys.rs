//! The keys that a member's URLs are authorised with (RFC 4467 section 2.2): one for each mailbox of which it has made such URLs, in an annotation of
//! its account that no client can name.
use crate::base::limits::{METADATA_ACCOUNT_BYTES_MAX, METADATA_VALUE_BYTES_MAX, URL_KEYS_MAX};
use crate::base::{AccountId, Error, MailboxId, Result};
use crate::engine::txn::Txn;
use crate::engine::url_keys::{UrlKey, UrlPlace};
use crate::format::Event;
use crate::index::{Account, Metadata};

/// The annotation: a line for each key, with the owner's account, the mailbox, its UIDVALIDITY, and the key in hexadecimal digits.
const ENTRY: &str = "/urlauth";
/// Bytes of a line.
const LINE_BYTES: usize = 20 + 1 + 10 + 1 + 10 + 1 + 64 + 1;
const _: () = assert!(LINE_BYTES * URL_KEYS_MAX <= METADATA_VALUE_BYTES_MAX);

fn line(place: UrlPlace, key: &UrlKey) -> String {
    let digits: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{} {} {} {digits}\n", place.account.0, place.mailbox.0, place.uid_validity)
}

fn read(line: &str) -> Option<(UrlPlace, UrlKey)> {
    let mut words = line.split(' ');
    let account = AccountId(words.next()?.parse().ok()?);
    let mailbox = MailboxId(words.next()?.parse().ok()?);
    let uid_validity = words.next()?.parse().ok()?;
    let digits = words.next()?;
    let mut key = UrlKey::default();
    for (at, byte) in key.iter_mut().enumerate() {
        *byte = u8::from_str_radix(digits.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some((UrlPlace { account, mailbox, uid_validity }, key))
}

fn keys(metadata: &Metadata) -> impl Iterator<Item = (UrlPlace, UrlKey)> + '_ {
    let text = metadata.get(ENTRY).and_then(|value| std::str::from_utf8(value).ok()).unwrap_or_default();
    text.lines().filter_map(read)
}

/// The key of a mailbox in a member's table.
pub(in crate::engine) fn find(account: &Account, place: UrlPlace) -> Option<UrlKey> {
    keys(&account.metadata).find(|(known, _)| *known == place).map(|(_, key)| key)
}

/// The key of a mailbox; `fresh` becomes it if there is none.
pub(in crate::engine) fn make(txn: &mut Txn<'_>, user: AccountId, place: UrlPlace, fresh: &UrlKey) -> Result<UrlKey> {
    if let Some(key) = find(txn.opened(user)?, place) {
        return Ok(key);
    }
    replace(txn, user, place, fresh)?;
    Ok(*fresh)
}

/// Another key for a mailbox.
pub(in crate::engine) fn replace(txn: &mut Txn<'_>, user: AccountId, place: UrlPlace, fresh: &UrlKey) -> Result<()> {
    let account = txn.opened(user)?;
    let kept: Vec<(UrlPlace, UrlKey)> = keys(&account.metadata).filter(|(known, _)| *known != place).collect();
    if kept.len() >= URL_KEYS_MAX {
        return Err(Error::Limit(format!(
            "URLs of at most {URL_KEYS_MAX} mailboxes are authorised; RESETKEY takes all back"
        )));
    }
    let kept = kept.into_iter().chain([(place, *fresh)]);
    let value: String = kept.map(|(place, key)| line(place, &key)).collect();
    let of_clients = |metadata: &Metadata| metadata.size_bytes() - metadata.reserved_bytes();
    let mailboxes = account.mailboxes.iter().map(|mailbox| of_clients(&mailbox.metadata)).sum::<usize>();
    if mailboxes + of_clients(&account.metadata) + value.len() > METADATA_ACCOUNT_BYTES_MAX {
        return Err(Error::Limit(format!("an account's annotations have at most {METADATA_ACCOUNT_BYTES_MAX} bytes")));
    }
    set(txn, user, Some(value.into_bytes()))
}

/// Away with all of them.
pub(in crate::engine) fn remove_all(txn: &mut Txn<'_>, user: AccountId) -> Result<()> {
    if txn.opened(user)?.metadata.get(ENTRY).is_none() {
        return Ok(());
    }
    set(txn, user, None)
}

fn set(txn: &mut Txn<'_>, account: AccountId, value: Option<Vec<u8>>) -> Result<()> {
    txn.emit(&Event::MetadataSet { account, mailbox: MailboxId(0), name: ENTRY.to_owned(), value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_written() {
        let place = UrlPlace { account: AccountId(u64::MAX), mailbox: MailboxId(u32::MAX), uid_validity: u32::MAX };
        let key = [0xa7; 32];
        let written = line(place, &key);
        assert!(written.len() <= LINE_BYTES);
        assert_eq!(read(written.trim_end()), Some((place, key)));
        for bad in ["", "1 2 3", "1 2 3 ab", "1 2 x 00", "-1 2 3 00"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
