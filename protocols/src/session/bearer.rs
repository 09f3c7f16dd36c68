//! What a client of OAUTHBEARER (RFC 7628) and XOAUTH2 (Google's older form of it) says, and the error that it is told before the exchange
//! fails. Checks no token.
use super::scram::sasl_name;
use serde_json::{Map, Value};
use std::fmt;

/// A client's message, read. Its token never reaches a log: `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Bearer {
    /// Whom the client wants to be, if it says so.
    pub(super) name: Option<String>,
    /// `b64token` of RFC 6750 section 2.1.
    pub(super) token: String,
}

impl fmt::Debug for Bearer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bearer").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What is wrong with a token, in the words of RFC 6750 section 3.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    /// Expired, revoked, unknown, or of nobody who may log in so.
    InvalidToken,
    /// Good, but not for this protocol.
    InsufficientScope,
}

impl Bearer {
    /// RFC 7628 section 3.1: a GS2 header and fields, each followed by a control A, and one more.
    pub(super) fn read(message: &[u8]) -> Option<Bearer> {
        let text = std::str::from_utf8(message).ok()?;
        let (header, fields) = text.split_once('\u{1}')?;
        let mut parts = header.split(',');
        let (Some("n" | "y"), Some(authorize), Some(""), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return None;
        };
        let name = match authorize {
            "" => None,
            authorize => Some(sasl_name(authorize.strip_prefix("a=")?)?),
        };
        Some(Bearer { name, token: token(fields)? })
    }

    /// `user=NAME ^A auth=Bearer TOKEN ^A ^A`.
    pub(super) fn read_xoauth2(message: &[u8]) -> Option<Bearer> {
        let text = std::str::from_utf8(message).ok()?;
        let (name, fields) = text.strip_prefix("user=")?.split_once('\u{1}')?;
        let name = (!name.is_empty() && !name.contains('\0')).then(|| name.to_owned())?;
        Some(Bearer { name: Some(name), token: token(fields)? })
    }
}

/// The token of `auth=`; other fields (`host`, `port`) say nothing that we do not know.
fn token(fields: &str) -> Option<String> {
    let fields = fields.strip_suffix("\u{1}\u{1}")?;
    let mut found = None;
    for field in fields.split('\u{1}') {
        let (key, value) = field.split_once('=')?;
        if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_alphabetic()) {
            return None;
        }
        if key == "auth" && found.replace(value).is_some() {
            return None;
        }
    }
    let (scheme, token) = found?.split_once(' ')?;
    let token = token.trim_matches(' ');
    (scheme.eq_ignore_ascii_case("bearer") && is_token(token)).then(|| token.to_owned())
}

/// `b64token` of RFC 6750 section 2.1.
fn is_token(token: &str) -> bool {
    let body = token.trim_end_matches('=');
    !body.is_empty() && body.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte))
}

/// The error that a client is told, as JSON: RFC 7628 section 3.2.2. XOAUTH2 has the numbers of HTTP in the place of words.
pub(super) fn error(status: Status, xoauth2: bool, scope: Option<&str>, discovery: Option<&str>) -> String {
    let status = match (status, xoauth2) {
        (Status::InvalidToken, false) => "invalid_token",
        (Status::InsufficientScope, false) => "insufficient_scope",
        (Status::InvalidToken, true) => "401",
        (Status::InsufficientScope, true) => "403",
    };
    let schemes = xoauth2.then_some("Bearer");
    let fields =
        [("status", Some(status)), ("schemes", schemes), ("scope", scope), ("openid-configuration", discovery)];
    let fields = fields.into_iter().filter_map(|(key, value)| Some((key.to_owned(), Value::from(value?))));
    Value::Object(fields.collect::<Map<_, _>>()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is(name: Option<&str>, token: &str) -> Option<Bearer> {
        Some(Bearer { name: name.map(str::to_owned), token: token.into() })
    }

    #[test]
    fn messages_of_both_forms() {
        let full = b"n,a=user@example.com,\x01host=server.example.com\x01port=143\x01auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\x01\x01";
        assert_eq!(Bearer::read(full), is(Some("user@example.com"), "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg=="));
        assert_eq!(Bearer::read(b"n,,\x01auth=bearer t\x01\x01"), is(None, "t"));
        assert_eq!(Bearer::read(b"y,a=a=2Cb,\x01auth=Bearer t.-_~+/=\x01\x01"), is(Some("a,b"), "t.-_~+/="));
        let google = b"user=ann@example.org\x01auth=Bearer ya29\x01\x01";
        assert_eq!(Bearer::read_xoauth2(google), is(Some("ann@example.org"), "ya29"));
        assert_eq!(
            format!("{:?}", Bearer::read(full).expect("read")),
            r#"Bearer { name: Some("user@example.com"), .. }"#
        );
    }

    #[test]
    fn what_is_not_of_the_form() {
        for broken in [
            &b""[..],
            b"\x01",
            b"n,,\x01\x01",
            b"n,,\x01auth=Bearer t\x01",
            b"n,,\x01auth=Bearer \x01\x01",
            b"n,,\x01auth=Bearer ===\x01\x01",
            b"n,,\x01auth=Bearer a b\x01\x01",
            b"n,,\x01auth=Bearer a&token=b\x01\x01",
            b"n,,\x01auth=Basic t\x01\x01",
            b"n,,\x01auth=Bearer t\x01auth=Bearer u\x01\x01",
            b"n,,\x01port\x01auth=Bearer t\x01\x01",
            b"n,,\x011=2\x01auth=Bearer t\x01\x01",
            b"n,a=,\x01auth=Bearer t\x01\x01",
            b"n,b=x,\x01auth=Bearer t\x01\x01",
            b"p=tls-exporter,,\x01auth=Bearer t\x01\x01",
            b"n,,x\x01auth=Bearer t\x01\x01",
            b"n,a=\xff,\x01auth=Bearer t\x01\x01",
        ] {
            assert_eq!(Bearer::read(broken), None, "{:?}", String::from_utf8_lossy(broken));
        }
        for broken in [&b"user=\x01auth=Bearer t\x01\x01"[..], b"auth=Bearer t\x01\x01", b"user=a\x01auth=Bearer t\x01"]
        {
            assert_eq!(Bearer::read_xoauth2(broken), None, "{:?}", String::from_utf8_lossy(broken));
        }
    }

    #[test]
    fn errors() {
        assert_eq!(error(Status::InvalidToken, false, None, None), r#"{"status":"invalid_token"}"#);
        let full = error(Status::InsufficientScope, true, Some("imap"), Some("https://id.example.org/x"));
        let full: Value = serde_json::from_str(&full).expect("JSON");
        assert_eq!(
            (full["status"].as_str(), full["schemes"].as_str(), full["scope"].as_str()),
            (Some("403"), Some("Bearer"), Some("imap"))
        );
        assert_eq!(full["openid-configuration"], "https://id.example.org/x");
    }
}
