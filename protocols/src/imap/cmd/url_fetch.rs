//! URLFETCH (RFC 4467 section 7): what authorised URLs lead to, one response for each; NIL for what is not there or not for the session. Sets no
//! \Seen and touches no selected mailbox.
use crate::imap::answer::Answer;
use crate::imap::fetch::section::Selected;
use crate::imap::out;
use crate::imap::state::{Running, Session};
use crate::imap::table::Request;
use crate::imap::url_auth::Resolved;
use crate::limits;
use crate::runtime::yield_now;
use crate::session::Work;
use posthouse_engine::base::Error;
use posthouse_engine::index::mime::SummaryRef;
use std::io;

pub(in crate::imap) fn run(session: &mut Session, request: Request) -> Running<'_> {
    Box::pin(async move {
        let mut args = request.args();
        let mut urls = Vec::new();
        loop {
            args.space()?;
            urls.push(args.astring()?);
            if args.is_end() {
                break;
            }
        }
        let mut failed = None;
        for url in urls {
            let mut head = b"* URLFETCH ".to_vec();
            out::string(&mut head, &url);
            head.push(b' ');
            let written = match session.resolve(&url) {
                Some(found) => session.write_resolved(&head, &found).await?,
                None => Err(Error::NotFound(String::new())),
            };
            if let Err(error) = written {
                head.extend_from_slice(b"NIL\r\n");
                session.stream.output().append(&mut head);
                // What is not there is no failure.
                failed = if matches!(error, Error::NotFound(_)) { failed } else { Some(error) };
            }
            session.stream.flush_if_large().await?;
            yield_now().await;
        }
        Ok(failed.map_or_else(|| request.completed(), Answer::from))
    })
}

impl Session {
    /// The response for one URL; nothing is written when it fails.
    async fn write_resolved(&mut self, head: &[u8], found: &Resolved) -> io::Result<Result<(), Error>> {
        if u64::from(found.entry.size_bytes) > limits::MESSAGE_SMALL_BYTES {
            // There may be no room for it yet; what is answered already need not wait.
            self.stream.flush().await?;
        }
        let engine = self.shared.engine.clone();
        let summary = match engine.summary(found.account, &found.entry) {
            Ok(summary) => summary,
            Err(error) => return Ok(Err(error)),
        };
        let mut message = match self.shared.message(self.account(), found.account, &found.entry).await {
            Ok(message) => message,
            Err(error) => return Ok(Err(error)),
        };
        let summary = SummaryRef::decode(&summary).ok();
        let Some(selected) = Selected::find(&found.content, summary.as_ref(), message.len()) else {
            return Ok(Err(Error::NotFound("the part".into())));
        };
        self.stream.output().extend_from_slice(head);
        self.write_selected(&selected, found.content.decoding, &mut message, &mut Work::default()).await?;
        self.stream.output().extend_from_slice(b"\r\n");
        Ok(Ok(()))
    }
}
