//! How much an account may hold, and how much it holds: bytes and messages. Judges nothing: `quota` does.

/// What an account may hold; where there is no bound, `u64::MAX`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound {
    /// Bytes of all its messages.
    pub bytes_max: u64,
    /// How many messages.
    pub messages_max: u64,
}

/// What an account holds, or what comes to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Bytes of all messages.
    pub bytes: u64,
    /// How many messages.
    pub messages: u64,
}

impl Bound {
    /// Bytes alone.
    pub fn of_bytes(bytes_max: u64) -> Bound {
        Bound { bytes_max, messages_max: u64::MAX }
    }

    /// The same with as much more as goes when that comes which is asked for.
    #[must_use]
    pub fn with_freed(self, freed: Load) -> Bound {
        Bound {
            bytes_max: self.bytes_max.saturating_add(freed.bytes),
            messages_max: self.messages_max.saturating_add(freed.messages),
        }
    }
}
