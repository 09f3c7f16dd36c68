//! Annotations of a mailbox or an account (RFC 5464): entry names and values. A value, like the mailbox that has it.
use std::collections::BTreeMap;
use std::sync::Arc;

/// Values by entry name in small letters, such as `/private/comment`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata(Arc<BTreeMap<String, Arc<[u8]>>>);

impl Metadata {
    /// The value of an entry.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.0.get(name).map(|value| &**value)
    }

    /// All entries by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.0.iter().map(|(name, value)| (name.as_str(), &**value))
    }

    /// The same without the entries whose names begin so.
    #[must_use]
    pub fn without(&self, start: &str) -> Metadata {
        let kept = self.0.iter().filter(|(name, _)| !name.starts_with(start));
        Metadata(Arc::new(kept.map(|(name, value)| (name.clone(), value.clone())).collect()))
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Bytes of names and values.
    pub fn size_bytes(&self) -> usize {
        self.0.iter().map(|(name, value)| name.len() + value.len()).sum()
    }

    /// The same without the server's own entries: what clients can name.
    #[must_use]
    pub fn of_clients(&self) -> Metadata {
        if !self.0.keys().any(|name| is_reserved(name)) {
            return self.clone();
        }
        let kept = self.0.iter().filter(|(name, _)| !is_reserved(name));
        Metadata(Arc::new(kept.map(|(name, value)| (name.clone(), value.clone())).collect()))
    }

    /// Bytes of the server's own entries.
    pub(crate) fn reserved_bytes(&self) -> usize {
        self.0.iter().filter(|(name, _)| is_reserved(name)).map(|(name, value)| name.len() + value.len()).sum()
    }

    /// Sets an entry, or takes it away.
    pub(crate) fn set(&mut self, name: &str, value: Option<&[u8]>) {
        let entries = Arc::make_mut(&mut self.0);
        match value {
            Some(value) => drop(entries.insert(name.to_owned(), value.into())),
            None => drop(entries.remove(name)),
        }
    }
}

/// Whether an entry is the server's own: clients name those below `/private` and `/shared` only (RFC 5464 section 3.2).
fn is_reserved(name: &str) -> bool {
    !name.starts_with("/private/") && !name.starts_with("/shared/")
}
