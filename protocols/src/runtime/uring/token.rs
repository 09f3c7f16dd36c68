//! Answers which operation a completion belongs to: the 64 bits that travel through the kernel with each. It holds no state.

/// What kind of operation completed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Op {
    /// Its outcome interests nobody: a cancel tells its story by the completion of what it cancelled.
    Cancel = 0,
    Wake = 1,
    Accept = 2,
    Recv = 3,
    Send = 4,
    Connect = 5,
}

/// An operation kind and its slot: a listener for `Accept`, a connection for `Recv`, `Send` and `Connect`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) op: Op,
    pub(super) slot: usize,
}

impl Token {
    pub(super) fn new(op: Op, slot: usize) -> Token {
        // A process has far fewer descriptors than 2^32, and a slot holds one each.
        assert!(u32::try_from(slot).is_ok());
        Token { op, slot }
    }

    pub(super) fn to_user_data(self) -> u64 {
        ((self.op as u64) << 32) | self.slot as u64
    }

    /// The token a completion carries; `None` = none of ours, which the kernel never makes.
    pub(super) fn from_user_data(data: u64) -> Option<Token> {
        let op = match data >> 32 {
            0 => Op::Cancel,
            1 => Op::Wake,
            2 => Op::Accept,
            3 => Op::Recv,
            4 => Op::Send,
            5 => Op::Connect,
            _ => return None,
        };
        let slot = usize::try_from(data & u64::from(u32::MAX)).ok()?;
        Some(Token { op, slot })
    }
}
