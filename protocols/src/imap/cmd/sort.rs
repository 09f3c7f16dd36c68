//! SORT and UID SORT (RFC 5256) with ESORT and UPDATE (RFC 5267) and the display names of RFC 5957.
use super::search::Search;
use crate::imap::answer::{Answer, Fail};
use crate::imap::near::Near;
use crate::imap::order::envelope::Envelope;
use crate::imap::order::sort::{Criteria, Value};
use crate::imap::search::results::{Found, Wanted};
use crate::imap::state::{Running, Session};
use crate::imap::table::Request;
use crate::limits;
use crate::runtime::yield_now;
use posthouse_engine::base::Error;
use posthouse_engine::index::Entry;
use posthouse_engine::index::mime;

pub(in crate::imap) fn run(session: &mut Session, request: Request) -> Running<'_> {
    Box::pin(async move {
        let mut args = request.args();
        args.space()?;
        let wanted = Wanted::parse(&mut args, false)?;
        session.check_tag(&wanted, &request)?;
        let criteria = Criteria::parse(&mut args)?;
        args.space()?;
        let search = match session.search_with_charset(&mut args) {
            Ok(mut search) => match session.find_whole(&mut search, &request).await {
                Ok(()) => session.sort(&mut search, &criteria).await.map(|()| search),
                Err(fail) => Err(fail),
            },
            Err(answer) => Err(answer.into()),
        };
        let search = match search {
            Ok(search) => search,
            Err(fail) => return Err(session.nothing_saved(&wanted, fail)),
        };
        session.tell_found(&search, &wanted, &request, "SORT").await?;
        session.keep_context(search, &wanted, &request, Some(criteria)).await?;
        Ok(Answer::ok("SORT completed"))
    })
}

impl Session {
    /// Puts what was found in order; equal messages stay in the order of their numbers.
    async fn sort(&mut self, search: &mut Search, criteria: &Criteria) -> Result<(), Fail> {
        let mut keyed: Vec<(u32, Box<[Value]>)> = Vec::new();
        let (mut bytes, mut share) = (0, self.shared.reading.share_of_account(self.account()));
        let mut near = Near::default();
        for (count, at) in search.found.slice(0..search.found.len()).enumerate() {
            if criteria.reads() {
                near.bring(self, &search.view, at).await;
            }
            let entry = search.view.entries.get(at)?;
            let (values, taken) = self.sort_values(criteria, &entry)?;
            bytes += taken + size_of::<(u32, Box<[Value]>)>();
            if bytes > limits::IMAP_SORT_BYTES_MAX {
                return Err(Answer::no("[LIMIT] That is more than can be sorted here; narrow the search").into());
            }
            keyed.push((at as u32, values));
            if count % limits::IMAP_BATCH_MESSAGES == limits::IMAP_BATCH_MESSAGES - 1 {
                self.room_for_results(&mut share, bytes).await?;
                yield_now().await;
                self.check_client().await?;
            }
        }
        self.room_for_results(&mut share, bytes).await?;
        let criteria = criteria.clone();
        let ordered = self.shared.engine.work_for(self.account(), move || {
            keyed.sort_by(|(_, a), (_, b)| criteria.compare(a, b));
            keyed.into_iter().map(|(at, _)| at).collect()
        });
        search.found = Found::Ordered(ordered.await?);
        let bytes = search.found.bytes();
        self.room_for_results(&mut search.share, bytes).await?;
        Ok(())
    }

    /// What a message is ordered by, and the bytes of memory that takes.
    pub(in crate::imap) fn sort_values(
        &self,
        criteria: &Criteria,
        entry: &Entry,
    ) -> Result<(Box<[Value]>, usize), Error> {
        let stored =
            if criteria.reads() { Some(self.shared.engine.summary(self.mail_account(), entry)?) } else { None };
        let envelope = stored.as_deref().and_then(|stored| mime::envelope(stored).ok());
        let envelope = envelope.map(Envelope::read).unwrap_or_default();
        Ok(criteria.values(entry, &envelope))
    }
}
