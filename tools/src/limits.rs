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
/// How long a command that is slow to read its last answer holds up a server that stops.
pub const CONTROL_STOP_MAX: Duration = Duration::from_secs(2);
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

/// Files that are open besides connections: segments, maps, rings, sockets.
const FILES_BESIDES_CONNECTIONS: u64 = 512;

/// Open files at most: each connection may bring a message that every filter is shown over a connection of its own.
pub fn files_wanted(connections_max: u32, filters: usize) -> u64 {
    let each = 1 + filters as u64;
    u64::from(connections_max) * each + FILES_BESIDES_CONNECTIONS
}

/// Bytes of messages that travel together, unless one alone is larger.
pub const BULK_BYTES: usize = 4 << 20;
/// Messages that travel together.
pub const BULK_MESSAGES_MAX: usize = 1024;
/// Batches of an import that are on their way to the disk.
pub const BULK_BATCHES_UNDER_WAY_MAX: usize = 4;
/// Bytes of an import that are on their way to the disk, unless one message alone is larger.
pub const BULK_BYTES_UNDER_WAY_MAX: usize = 16 << 20;
/// Bytes that follow one line on the control socket: a message of the store's largest size.
pub const BULK_PAYLOAD_BYTES_MAX: u64 = 256 << 20;
/// Bytes of such messages over all control connections; who asks for more waits.
pub const BULK_ROOM_BYTES: usize = 256 << 20;
/// Bytes of a message that an import takes unless told otherwise.
pub const IMPORT_MESSAGE_BYTES_DEFAULT: u64 = 64 << 20;
/// Bytes of messages that an import has read ahead.
pub const IMPORT_AHEAD_BYTES: usize = 16 << 20;
/// File names of one directory that an import holds and sorts at a time.
pub const IMPORT_NAMES_MAX: usize = 500_000;
/// Bytes of a list of POP3's unique-ids beside a Maildir that an import reads: half a million messages.
pub const IMPORT_UIDLIST_BYTES_MAX: u64 = 64 << 20;
/// Bytes of the form that such ids are made in.
pub const IMPORT_UIDL_FORMAT_BYTES_MAX: usize = 64;
/// Directories below each other that an import follows.
pub const IMPORT_DEPTH_MAX: usize = 64;
/// Messages that an import reports one by one in its JSON answer; all of them are shown as they come.
pub const IMPORT_BAD_KEPT_MAX: usize = 10_000;
/// Days that a removed member's mailbox is kept (D4).
pub const MEMBER_KEPT_DAYS: i64 = 30;
/// Days that a removed business mailbox is kept (D4).
pub const BUSINESS_KEPT_DAYS: i64 = 60;
/// Hosts whose sums `posthouse reports` holds at a time.
pub const REPORT_SUMS_MAX: usize = 100_000;
