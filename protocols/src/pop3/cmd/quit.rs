//! QUIT (RFC 1939 sections 4 and 6): removes what is marked as deleted, frees the maildrop, then says how it went.
use crate::pop3::answer::Answer;
use crate::pop3::maildrop::Maildrop;
use crate::pop3::state::{Running, Session};
use crate::pop3::table::Request;
use posthouse_engine::base::Error;

pub(in crate::pop3) fn run(session: &mut Session, request: Request) -> Running<'_> {
    Box::pin(async move {
        if let Err(refusal) = request.nothing() {
            return Ok(refusal);
        }
        session.ended = true;
        // What goes because it was fetched must have been sent.
        session.stream.flush().await?;
        // The lock goes with it when this is done, before the client hears the answer.
        let Some(maildrop) = session.maildrop.take() else {
            return Ok(Answer::ok("Bye"));
        };
        Ok(match session.update(&maildrop).await {
            Ok(()) => Answer::ok("Bye"),
            Err(error) => Answer::not_removed(&error),
        })
    })
}

impl Session {
    /// The UPDATE state. Ready after the sync that covers the removal.
    async fn update(&self, maildrop: &Maildrop) -> Result<(), Error> {
        self.remove(maildrop.account(), maildrop.deleted_uids()?).await?;
        if let Err(error) = self.carry_out(maildrop).await {
            // The client has what it asked for; its next session comes to it again.
            let account = maildrop.account();
            tracing::warn!(%error, %account, "what POP3 has fetched could not be seen to");
        }
        Ok(())
    }
}
