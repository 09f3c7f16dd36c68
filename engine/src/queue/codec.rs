//! Queue items as bytes: in the `Queued` event and in a checkpoint's queue section (docs/format.md, "Queue item").
use super::{NewQueueItem, QueueItem, QueueRecipient, QueueState};
use crate::base::bytes::{DecodeError, Put, Reader};
use crate::base::{AccountId, Guid, Locator, QueueId, SegmentId};

impl NewQueueItem {
    /// Appends the item as handed in.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.put_varint(self.account.map_or(0, |account| account.0));
        out.put_str(&self.sender);
        out.put_varint(self.recipients.len() as u64);
        for recipient in &self.recipients {
            out.put_str(&recipient.address);
            out.put_u8(recipient.notify);
            out.put_str(&recipient.orcpt);
        }
        out.put_u8(self.ret);
        out.put_str(&self.envelope_id);
    }

    /// Reads it back.
    pub fn decode(reader: &mut Reader<'_>) -> Result<NewQueueItem, DecodeError> {
        let account = Some(AccountId(reader.varint()?)).filter(|account| account.0 != 0);
        let sender = reader.str()?.to_owned();
        let recipients = (0..reader.count()?)
            .map(|_| {
                let address = reader.str()?.to_owned();
                Ok(QueueRecipient { address, notify: reader.u8()?, orcpt: reader.str()?.to_owned() })
            })
            .collect::<Result<_, DecodeError>>()?;
        let (ret, envelope_id) = (reader.u8()?, reader.str()?.to_owned());
        Ok(NewQueueItem { account, sender, recipients, ret, envelope_id })
    }
}

impl QueueState {
    /// The code on disk.
    pub fn code(self) -> u8 {
        match self {
            QueueState::Active => 0,
            QueueState::Deferred => 1,
            QueueState::Hold => 2,
        }
    }

    /// Reads a code back.
    pub fn from_code(code: u8) -> Option<QueueState> {
        [QueueState::Active, QueueState::Deferred, QueueState::Hold].into_iter().find(|state| state.code() == code)
    }
}

impl QueueItem {
    /// Appends the item with its state.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.put_varint(self.id.0);
        out.put(&self.guid.0);
        out.put_varint(u64::from(self.locator.segment.0));
        out.put_varint(u64::from(self.locator.offset));
        out.put_varint(u64::from(self.size_bytes));
        out.put_u8(self.state.code());
        out.put_i64(self.created);
        out.put_i64(self.next_try);
        self.item.encode(out);
    }

    /// Reads it back.
    pub fn decode(reader: &mut Reader<'_>) -> Result<QueueItem, DecodeError> {
        let (id, guid) = (QueueId(reader.varint()?), Guid(reader.array()?));
        let locator = Locator { segment: SegmentId(reader.varint_u32()?), offset: reader.varint_u32()? };
        let size_bytes = reader.varint_u32()?;
        let Some(state) = QueueState::from_code(reader.u8()?) else {
            return reader.error("a queue state of 0 to 2 expected before this byte");
        };
        let (created, next_try) = (reader.i64()?, reader.i64()?);
        Ok(QueueItem { id, guid, locator, size_bytes, state, created, next_try, item: NewQueueItem::decode(reader)? })
    }
}
