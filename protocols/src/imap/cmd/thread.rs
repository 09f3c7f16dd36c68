//! THREAD and UID THREAD (RFC 5256): ORDEREDSUBJECT and REFERENCES, and REFS (draft-ietf-morg-inthread).
use super::search::Search;
use crate::imap::answer::{Answer, Fail};
use crate::imap::args::{Args, Parsed};
use crate::imap::near::Near;
use crate::imap::order::envelope::Envelope;
use crate::imap::order::references::Threader;
use crate::imap::order::tree::{Item, Subjects, ordered_subject};
use crate::imap::search::lines::Names;
use crate::imap::state::{Running, Session};
use crate::imap::table::Request;
use crate::limits;
use crate::runtime::yield_now;
use posthouse_engine::index::Entry;
use posthouse_engine::index::mime;

pub(in crate::imap) fn run(session: &mut Session, request: Request) -> Running<'_> {
    Box::pin(async move {
        let mut args = request.args();
        args.space()?;
        let algorithm = Algorithm::read(&mut args)?;
        args.space()?;
        let mut search = session.search_with_charset(&mut args)?;
        session.find_whole(&mut search, &request).await?;
        let mut line = b"* THREAD".to_vec();
        let start = line.len();
        line.push(b' ');
        match algorithm {
            Algorithm::OrderedSubject => session.by_subject(&mut search, request.is_uid(), &mut line).await?,
            Algorithm::References => {
                session.by_references(&mut search, request.is_uid(), Threader::write, &mut line).await?;
            }
            Algorithm::Refs => {
                session.by_references(&mut search, request.is_uid(), Threader::write_refs, &mut line).await?;
            }
        }
        if line.len() == start + 1 {
            line.truncate(start);
        }
        line.extend_from_slice(b"\r\n");
        session.write_whole(&line, &search.share).await?;
        Ok(Answer::ok("THREAD completed"))
    })
}

/// By what messages are in one thread.
#[derive(Clone, Copy, Debug)]
enum Algorithm {
    OrderedSubject,
    References,
    Refs,
}

impl Algorithm {
    fn read(args: &mut Args<'_>) -> Parsed<Algorithm> {
        let all = [
            ("ORDEREDSUBJECT", Algorithm::OrderedSubject),
            ("REFERENCES", Algorithm::References),
            ("REFS", Algorithm::Refs),
        ];
        match all.into_iter().find(|(name, _)| args.eat_word(name)) {
            Some((_, algorithm)) => Ok(algorithm),
            None => args.wrong("REFERENCES, REFS or ORDEREDSUBJECT"),
        }
    }
}

/// What has been gathered of messages.
struct Gathering<'a> {
    names: Names<'a>,
    subjects: Subjects,
    bytes: usize,
}

impl Session {
    async fn by_subject(&mut self, search: &mut Search, uid: bool, out: &mut Vec<u8>) -> Result<(), Fail> {
        let names = Names { entries: &search.view.entries, uid };
        let mut gathering = Gathering { names, subjects: Subjects::default(), bytes: 0 };
        let mut items = Vec::new();
        let mut near = Near::default();
        for (count, at) in search.found.slice(0..search.found.len()).enumerate() {
            near.bring(self, &search.view, at).await;
            let entry = search.view.entries.get(at)?;
            items.push(self.item(&mut gathering, at, &entry)?);
            if count % limits::IMAP_BATCH_MESSAGES == limits::IMAP_BATCH_MESSAGES - 1 {
                self.room_for_results(&mut search.share, gathering.bytes).await?;
                yield_now().await;
                self.check_client().await?;
            }
        }
        self.room_for_results(&mut search.share, gathering.bytes).await?;
        let written = self.shared.engine.work_for(self.account(), move || {
            let mut out = Vec::new();
            ordered_subject(items, &mut out);
            out
        });
        out.append(&mut written.await?);
        Ok(())
    }

    async fn by_references(
        &mut self,
        search: &mut Search,
        uid: bool,
        write: fn(Threader, &mut Vec<u8>),
        out: &mut Vec<u8>,
    ) -> Result<(), Fail> {
        let names = Names { entries: &search.view.entries, uid };
        let mut gathering = Gathering { names, subjects: Subjects::default(), bytes: 0 };
        let mut threader = Threader::default();
        for at in search.found.slice(0..search.found.len()) {
            let entry = search.view.entries.get(at)?;
            // First the message, which a worker reads where it is not in memory; the summary lies before it.
            let message = self.shared.message(self.account(), self.mail_account(), &entry).await?;
            let item = self.item(&mut gathering, at, &entry)?;
            gathering.bytes += threader.add(item, &message);
            self.room_for_results(&mut search.share, gathering.bytes).await?;
            yield_now().await;
            self.check_client().await?;
        }
        let written = self.shared.engine.work_for(self.account(), move || {
            let mut out = Vec::new();
            write(threader, &mut out);
            out
        });
        out.append(&mut written.await?);
        Ok(())
    }

    fn item(&self, gathering: &mut Gathering<'_>, at: usize, entry: &Entry) -> Result<Item, Fail> {
        let stored = self.shared.engine.summary(self.mail_account(), entry)?;
        let envelope = mime::envelope(&stored).map(Envelope::read).unwrap_or_default();
        let number = gathering.names.of(at)?;
        let (item, bytes) = gathering.subjects.item(number, entry.internal_date, &envelope);
        gathering.bytes += bytes + std::mem::size_of::<Item>() + 64;
        if gathering.bytes > limits::IMAP_SORT_BYTES_MAX {
            return Err(Answer::no("[LIMIT] That is more than can be put in threads here; narrow the search").into());
        }
        Ok(item)
    }
}
