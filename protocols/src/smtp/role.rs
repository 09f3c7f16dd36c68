//! What differs between the roles in which SMTP is spoken. Decides no delivery.

/// Why somebody connects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Another host brings mail (RFC 5321).
    Mx,
    /// A member sends mail (RFC 6409).
    Submission,
    /// A mail server in front hands mail over (RFC 2033).
    Lmtp,
}

impl Role {
    /// For the log.
    pub(super) fn name(self) -> &'static str {
        match self {
            Role::Mx => "smtp",
            Role::Submission => "submission",
            Role::Lmtp => "lmtp",
        }
    }

    /// What the greeting calls the protocol.
    pub(super) fn protocol(self) -> &'static str {
        if self == Role::Lmtp { "LMTP" } else { "ESMTP" }
    }

    /// Whether a CR or LF alone in a message is refused (RFC 5321 section 2.3.8): other servers may take it for a line end, so it could carry
    /// a second message past them. The server in front of LMTP has judged that already.
    pub(super) fn refuses_bare_line_ends(self) -> bool {
        self != Role::Lmtp
    }
}
