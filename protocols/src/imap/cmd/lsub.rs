//! LSUB (RFC 3501 section 6.3.9): what is subscribed, whether it exists or not. With `%`, a level above something subscribed is
//! listed as \Noselect.
use super::list::texts;
use crate::imap::answer::Answer;
use crate::imap::name;
use crate::imap::pattern::Pattern;
use crate::imap::state::{Running, Session};
use crate::imap::table::Request;
use imap_codec::imap_types::command::CommandBody;
use posthouse_engine::index::Account;
use std::collections::BTreeMap;

pub(in crate::imap) fn run(session: &mut Session, request: Request) -> Running<'_> {
    Box::pin(async move {
        let CommandBody::Lsub { reference, mailbox_wildcard } = &request.body else {
            return Ok(Answer::bad("LSUB: a reference and a pattern are expected"));
        };
        let (reference, pattern) = match texts(reference, mailbox_wildcard) {
            Ok(texts) => texts,
            Err(answer) => return Ok(answer),
        };
        let account = match session.shared.engine.account(session.account()) {
            Ok(account) => account,
            Err(error) => return Ok(error.into()),
        };
        for (name, selectable) in matching(&account, &Pattern::new(&reference, &pattern)) {
            let out = session.stream.output();
            out.extend_from_slice(if selectable { b"* LSUB () \"/\" " } else { b"* LSUB (\\Noselect) \"/\" " });
            name::write(out, name);
            out.extend_from_slice(b"\r\n");
            session.flush_if_large().await?;
        }
        Ok(Answer::ok("LSUB completed"))
    })
}

/// Names to list, and whether each is a mailbox that is subscribed.
fn matching<'a>(account: &'a Account, pattern: &Pattern) -> BTreeMap<&'a str, bool> {
    let mut found = BTreeMap::new();
    for subscribed in account.subscriptions.iter() {
        if pattern.matches(subscribed) {
            found.insert(subscribed.as_str(), account.mailbox_named(subscribed).is_some());
            continue;
        }
        for (at, _) in subscribed.match_indices('/') {
            let above = &subscribed[..at];
            if !account.subscriptions.contains(above) && pattern.matches(above) {
                found.insert(above, false);
            }
        }
    }
    found
}
