//! The local control socket: JSON lines over a unix socket in the data directory, mode 0600, so that who may read the data may command
//! the server and nobody else. One request a line, one answer a line; both bounded. A line may say that
//! bytes of mail follow it (`payload_bytes`); they follow as they are, and are bounded too (docs/decisions/0020).
mod client;
mod line;
mod path;
mod server;

pub use client::Client;
pub(crate) use line::read_payload;
pub use line::{read as read_line, write as write_line};
pub use server::Control;

/// The socket's name in the data directory.
pub const SOCKET: &str = "control.sock";
