//! Annotations (RFC 5464) on their way out and in: text where it is text, base64 where it is not. What comes in is trusted as little as mail
//! is, and never takes the place of what is there.
use crate::ops::Failure;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use posthouse_engine::Engine;
use posthouse_engine::base::{AccountId, Error, MailboxId};
use posthouse_engine::index::Metadata;
use serde::{Deserialize, Serialize};

/// One entry; exactly one of `value` and `base64` is there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Annotation {
    /// Its name, `/private/...` or `/shared/...`.
    pub name: String,
    /// Its value, if that is text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// The same of any bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base64: Option<String>,
}

impl Annotation {
    pub(crate) fn new(name: &str, value: &[u8]) -> Annotation {
        let text = std::str::from_utf8(value).ok().filter(|text| !text.contains(char::is_control));
        let base64 = text.is_none().then(|| STANDARD.encode(value));
        Annotation { name: name.to_owned(), value: text.map(str::to_owned), base64 }
    }

    fn bytes(&self) -> Option<Vec<u8>> {
        match (&self.value, &self.base64) {
            (Some(text), None) => Some(text.clone().into_bytes()),
            (None, Some(base64)) => STANDARD.decode(base64).ok(),
            _ => None,
        }
    }

    /// As IMAP takes names (RFC 5464 section 3.2).
    fn is_named_well(&self) -> bool {
        let name = &self.name;
        (name.starts_with("/private/") || name.starts_with("/shared/"))
            && !name.ends_with('/')
            && !name.contains("//")
            && name.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'*' | b'%' | b'A'..=b'Z'))
    }
}

/// All of them, but for what the server keeps for itself beside them: keys among it.
pub(crate) fn list(metadata: &Metadata) -> Vec<Annotation> {
    let all = metadata.iter().map(|(name, value)| Annotation::new(name, value));
    all.filter(Annotation::is_named_well).collect()
}

/// Those of a mailbox, of the account itself with 0.
pub(super) fn of(engine: &Engine, account: AccountId, mailbox: u32) -> Result<Vec<Annotation>, Failure> {
    match engine.account(account) {
        Ok(view) if mailbox == 0 => Ok(list(&view.metadata)),
        Ok(view) => Ok(view.mailbox(MailboxId(mailbox)).map_or_else(Vec::new, |found| list(&found.metadata))),
        // It was never used.
        Err(Error::NotFound(_)) => Ok(Vec::new()),
        Err(why) => Err(why.into()),
    }
}

/// Gives one to a mailbox, or to the account itself; one of that name that is there stays.
pub(super) fn put(
    engine: &Engine,
    account: AccountId,
    mailbox: Option<&str>,
    annotation: &Annotation,
) -> Result<(), Failure> {
    let invalid = |what: &str| Failure::from(Error::Invalid(format!("annotation {:?}: {what}", annotation.name)));
    if !annotation.is_named_well() {
        return Err(invalid("a name /private/... or /shared/... in small letters expected"));
    }
    let value = annotation.bytes().ok_or_else(|| invalid("a value, or base64, expected"))?;
    let view = engine.open_account(account).wait()?;
    let found = match mailbox {
        None => None,
        Some(name) => {
            let found = view.mailbox_named(name);
            Some(found.ok_or_else(|| Failure::not_found(format_args!("mailbox {name}")))?)
        }
    };
    let there = found.map_or(&view.metadata, |mailbox| &mailbox.metadata);
    if there.get(&annotation.name).is_none() {
        let id = found.map(|mailbox| mailbox.id);
        engine.set_metadata(account, id, vec![(annotation.name.clone(), Some(value))]).wait()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back_whatever_they_are() {
        for value in [&b"a note"[..], "项目".as_bytes(), b"", b"two\r\nlines", b"\0\xff"] {
            let made = Annotation::new("/private/comment", value);
            assert_eq!(made.bytes().as_deref(), Some(value));
            assert!(made.value.is_some() != made.base64.is_some());
        }
        assert_eq!(Annotation::default().bytes(), None);
        for (name, good) in [
            ("/private/a/b", true),
            ("/shared/vendor", true),
            ("private/a", false),
            ("/private/", false),
            ("/shared/A", false),
            ("/private/a*", false),
        ] {
            assert_eq!(Annotation::new(name, b"x").is_named_well(), good, "{name}");
        }
    }
}
