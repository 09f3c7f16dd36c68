//! SUBSCRIBE and UNSUBSCRIBE (RFC 3501 sections 6.3.6 and 6.3.7). A subscription outlives its mailbox.
use crate::imap::state::{Running, Session};
use crate::imap::table::Request;

pub(in crate::imap) fn run(session: &mut Session, request: Request) -> Running<'_> {
    Box::pin(async move {
        let mut args = request.args();
        args.space()?;
        let name = args.astring()?;
        args.end()?;
        let name = session.name(&name)?;
        let on = request.name == "SUBSCRIBE";
        session.shared.engine.subscribe(session.account(), &name, on).await?;
        session.has_subscribed(&name, on);
        Ok(request.completed())
    })
}
