//! Every bound of the commands and the control socket in one place.
use std::time::Duration;

/// Bytes of one request line on the control socket.
pub const CONTROL_REQUEST_BYTES_MAX: usize = 4 << 20;
/// Bytes of one answer line: a group of 100,000 members fits.
pub const CONTROL_ANSWER_BYTES_MAX: usize = 64 << 20;
/// Commands that are served at a time.
pub const CONTROL_CONNECTIONS_MAX: usize = 32;
/// A command that says nothing for this long is let go.
pub const CONTROL_IDLE_MAX: Duration = Duration::from_secs(60);
/// How long a command waits for the control socket of a server that is starting or stopping.
pub const CONTROL_WAIT_MAX: Duration = Duration::from_secs(3);
/// Rows of one page of a list.
pub const PAGE_ROWS_MAX: usize = 500;
/// Changes of one request.
pub const CHANGES_MAX: usize = 2_000;
/// Rows that an import commits at once.
pub const IMPORT_BATCH_ROWS: usize = 200;
/// Refused rows that an import keeps for its report; all of them are shown as they come.
pub const IMPORT_FAILURES_KEPT_MAX: usize = 10_000;
/// Bytes of a password that is read from standard input.
pub const PASSWORD_INPUT_BYTES_MAX: u64 = 4096;
/// Open files below which the start warns.
pub const OPEN_FILES_LOW: u64 = 4096;
