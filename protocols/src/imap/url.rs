//! IMAP URLs of messages and their parts (RFC 5092): relative to this server, or absolute with who has made it and what authorises whom to use it
//! (RFC 4467). Looks nothing up.
use super::args::Args;
use super::date;
use super::fetch::items;
use super::fetch::plan::{Content, Decoding};
use posthouse_engine::base::Uid;

/// A URL of a message or a part of it.
#[derive(Debug)]
pub(super) struct Url {
    /// The user in an absolute one.
    pub(super) user: Option<String>,
    pub(super) source: Source,
    /// What stands at its end; only in an absolute one.
    pub(super) auth: Option<Auth>,
}

/// `;EXPIRE=time;URLAUTH=access:mechanism:token`
#[derive(Debug)]
pub(super) struct Auth {
    /// The last second in which it is good, since 1970-01-01 UTC.
    pub(super) expires: Option<i64>,
    pub(super) access: Access,
    /// Bytes of the URL up to the mechanism: what the token is of.
    pub(super) rump_len: usize,
    /// Mechanism and token.
    pub(super) token: Option<(String, String)>,
}

/// Who may use a URL (RFC 4467 section 3).
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// A submission server on behalf of that user.
    Submit(String),
    /// That user.
    User(String),
    /// Any user.
    AuthUser,
    /// Anybody.
    Anonymous,
}

impl Url {
    /// `None`: not a URL of a message, or one that gives another scheme.
    pub(super) fn parse(url: &[u8]) -> Option<Url> {
        let whole = std::str::from_utf8(url).ok()?;
        let (text, auth) = Auth::split(whole)?;
        let scheme = text.get(..7).filter(|scheme| scheme.eq_ignore_ascii_case("imap://"));
        let Some(scheme) = scheme else {
            let source = Source::parse(text)?;
            return auth.is_none().then_some(Url { user: None, source, auth: None });
        };
        let (server, path) = text[scheme.len()..].split_once('/')?;
        let (user, host) = server.rsplit_once('@')?;
        let user = decoded(user.split(';').next()?).filter(|user| !user.is_empty())?;
        let source = Source::parse(path).filter(|source| source.mailbox.is_some() && !host.is_empty())?;
        Some(Url { user: Some(user), source, auth })
    }
}

impl Auth {
    /// A URL without its authorisation, and that.
    fn split(url: &str) -> Option<(&str, Option<Auth>)> {
        let lower = url.to_ascii_lowercase();
        let Some(at) = lower.rfind(";urlauth=") else {
            // A time without anything that could expire.
            return (!lower.contains(";expire=")).then_some((url, None));
        };
        let start = at + ";urlauth=".len();
        let mut parts = url[start..].splitn(3, ':');
        let access = parts.next()?;
        let token = match (parts.next(), parts.next()) {
            (None, _) => None,
            (Some(mechanism), token) => Some((mechanism.to_owned(), token?.to_owned())),
        };
        let (rest, expires) = match lower[..at].rfind(";expire=") {
            Some(end) => (&url[..end], Some(date::parse_rfc3339(&url[end + ";expire=".len()..at])?)),
            None => (&url[..at], None),
        };
        let auth = Auth { expires, access: Access::parse(access)?, rump_len: start + access.len(), token };
        Some((rest.strip_suffix('/').unwrap_or(rest), Some(auth)))
    }
}

impl Access {
    fn parse(text: &str) -> Option<Access> {
        let of = |start: &str| {
            let user =
                text.get(..start.len()).filter(|head| head.eq_ignore_ascii_case(start)).map(|_| &text[start.len()..]);
            user.and_then(decoded).filter(|user| !user.is_empty())
        };
        match text.to_ascii_lowercase().as_str() {
            "authuser" => Some(Access::AuthUser),
            "anonymous" => Some(Access::Anonymous),
            _ => of("submit+").map(Access::Submit).or_else(|| of("user+").map(Access::User)),
        }
    }
}

/// What a URL names.
#[derive(Debug)]
pub(super) struct Source {
    /// The mailbox; `None` = the selected one.
    pub(super) mailbox: Option<String>,
    pub(super) uid_validity: Option<u32>,
    pub(super) uid: Uid,
    /// All of the message or a section of it.
    pub(super) content: Content,
}

impl Source {
    /// `/mailbox;UIDVALIDITY=n/;UID=n/;SECTION=s/;PARTIAL=a.b`; with `;UID` at the beginning in the selected mailbox. `None`: not that, or of
    /// another server.
    fn parse(text: &str) -> Option<Source> {
        let lower = text.to_ascii_lowercase();
        let uid_at = lower.find(";uid=")?;
        let place = text[..uid_at].strip_suffix('/').unwrap_or(&text[..uid_at]);
        let (mailbox, uid_validity) = match place.to_ascii_lowercase().find(";uidvalidity=") {
            Some(at) => (&place[..at], Some(place[at + 13..].parse().ok()?)),
            None => (place, None),
        };
        let mailbox = decoded(mailbox.strip_prefix('/').unwrap_or(mailbox))?;
        // An absolute URL would name a server and somebody's mailbox there.
        if lower.starts_with("imap:") || lower.starts_with("//") || lower.starts_with("imaps:") {
            return None;
        }
        let mut parts = text[uid_at + 5..].split("/;");
        let uid = Uid(parts.next()?.parse().ok().filter(|uid| *uid > 0)?);
        let (mut section, mut partial) = (String::new(), None);
        for part in parts {
            let (name, value) = part.split_once('=')?;
            match name.to_ascii_lowercase().as_str() {
                "section" => section = decoded(value)?,
                "partial" => partial = Some(value),
                _ => return None,
            }
        }
        let mailbox = (!mailbox.is_empty()).then_some(mailbox);
        Some(Source { mailbox, uid_validity, uid, content: content(&section, partial)? })
    }
}

fn content(section: &str, partial: Option<&str>) -> Option<Content> {
    let spelled = format!("[{section}]");
    let mut args = Args::new(spelled.as_bytes(), 0);
    let mut content = items::content(&mut args, Decoding::None).ok().filter(|_| args.is_end())?;
    if let Some(partial) = partial {
        let (first, len) = match partial.split_once('.') {
            Some((first, len)) => (first.parse().ok()?, len.parse().ok()?),
            None => (partial.parse().ok()?, u32::MAX),
        };
        content.partial = Some((first, len));
    }
    Some(content)
}

/// Undoes `%41`.
fn decoded(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let digits = [bytes.next()?, bytes.next()?];
        out.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_this_server() {
        let source =
            |url: &[u8]| Url::parse(url).filter(|url| url.user.is_none() && url.auth.is_none()).expect("a URL").source;
        let found = source(b"/Drafts%2fa%20b;UIDVALIDITY=385759045/;UID=20/;section=1.2.MIME/;PARTIAL=1.5");
        assert_eq!(found.mailbox.as_deref(), Some("Drafts/a b"));
        assert_eq!((found.uid_validity, found.uid), (Some(385_759_045), Uid(20)));
        assert_eq!((found.content.path, found.content.partial), (vec![1, 2], Some((1, 5))));
        let found = source(b"/;UID=7");
        assert_eq!((found.mailbox, found.uid_validity), (None, None));
        for bad in [
            &b"imap://other/INBOX/;UID=1"[..],
            b"//x/INBOX/;UID=1",
            b"/INBOX",
            b"/INBOX/;UID=0",
            b"/INBOX/;UID=x",
            b"/%4/;UID=1",
            b"/INBOX/;UID=1/;SECTION=NONSENSE",
            b"/INBOX;UIDVALIDITY=/;UID=1",
            b"/%ff/;UID=1",
            b"/INBOX/;UID=1;URLAUTH=anonymous",
            b"/INBOX/;UID=1;EXPIRE=2026-01-01T00:00:00Z",
        ] {
            assert!(Url::parse(bad).is_none(), "{}", String::from_utf8_lossy(bad));
        }
    }

    #[test]
    fn urls_with_authorisation() {
        let rump = "imap://ann%40example.org;AUTH=*@mail.example.org/INBOX/;uid=20/;section=1.2;EXPIRE=2026-11-24T03:50:48Z;URLAUTH=submit+fred";
        let whole = format!("{rump}:internal:0191354a473744909de610943775f92038");
        let url = Url::parse(whole.as_bytes()).expect("a URL");
        assert_eq!((url.user.as_deref(), url.source.mailbox.as_deref()), (Some("ann@example.org"), Some("INBOX")));
        let auth = url.auth.expect("it is authorised");
        assert_eq!((&whole[..auth.rump_len], auth.expires), (rump, Some(1_795_492_248)));
        assert_eq!(auth.access, Access::Submit("fred".into()));
        assert_eq!(auth.token, Some(("internal".into(), "0191354a473744909de610943775f92038".into())));
        let auth = Url::parse(rump.as_bytes()).and_then(|url| url.auth).expect("a rump");
        assert_eq!((auth.rump_len, auth.token), (rump.len(), None));
        let of = |access: &str| {
            let url = format!("imap://a@b/INBOX/;UID=1;URLAUTH={access}");
            Url::parse(url.as_bytes()).and_then(|url| url.auth).map(|auth| auth.access)
        };
        assert_eq!(of("user+a%40b"), Some(Access::User("a@b".into())));
        assert_eq!((of("AuthUser"), of("anonymous")), (Some(Access::AuthUser), Some(Access::Anonymous)));
        assert_eq!((of("user+"), of("nobody"), of(""), of("authuser:INTERNAL")), (None, None, None, None));
        for bad in [
            "imap://b/INBOX/;UID=1;URLAUTH=anonymous",
            "imap://a@/INBOX/;UID=1;URLAUTH=anonymous",
            "imap://a@b/;UID=1;URLAUTH=anonymous",
            "imap://a@b/INBOX;URLAUTH=anonymous",
            "imap://a@b/INBOX/;UID=1;EXPIRE=soon;URLAUTH=anonymous",
        ] {
            assert!(Url::parse(bad.as_bytes()).is_none(), "{bad}");
        }
    }
}
