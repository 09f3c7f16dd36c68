//! GENURLAUTH (RFC 4467 section 7): URLs of what the session may read, with tokens that authorise others to read it.
use crate::imap::answer::{Answer, Fail};
use crate::imap::out;
use crate::imap::state::{Running, Session};
use crate::imap::table::Request;
use crate::imap::url::Url;
use crate::imap::url_auth::{self, INTERNAL};
use posthouse_engine::directory::Rights;

pub(in crate::imap) fn run(session: &mut Session, request: Request) -> Running<'_> {
    Box::pin(async move {
        let mut args = request.args();
        let mut line = b"* GENURLAUTH".to_vec();
        loop {
            args.space()?;
            let rump = String::from_utf8_lossy(&args.astring()?).into_owned();
            args.space()?;
            let mechanism = args.atom("a mechanism")?;
            let authorised = session.authorise(&rump, mechanism).await?;
            line.push(b' ');
            out::string(&mut line, authorised.as_bytes());
            if args.is_end() {
                break;
            }
        }
        line.extend_from_slice(b"\r\n");
        session.stream.output().append(&mut line);
        Ok(request.completed())
    })
}

impl Session {
    /// A URL with mechanism and token.
    async fn authorise(&self, rump: &str, mechanism: &str) -> Result<String, Fail> {
        let bad = |why: &'static str| Fail::Answer(Answer::bad(why));
        let url = Url::parse(rump.as_bytes()).filter(|_| rump.is_ascii());
        let url =
            url.ok_or_else(|| bad("That is no URL of a message, imap://USER@HOST/MAILBOX/;UID=N;URLAUTH=WHOM"))?;
        let user = url.user.ok_or_else(|| bad("The URL names no user"))?;
        let auth = url.auth.ok_or_else(|| bad("The URL does not say with ;URLAUTH= whom it is for"))?;
        if auth.token.is_some() {
            return Err(bad("The URL has a token already"));
        }
        if !mechanism.eq_ignore_ascii_case(INTERNAL) {
            return Err(Answer::no("[CANNOT] The mechanism here is INTERNAL").into());
        }
        if self.user_named(&user) != Some(self.account()) {
            return Err(bad("The user of the URL is not who has logged in"));
        }
        let place = self.place_for(&url.source.mailbox.unwrap_or_default(), Rights::READ);
        let place = place.map_err(|_| bad("The URL's mailbox does not exist"))?;
        let key = self.shared.engine.make_url_key(self.account(), place.for_urls()).await?;
        Ok(format!("{rump}:internal:{}", url_auth::token(&key, rump)))
    }
}
