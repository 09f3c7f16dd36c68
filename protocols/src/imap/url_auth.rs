//! What authorises a URL (RFC 4467): a token over the URL with a key of who has made it, which never leaves the server. Whoever may use the URL
//! reads with the rights that its maker has then. Between tenants no URL is good.
use super::fetch::plan::Content;
use super::fetch::section::Selected;
use super::place::Viewer;
use super::state::Session;
use super::url::{Access, Auth, Url};
use crate::session::Shared;
use posthouse_engine::UrlKey;
use posthouse_engine::base::{AccountId, Error};
use posthouse_engine::directory::Rights;
use posthouse_engine::index::Entry;
use posthouse_engine::index::mime::SummaryRef;
use ring::hmac;

/// The mechanism: the key stays here, and the way of making tokens is our own.
pub(super) const INTERNAL: &str = "INTERNAL";
/// What tokens begin with: which way that was. 1 is HMAC-SHA-256.
const WAY: &str = "01";

/// What a URL leads to.
pub(super) struct Resolved {
    pub(super) account: AccountId,
    pub(super) entry: Entry,
    pub(super) content: Content,
}

/// The token of a URL up to its mechanism.
pub(super) fn token(key: &UrlKey, rump: &str) -> String {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), rump.as_bytes());
    let digits: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{WAY}{digits}")
}

/// Whether a token is that of the URL. How long that takes tells nothing of how much of it is right.
fn is_token(key: &UrlKey, rump: &str, token: &str) -> bool {
    let digits = token.strip_prefix(WAY).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
    let pairs = digits.unwrap_or_default().as_bytes().chunks(2);
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok().filter(|_| pair.len() == 2)?, 16).ok();
    let tag: Option<Vec<u8>> = pairs.map(byte).collect();
    hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, key), rump.as_bytes(), &tag.unwrap_or_default()).is_ok()
}

/// Who wants to use a URL.
#[derive(Clone, Copy)]
pub(super) struct Caller<'a> {
    pub(super) shared: &'a Shared,
    pub(super) account: AccountId,
    /// Not by IMAP: the member submits mail.
    pub(super) submits: bool,
}

impl Caller<'_> {
    /// What an authorised URL leads to; `None` if there is nothing, or the caller may not use it. It does not say which.
    fn resolve(self, text: &[u8]) -> Option<Resolved> {
        let url = Url::parse(text)?;
        let (auth, mailbox) = (url.auth?, url.source.mailbox?);
        let maker = self.user_named(&url.user?);
        let viewer = maker.map(|user| Viewer { shared: self.shared, user });
        let place = viewer.and_then(|viewer| viewer.place_for(&mailbox, Rights::READ).ok());
        let found = maker.zip(place.as_ref());
        let key = found.and_then(|(user, place)| self.shared.engine.url_key(user, place.for_urls()));
        // Without a mailbox, or a key for it, as much is done as with one (section 6).
        let (mechanism, token) = auth.token.as_ref()?;
        let rump = std::str::from_utf8(text.get(..auth.rump_len)?).ok()?;
        let is_good = is_token(&key.unwrap_or_default(), rump, token) && mechanism.eq_ignore_ascii_case(INTERNAL);
        let place = place.filter(|_| is_good && key.is_some() && self.may_use(&auth))?;
        if url.source.uid_validity.is_some_and(|wanted| wanted != place.mailbox.uid_validity) {
            return None;
        }
        let at = place.mailbox.entries.position(url.source.uid).ok()??;
        let entry = place.mailbox.entries.get(at).ok()?;
        Some(Resolved { account: place.account, entry, content: url.source.content })
    }

    /// Whether the caller is one of those that a URL is for, and its time has not run out.
    fn may_use(self, auth: &Auth) -> bool {
        let in_time = auth.expires.is_none_or(|last| self.shared.clock.now() <= last);
        in_time
            && match &auth.access {
                Access::Submit(name) => self.submits && self.user_named(name) == Some(self.account),
                Access::User(name) => !self.submits && self.user_named(name) == Some(self.account),
                Access::AuthUser | Access::Anonymous => true,
            }
    }

    /// The account of the caller's tenant that logs in by that name.
    fn user_named(self, name: &str) -> Option<AccountId> {
        self.shared.engine.directory(|directory| {
            let tenant = directory.account(self.account)?.tenant;
            directory.login(name).filter(|found| found.tenant == tenant).map(|found| found.id)
        })
    }
}

impl Session {
    fn caller(&self) -> Caller<'_> {
        Caller { shared: &self.shared, account: self.account(), submits: false }
    }

    /// What an authorised URL leads to for the session.
    pub(super) fn resolve(&self, text: &[u8]) -> Option<Resolved> {
        self.caller().resolve(text)
    }

    /// The account of the session's tenant that logs in by that name.
    pub(super) fn user_named(&self, name: &str) -> Option<AccountId> {
        self.caller().user_named(name)
    }
}

/// Gives what an authorised URL leads to, piece by piece, for a member who submits mail (RFC 4468); false if there is nothing, or the member may not use it.
pub(crate) async fn submitted(
    shared: &Shared,
    account: AccountId,
    url: &str,
    mut take: impl FnMut(&[u8]),
) -> Result<bool, Error> {
    let caller = Caller { shared, account, submits: true };
    let reader = account;
    let Some(Resolved { account, entry, content }) = caller.resolve(url.as_bytes()) else {
        return Ok(false);
    };
    let summary = shared.engine.summary(account, &entry)?;
    let message = shared.message(reader, account, &entry).await?;
    let summary = SummaryRef::decode(&summary).ok();
    let Some(selected) = Selected::find(&content, summary.as_ref(), message.len()) else {
        return Ok(false);
    };
    let taken: Result<(), Error> = selected
        .each(&message, |bytes| {
            take(bytes);
            Ok(())
        })
        .await;
    taken.map(|()| true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens() {
        let (key, other) = ([7; 32], [8; 32]);
        let made = token(&key, "imap://a@b/INBOX/;UID=1;URLAUTH=anonymous");
        assert!(made.len() >= 34 && made.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let rump = "imap://a@b/INBOX/;UID=1;URLAUTH=anonymous";
        assert!(is_token(&key, rump, &made));
        assert!(!is_token(&other, rump, &made) && !is_token(&key, "imap://a@b/INBOX/;UID=2;URLAUTH=anonymous", &made));
        for bad in [
            "",
            "01",
            &format!("{made}0"),
            &made[2..],
            &made[..made.len() - 2],
            &format!("02{}", &made[2..]),
            "01\u{e9}\u{e9}zz",
        ] {
            assert!(!is_token(&key, rump, bad), "{bad}");
        }
    }
}
