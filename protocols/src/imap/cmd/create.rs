//! CREATE (RFC 3501 section 6.3.3) with a special use (RFC 6154 section 3).
use crate::imap::answer::Answer;
use crate::imap::name;
use crate::imap::state::{Running, Session};
use crate::imap::table::Request;
use imap_codec::imap_types::command::CommandBody;
use posthouse_engine::index::SpecialUse;

pub(in crate::imap) fn run(session: &mut Session, request: Request) -> Running<'_> {
    Box::pin(async move {
        let CommandBody::Create { mailbox } = &request.body else {
            return Ok(Answer::bad("CREATE: a mailbox name is expected"));
        };
        let name = match name::decode(mailbox) {
            Ok(name) => name,
            Err(answer) => return Ok(answer),
        };
        let special_use = match special_use(&request.uses) {
            Ok(special_use) => special_use,
            Err(answer) => return Ok(answer),
        };
        // A separator at the end only says that children will follow.
        let name = name.strip_suffix('/').unwrap_or(&name);
        match session.shared.engine.create_mailbox(session.account(), name, special_use).await {
            Ok(_) => Ok(Answer::ok("CREATE completed")),
            Err(error) => Ok(error.into()),
        }
    })
}

fn special_use(uses: &[String]) -> Result<Option<SpecialUse>, Answer> {
    let [wanted] = uses else {
        return if uses.is_empty() {
            Ok(None)
        } else {
            Err(Answer::no("[USEATTR] A mailbox has one special use here"))
        };
    };
    let known = |use_: &SpecialUse| use_.attribute().trim_start_matches('\\').eq_ignore_ascii_case(wanted);
    match SpecialUse::ALL.into_iter().find(known) {
        Some(special_use) => Ok(Some(special_use)),
        None => Err(Answer::no("[USEATTR] That special use is not known here")),
    }
}
