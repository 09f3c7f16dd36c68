//! Asks the kernel to end an operation early. The operation is over only with its own last completion; this one says nothing.

use io_uring::opcode::AsyncCancel;

use super::ring::Ring;
use super::token::{Op, Token};

/// Asks for the end of the operation of `token`; nothing happens when it is over already.
pub(super) fn cancel(ring: &mut Ring, token: Token) {
    let cancel = AsyncCancel::new(token.to_user_data());
    let own = Token::new(Op::Cancel, token.slot);
    // SAFETY: a cancel carries no address and no descriptor.
    unsafe { ring.push(cancel.build().user_data(own.to_user_data())) };
}
