//! Every bound of the protocols crate in one place, so that "how much can a client make us hold?" has one answer.
//! It holds constants only; the rooms that obey a bound assert it themselves.

use posthouse_engine::base::limits::KEPT_BYTES_MAX;
use std::time::Duration;

// ---- imap ----

/// Bytes of one command outside literals.
pub const IMAP_LINE_BYTES_MAX: usize = 64 * 1024;
/// Bytes of one command outside literals before login: names, passwords and SASL answers.
pub const IMAP_LOGIN_LINE_BYTES_MAX: usize = 16 * 1024;
/// Bytes of all literals of one command, other than APPEND's message.
pub const IMAP_LITERALS_BYTES_MAX: usize = 128 * 1024;
/// The same before login.
pub const IMAP_LOGIN_LITERALS_BYTES_MAX: usize = 4 * 1024;
/// Bytes of a URL in CATENATE.
pub const IMAP_URL_BYTES_MAX: usize = 8 * 1024;
/// Bytes of a command that is too long which are read and thrown away before the connection is closed instead.
pub const IMAP_SKIP_BYTES_MAX: usize = 1 << 20;
/// BAD answers in a row after which the connection is closed.
pub const IMAP_BAD_MAX: u32 = 20;
/// Messages that FETCH, STORE and SEARCH go through before other sessions of the reactor are served.
pub const IMAP_BATCH_MESSAGES: usize = 256;
/// Names in one HEADER.FIELDS.
pub const IMAP_FIELDS_MAX: usize = 256;
/// Bytes of a header or of an encoded part that are gone through at a time for HEADER.FIELDS and BINARY.
pub const IMAP_SECTION_STEP_BYTES: usize = 64 << 10;
/// Different items of one FETCH, of UPDATE and of what NOTIFY tells of new messages.
pub const IMAP_ITEMS_MAX: usize = 256;
/// Bytes of the text of such items that a session keeps; they take up to forty times as much in memory.
pub const IMAP_KEPT_ITEMS_BYTES_MAX: usize = 4096;
/// Keys of one SEARCH.
pub const IMAP_SEARCH_KEYS_MAX: usize = 1000;
/// Keys of one SEARCH that look into the text of messages: each goes through all of it.
pub const IMAP_SEARCH_TEXTS_MAX: usize = 64;
/// Bytes of a message, for each key that goes through it, that a SEARCH looks through on the reactor; more is a worker's.
pub const IMAP_SEARCH_INLINE_BYTES_MAX: u32 = 16 << 10;
/// Results of a SEARCH or SORT that are written before other sessions of the reactor are served.
pub const IMAP_RESULTS_STEP: usize = 4096;
/// Bytes that the results of a search may take in memory before they are counted.
pub const IMAP_RESULTS_FREE_BYTES: usize = 16 << 10;
/// Ranges of uids that SEARCH saves for `$`: 8 bytes each, as long as the mailbox is selected.
pub const IMAP_SAVED_RANGES_MAX: usize = 256 * 1024;
/// Mailboxes that one ESEARCH goes through.
pub const IMAP_ESEARCH_MAILBOXES_MAX: usize = 20_000;
/// What a name that LIST or LSUB goes through counts as in bytes, besides the steps of matching it; so does a piece of a mailbox's index that is
/// looked for in memory.
pub const IMAP_LOOK_UP_WORK_BYTES: usize = 4096;
/// Names, mailboxes or new messages that are gone through before other sessions of the reactor are served.
pub const IMAP_LIST_BATCH: usize = 64;
/// Messages of one APPEND (RFC 3502), or of a COPY or MOVE to an account in another shard, unless configured; see `session::MessageLimit`.
pub const IMAP_MESSAGES_DEFAULT: u32 = 20_000;
/// Bytes that each of them takes in memory besides its own.
pub const IMAP_MESSAGE_OVERHEAD_BYTES: u64 = 1024;
/// Messages of the smallest batch that UIDBATCHES makes (RFC 10022 section 3.1.3.2).
pub const IMAP_UID_BATCH_MESSAGES_MIN: u32 = 500;
/// Batches of one UIDBATCHES response.
pub const IMAP_UID_BATCHES_MAX: usize = 10_000;
/// Accounts of others that LIST looks into before it gives other sessions their turn.
pub const IMAP_SHARERS_BATCH: usize = 16;
/// Mailboxes of others that one LIST shows.
pub const IMAP_SHARED_MAILBOXES_MAX: usize = 20_000;
/// Patterns of one LIST.
pub const IMAP_PATTERNS_MAX: usize = 64;
/// Levels of AND, OR and NOT in one SEARCH.
pub const IMAP_SEARCH_DEPTH_MAX: usize = 64;
/// Groups of mailboxes in one NOTIFY: each is asked of each mailbox.
pub const IMAP_NOTIFY_GROUPS_MAX: usize = 64;
/// Mailbox names in one NOTIFY.
pub const IMAP_NOTIFY_NAMES_MAX: usize = 1000;
/// Accounts of others that one session watches.
pub const IMAP_NOTIFY_ACCOUNTS_MAX: usize = 256;
/// Mailboxes of all accounts that one session watches; it keeps about 100 bytes of each.
pub const IMAP_NOTIFY_MAILBOXES_MAX: usize = 20_000;
/// Searches of one session whose changes are told (RFC 5267).
pub const IMAP_CONTEXTS_MAX: usize = 16;
/// Ranges of uids, and sorted uids, that all of them keep: 8 and 4 bytes each.
pub const IMAP_CONTEXT_RESULTS_MAX: usize = 256 * 1024;
/// Messages that go into one sorted context at a time: what each is sorted by is in memory meanwhile.
pub const IMAP_CONTEXT_SORTED_MAX: u64 = 4096;
/// Bytes of a LIST or LSUB pattern with its reference.
pub const IMAP_PATTERN_BYTES_MAX: usize = 1024;
/// Entries looked at by SELECT for the first unseen message; it is left out of the answer when it comes later.
pub const IMAP_UNSEEN_SCAN_MAX: usize = 8192;
/// Ranges of \Recent uids that a session tells apart; with more, messages between them count as recent.
pub const IMAP_RECENT_RANGES_MAX: usize = 64;
/// Criteria of one SORT.
pub const IMAP_SORT_CRITERIA_MAX: usize = 32;
/// Bytes of a text that SORT compares.
pub const IMAP_SORT_TEXT_BYTES_MAX: usize = 512;
/// Bytes of memory that one SORT or THREAD may take.
pub const IMAP_SORT_BYTES_MAX: usize = 64 << 20;
/// References of one message that THREAD follows: the last ones.
pub const IMAP_THREAD_REFERENCES_MAX: usize = 200;
/// Levels of a thread that are looked through for a circle; what would stand deeper begins a thread of its own.
pub const IMAP_THREAD_DEPTH_MAX: usize = 1000;
/// Ranges of one VANISHED response.
pub const IMAP_VANISHED_RANGES: usize = 4096;
/// How long a command works before the client is told how far it has come (RFC 9585 section 4: not more often than every ten seconds).
pub const IMAP_PROGRESS_AFTER: Duration = Duration::from_secs(10);
/// Autologout (RFC 3501 section 5.4): how long a session may be silent after login.
pub const IMAP_IDLE_MAX: Duration = Duration::from_secs(30 * 60);
/// How long a session may take to log in.
pub const IMAP_LOGIN_MAX: Duration = Duration::from_secs(60);

// ---- runtime ----

/// Received bytes a connection may hold before its session reads them. Past this the receive is paused, and TCP's own
/// window then slows the sender down.
pub const INBOX_SIZE_BYTES_MAX: usize = 64 * 1024;
/// Size of one provided receive buffer of a ring. A connection may hold 32 of them more than it should: so many the kernel fills in one go, before it
/// hears of the pause.
pub const RECV_BUFFER_SIZE_BYTES: usize = 4 * 1024;
/// Provided receive buffers per ring; a power of two (io_uring asks for one).
pub const RECV_BUFFERS_PER_RING: u16 = 512;
/// Submission entries per ring; the completion ring is four times as long.
pub const RING_ENTRIES: u32 = 1024;
/// Bytes handed to the kernel by one send, so that a slow client's progress is seen between sends.
pub const SEND_SIZE_BYTES_MAX: usize = 256 * 1024;
/// Plaintext encrypted in one go before it is sent.
pub const TLS_CHUNK_SIZE_BYTES: usize = 64 * 1024;
/// Plain text that one step of inflating yields at most: what a client has compressed a thousandfold comes in pieces too.
pub const INFLATE_SIZE_BYTES: usize = 16 * 1024;
/// Buffers with more capacity than this are given back once empty, even on a busy connection.
pub const KEPT_CAPACITY_BYTES_MAX: usize = 16 * 1024;
/// Tasks polled before the ring is looked at again.
pub const TASKS_PER_TURN_MAX: usize = 256;
/// How long tasks are polled before the ring is looked at again; the last one may take longer.
pub const TURN_TIME_MAX: Duration = Duration::from_millis(1);
/// Sessions that are woken in a row by news that concerns thousands; what else a reactor has to do comes in between.
pub const LATER_TASKS_PER_TURN: usize = 32;
/// A client that takes no byte for this long while we have something to send is given up.
pub const SEND_STALL_MAX: Duration = Duration::from_secs(60);
/// A TLS handshake must be through in this time.
pub const TLS_HANDSHAKE_MAX: Duration = Duration::from_secs(20);
/// After our last byte: how long to wait for the peer to close, so that our last reply is not destroyed by a reset.
pub const CLOSE_LINGER_MAX: Duration = Duration::from_secs(1);
/// How long the end of a connection may take in all, for a client that takes our last bytes one by one.
pub const CLOSE_MAX: Duration = Duration::from_secs(30);
/// Bytes thrown away while lingering.
pub const CLOSE_DRAIN_SIZE_BYTES_MAX: usize = 256 * 1024;
/// How long accepting pauses when the process or the system is out of file descriptors.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long a start waits for an address that is still taken.
pub const LISTEN_RETRY_MAX: Duration = Duration::from_secs(3);
/// The pause between two tries.
pub const LISTEN_RETRY_PAUSE: Duration = Duration::from_millis(50);
/// Connections the kernel may queue for a listener before we accept them.
pub const LISTEN_BACKLOG: i32 = 1024;
/// Reactor threads; more would be a mistake in the configuration.
pub const REACTORS_MAX: usize = 256;
/// After the grace of a stop: how long the kernel may take to give back the last operations of a ring.
pub const RING_DRAIN_MAX: Duration = Duration::from_secs(2);

// ---- session ----

/// Messages that one transaction changes or removes for a client; more are several, and other commits come in between.
pub const COMMIT_MESSAGES_MAX: usize = 50_000;
/// The same of messages that it copies or moves: each is an event of its own.
pub const COMMIT_COPIES_MAX: usize = 20_000;
/// Output that is gathered before it is sent, however many commands a client has pipelined.
pub const OUTPUT_BYTES: usize = 64 * 1024;
/// Bytes that one session goes through before other sessions of the reactor are served, and whatever else takes about a nanosecond each.
pub const WORK_PER_TURN_BYTES: usize = 256 << 10;
/// Pipelined commands of one session before other sessions of the reactor are served.
pub const COMMANDS_PER_TURN: usize = 32;

/// How long a failed login counts.
pub const LOGIN_FAILURES_KEPT: Duration = Duration::from_secs(15 * 60);
/// Failed logins that cost no wait: slips of the finger.
pub const LOGIN_FAILURES_FREE: u32 = 3;
/// Failed logins from one address after which it is refused without a check.
pub const LOGIN_FAILURES_MAX: u32 = 30;
/// Logins from one address, or for one name, that may be under way at a time before the next ones count as failures.
pub const LOGIN_PARALLEL_MAX: u32 = 256;
/// The same once one has failed.
pub const LOGIN_PARALLEL_AFTER_FAILURE_MAX: u32 = 32;
/// The first wait; it doubles with each failure.
pub const LOGIN_DELAY_MIN: Duration = Duration::from_millis(500);
/// The longest wait.
pub const LOGIN_DELAY_MAX: Duration = Duration::from_secs(8);
/// Addresses, and account names, whose failures are counted at a time.
pub const LOGIN_FAILURE_ENTRIES_MAX: usize = 65_536;
/// Characters of a login name that its count is kept under.
pub const LOGIN_NAME_CHARS_KEPT: usize = 128;
/// Addresses of To and Cc that are looked at for a member who is away.
pub const SMTP_NAMED_MAX: usize = 1_000;
/// Failed logins on one connection before it is closed.
pub const LOGIN_FAILURES_PER_SESSION_MAX: u32 = 5;
/// Bytes of a message that is a small one: such have a part of the budget of all sessions for themselves.
pub const MESSAGE_SMALL_BYTES: u64 = 256 << 10;
/// Which part, of what the others have and beside it: a quarter.
pub const BUDGET_SMALL_PART: u64 = 4;
/// They take from it in steps of this size.
pub const BUDGET_SMALL_STEP_BYTES: u64 = 16 << 10;
/// Above that a session takes from the budget in steps of this size.
pub const BUDGET_STEP_BYTES: u64 = 1 << 20;
/// Bytes a second that a message must come in by which holds room of the budget, once half of that is taken; see `session::Budget`.
pub const INTAKE_RATE_MIN: u64 = 32 << 10;
/// How often that doubles at most while less and less is left.
pub const INTAKE_RATE_DOUBLINGS_MAX: u32 = 4;
/// Over how long it is measured.
pub const INTAKE_WINDOW: Duration = Duration::from_secs(10);
/// How long a session waits for room to read a large message while others hold all there is.
pub const READING_WAIT_MAX: Duration = Duration::from_secs(60);
/// How long a client may leave a piece of a large message unread at first before it has to let others go first; see `session::Reading`.
pub const READING_HOLD_MIN: Duration = Duration::from_secs(2);
/// The same after it has had to some times.
pub const READING_HOLD_MAX: Duration = Duration::from_secs(60);
/// Between the first two looks whether there is room; it doubles.
pub const READING_PAUSE_MIN: Duration = Duration::from_millis(10);
/// The longest such pause.
pub const READING_PAUSE_MAX: Duration = Duration::from_secs(1);
/// Bytes of messages under way over all sessions, each way, unless configured.
pub const BUDGET_BYTES_DEFAULT: u64 = 1 << 30;
/// Connections of one account at a time, unless configured.
pub const CONNECTIONS_PER_ACCOUNT_DEFAULT: u32 = 100;
/// Bytes of one message, unless configured.
pub const MESSAGE_SIZE_BYTES_MAX_DEFAULT: u64 = 50 << 20;
/// Bytes of a token introspection endpoint's answer (RFC 7662).
pub const OAUTH_ANSWER_BYTES_MAX: usize = 64 << 10;
/// Questions to it that are under way at a time; others wait as long as one may take.
pub const OAUTH_ASKS_MAX: usize = 64;
/// Bytes of a line in a SASL exchange (RFC 4954 section 4).
pub const SASL_LINE_BYTES_MAX: usize = 12_288;

// ---- smtp, lmtp ----

/// Bytes of one command line: AUTH with its initial response is the longest (RFC 4954 section 4).
pub const SMTP_LINE_BYTES_MAX: usize = SASL_LINE_BYTES_MAX;
/// Characters of a client's HELO name that are kept.
pub const SMTP_HELLO_CHARS_MAX: usize = 255;
/// Recipients of one message (RFC 5321 section 4.5.3.1.8 asks for 100 at least).
pub const SMTP_RECIPIENTS_MAX: usize = 1000;
/// Recipients beyond those that are refused without counting as errors: a client may have sent them before it heard of the first.
pub const SMTP_EXCESS_RECIPIENTS_MAX: usize = 10_000;
/// Accounts and addresses that all recipients of one message stand for: groups may be large, and be named again and again. What one group
/// stands for is never too much.
pub const SMTP_COPIES_MAX: usize = 20_000;
/// Those of one recipient after whom other sessions of the reactor are served first.
pub const SMTP_COPIES_PER_TURN: usize = 100;
/// Error replies since the last message that was taken, after which the connection is closed.
pub const SMTP_ERRORS_MAX: u32 = 20;
/// Recipients that a client site may be refused within a minute, unless configured; then it hears 421 at its next one.
pub const SMTP_REFUSED_MINUTE_DEFAULT: u32 = 100;
/// How long a client may send nothing (RFC 5321 section 4.5.3.2.7).
pub const SMTP_IDLE_MAX: Duration = Duration::from_secs(5 * 60);
/// How long one message, or one chunk of it, may take.
pub const SMTP_MESSAGE_MAX: Duration = Duration::from_secs(60 * 60);
/// Received fields of a message that goes in circles (RFC 5321 section 6.3).
pub const SMTP_HOPS_MAX: usize = 100;
/// Recipients of a message that its line in the server's log names; it says how many more there are.
pub const SMTP_LOGGED_RECIPIENTS_MAX: usize = 10;
/// Bytes of the recipients that the mail log names of a message refused for all of them: as many as there may be, of 64 bytes each. It says how many more there are.
pub const SMTP_REFUSED_RECIPIENTS_BYTES_MAX: usize = 64 * SMTP_RECIPIENTS_MAX;
/// Characters of what should be an address and is none, in the mail log.
pub const SMTP_LOGGED_PATH_CHARS_MAX: usize = 320;
/// Bytes of a message's header that are sent back with a bounce.
pub const SMTP_BOUNCE_HEADER_BYTES_MAX: usize = 64 * 1024;
/// How often a report about a message under way is tried while the store is busy or its disk full, `OUTBOUND_PAUSE` apart.
pub const SMTP_BOUNCE_TRIES_MAX: u32 = 5;
/// Bytes of a message's header; a message with a larger one is refused. Gmail takes 500 KB, Exchange 256 KB.
pub const SMTP_HEADER_BYTES_MAX: usize = 1 << 20;
/// Fields of such a header.
pub const SMTP_HEADER_FIELDS_MAX: usize = 5000;
/// Bytes of a header that are looked at for From and Subject.
pub const SMTP_JUDGED_HEADER_BYTES_MAX: usize = 256 * 1024;
/// Addresses of From that are looked at.
pub const SMTP_FROM_MAX: usize = 100;
/// Fields that name authors or senders (From, Sender, Resent-From, Resent-Sender) that are read; one of each is what there should be.
pub const SMTP_AUTHOR_FIELDS_MAX: usize = 50;
/// Seconds for which a member may have a message held (RFC 4865): 30 days.
pub const SMTP_HOLD_SECONDS_MAX: i64 = 30 * 86_400;
/// Bytes of messages that a member whose mailbox has no bound may have held.
pub const SMTP_HELD_BYTES_MAX: u64 = 1 << 30;
/// Seconds within which a message can be asked to be delivered or returned (RFC 2852), at least.
pub const SMTP_DELIVER_BY_SECONDS_MIN: i64 = 60;
/// The highest priority (RFC 6710) that a member may ask for; the lowest is -9.
pub const SMTP_MEMBER_PRIORITY_MAX: i8 = 4;
/// The highest that another host may ask for.
pub const SMTP_HOST_PRIORITY_MAX: i8 = 0;
/// Of an ORCPT parameter, its type and its address together, decoded (RFC 3461 section 4.2: the whole parameter has up to 500 characters).
pub const SMTP_ORCPT_BYTES_MAX: usize = 500;
/// Bytes of one packet of a milter.
pub const MILTER_PACKET_BYTES_MAX: usize = 2 << 20;
/// Bytes of a message and of what a milter changes of it up to which a reactor thread makes the change itself.
pub const MILTER_INLINE_BYTES_MAX: usize = 256 * 1024;
/// How long all filters of a message together may take at each of a client's commands, unless configured. After DATA a client waits ten minutes
/// (RFC 5321 section 4.5.3.2.6), and the checks of the sender and the store want some of them.
pub const FILTERS_MAX_DEFAULT: Duration = Duration::from_secs(120);
/// Bytes of a body that a milter is shown at a time (MILTER_CHUNK_SIZE).
pub const MILTER_BODY_BYTES: usize = 65_535;
/// Changes of one message by one milter.
pub const MILTER_EDITS_MAX: usize = 1000;
/// Bytes of those.
pub const MILTER_EDIT_BYTES_MAX: usize = 64 << 20;
/// Bytes of a header that milters are shown; a message with a larger one is refused.
pub const MILTER_HEADER_BYTES_MAX: usize = 1 << 20;
/// Fields of such a header.
pub const MILTER_FIELDS_MAX: usize = 5000;
/// How many times its time-out a milter may be at work on one answer, when it says that it is.
pub const MILTER_PATIENCE: u32 = 20;
/// Bytes of the header of rspamd's reply.
pub const RSPAMD_HEAD_BYTES_MAX: usize = 16 * 1024;
/// Bytes of rspamd's answer.
pub const RSPAMD_REPLY_BYTES_MAX: usize = 4 << 20;
/// Hosts of which answers of DNS blocklists are kept.
pub const DNSBL_KEPT_MAX: usize = 50_000;
/// How long an answer is kept that some blocklist had no part in.
pub const DNSBL_RETRY: Duration = Duration::from_secs(60);
/// How long a trusted proxy may take to say whose connection it passes on.
pub const PROXY_HEADER_MAX: Duration = Duration::from_secs(10);
/// Bytes behind the fixed part of a PROXY header of version 2.
pub const PROXY_HEADER_BYTES_MAX: usize = 4096;
/// Fields in a header that say who has sent the message on.
pub const PASSED_FIELDS_MAX: usize = 32;

// ---- verify ----

/// Terms of records of SPF that may ask name servers for one message, and those of them that may find nothing (RFC 7208 section 4.6.4).
pub const VERIFY_SPF_TERMS_MAX: usize = 10;
/// See above.
pub const VERIFY_SPF_VOIDS_MAX: usize = 2;
/// DKIM signatures of one message that are checked: those that may speak for the author first, then the first ones; and as many that are broken are told of.
pub const VERIFY_SIGNATURES_MAX: usize = 10;
/// Fields that a signature may name (h=); one that names more is passed over.
pub const VERIFY_SIGNED_NAMES_MAX: usize = 200;
/// Bytes of a signature's domain, and of its selector: more is no name (RFC 1035 section 2.3.4).
pub const VERIFY_NAME_BYTES_MAX: usize = 255;
/// Bytes of the identity that a signature may tell (i=).
pub const VERIFY_IDENTITY_BYTES_MAX: usize = 320;
/// How long a check may take beyond the waits for name servers: hashing, and the checks before it on the same thread.
pub const VERIFY_WORK_MAX: Duration = Duration::from_secs(60);

// ---- dsn ----

/// Characters of a reply's text that are kept, in the log, the queue and reports (RFC 5321 section 4.5.3.1.5 allows 512 bytes a line).
pub const REPLY_TEXT_CHARS_KEPT: usize = 480;
/// Bytes of a message that goes back whole with a report when the sender asked for it (RFC 3461 RET=FULL).
pub const DSN_MESSAGE_BYTES_MAX: usize = 256 * 1024;

// ---- outbound ----

/// Bytes of one line of a reply (RFC 5321 section 4.5.3.1.5 asks for 512 at least).
pub const OUTBOUND_LINE_BYTES_MAX: usize = 4096;
/// Lines of one reply.
pub const OUTBOUND_REPLY_LINES_MAX: usize = 128;
/// Recipients of one transaction; RFC 5321 section 4.5.3.1.8 promises 100.
pub const OUTBOUND_RECIPIENTS_MAX: usize = 50;
/// Bytes of a message that are handed to the connection at a time.
pub const OUTBOUND_PIECE_BYTES: usize = 64 * 1024;
/// A message of more bytes that came as bytes is put in lines by a worker: at submission, or where it leaves.
pub const LINES_INLINE_BYTES_MAX: usize = 64 << 10;
/// Hosts of one domain that are asked for their addresses.
pub const OUTBOUND_HOSTS_MAX: usize = 20;
/// Addresses that one attempt tries to connect to.
pub const OUTBOUND_ADDRESSES_MAX: usize = 6;
/// Hosts of a destination that one attempt offers a message to, while those before take nothing now.
pub const OUTBOUND_HOSTS_PER_ATTEMPT_MAX: usize = 3;
/// Jobs that are ready or under way; what is due besides waits in the queue.
pub const OUTBOUND_JOBS_MAX: usize = 100_000;
/// Jobs that are ready for one destination; what is due besides waits behind them, and keeps no other destination waiting.
pub const OUTBOUND_READY_MAX: usize = 1000;
/// As many times that are ready for one destination at most, what goes before others included: what an operator, its sender or its end urges.
pub const OUTBOUND_READY_FAVOURED_PARTS: usize = 4;
/// Jobs of each priority that are ready for it, however many others are.
pub const OUTBOUND_READY_KEPT: usize = 100;
/// How many of the highest priority go to a destination in a row while lower ones wait: the next one is of those.
pub const OUTBOUND_PRIORITY_RUN: u32 = 4;
/// One in so many connections is kept for destinations that have none.
pub const OUTBOUND_SESSIONS_KEPT_PART: usize = 5;
/// How long a session may last while all connections are taken and some destination has none.
pub const OUTBOUND_TURN: Duration = Duration::from_secs(30);
/// Connections that a destination is first tried with at a time.
pub const OUTBOUND_WINDOW_FIRST: usize = 5;
/// Messages over one connection.
pub const OUTBOUND_MESSAGES_PER_CONNECTION_MAX: u32 = 100;
/// How long a connection waits for one more message.
pub const OUTBOUND_LINGER: Duration = Duration::from_secs(2);
/// How long one address may take to accept a connection.
pub const OUTBOUND_CONNECT_MAX: Duration = Duration::from_secs(30);
/// The greeting (RFC 5321 section 4.5.3.2.1).
pub const OUTBOUND_GREETING_MAX: Duration = Duration::from_secs(5 * 60);
/// EHLO, STARTTLS, AUTH, MAIL, RCPT, RSET (sections 4.5.3.2.2 and 4.5.3.2.3).
pub const OUTBOUND_COMMAND_MAX: Duration = Duration::from_secs(5 * 60);
/// The reply to DATA (section 4.5.3.2.4).
pub const OUTBOUND_DATA_MAX: Duration = Duration::from_secs(2 * 60);
/// A receiver that takes no byte of the message for this long (section 4.5.3.2.5).
pub const OUTBOUND_STALL_MAX: Duration = Duration::from_secs(3 * 60);
/// The reply to the final dot (section 4.5.3.2.6).
pub const OUTBOUND_FINAL_MAX: Duration = Duration::from_secs(10 * 60);
/// The goodbye, which nobody needs.
pub const OUTBOUND_QUIT_MAX: Duration = Duration::from_secs(5);
/// A last word of a host that stops taking the message.
pub const OUTBOUND_LAST_WORD_MAX: Duration = Duration::from_secs(2);
/// All name server work for one destination.
pub const OUTBOUND_RESOLVE_MAX: Duration = Duration::from_secs(60);
/// How long a message waits for room in memory before it is put off.
pub const OUTBOUND_ROOM_WAIT_MAX: Duration = Duration::from_secs(5 * 60);
/// How long a message may take to be sent while others wait for its room or its connection, beside the time for its bytes.
pub const OUTBOUND_PACE_FREE: Duration = Duration::from_secs(10 * 60);
/// Bytes of it for each second of that time.
pub const OUTBOUND_RATE_MIN: u64 = 16 << 10;
/// How often is looked whether it takes too long.
pub const OUTBOUND_PACE_LOOK: Duration = Duration::from_secs(10);
/// How long what came of an attempt waits to be noted where the store does not take it now.
pub const OUTBOUND_PAUSE: Duration = Duration::from_secs(1);
/// Results that are handed to the store before the first answer is awaited.
pub const OUTBOUND_BATCH: usize = 256;

// ---- pop3 ----

/// Bytes of one command line. RFC 2449 section 4 asks for 255 at least; AUTH with its initial response is the longest.
pub const POP3_LINE_BYTES_MAX: usize = SASL_LINE_BYTES_MAX;
/// Bytes of a line that is too long which are read and thrown away before the connection is closed instead.
pub const POP3_SKIP_BYTES_MAX: usize = 1 << 20;
/// Commands in a row that were not understood or not allowed, after which the connection is closed.
pub const POP3_BAD_MAX: u32 = 20;
/// Bytes of a message that are dot-stuffed at a time.
pub const POP3_PIECE_BYTES: usize = 16 * 1024;
/// Messages that LIST and UIDL go through before other sessions of the reactor are served.
pub const POP3_BATCH_MESSAGES: usize = 1024;
/// Autologout (RFC 1939 section 3: ten minutes at least): how long a session may be silent after login.
pub const POP3_IDLE_MAX: Duration = Duration::from_secs(10 * 60);
/// How long a session may take to log in.
pub const POP3_LOGIN_MAX: Duration = Duration::from_secs(60);
/// Addresses of a domain's DMARC record that get its report.
pub const DMARC_REPORT_ADDRESSES_MAX: usize = 10;
/// Bytes of a message that brings a report, and of what is unpacked of it.
pub const REPORT_BYTES_MAX: usize = 32 << 20;
/// Parts of a message that are read as reports.
pub const REPORT_PARTS_MAX: usize = 4;
/// Characters that are kept of each text in a report.
pub const REPORT_TEXT_CHARS_MAX: usize = 255;

/// How often is kept what shall outlive a restart.
pub const KEEP_EVERY: Duration = Duration::from_secs(60);
/// Domains whose MTA-STS policies are kept.
pub const STS_DOMAINS_MAX: usize = 10_000;
/// Seconds for which a policy is kept at most (RFC 8461 section 3.2: a year).
pub const STS_AGE_SECONDS_MAX: u64 = 31_557_600;
/// Bytes of a policy (RFC 8461 section 3.3).
pub const STS_POLICY_BYTES_MAX: usize = 64 << 10;
/// Lines of it that are kept for reports.
pub const STS_LINES_KEPT: usize = 100;
/// How long a policy may take to be fetched (the same section).
pub const STS_FETCH_MAX: Duration = Duration::from_secs(60);
/// Policies that are fetched at a time.
pub const STS_FETCHES_MAX: usize = 32;
/// Domains of a day whose sessions are counted for reports about TLS.
pub const TLSRPT_DOMAINS_MAX: usize = 10_000;
/// Policies of one of them.
pub const TLSRPT_POLICIES_MAX: usize = 8;
/// Kinds of failures under one policy that are told apart.
pub const TLSRPT_DETAILS_MAX: usize = 50;
/// Bytes of a policy's lines, and of its hosts, that a report tells.
pub const TLSRPT_TEXT_BYTES_MAX: usize = 4 << 10;
/// Bytes of all that is counted: as it is kept over a restart it takes less than twice as many.
pub const TLSRPT_BYTES_MAX: usize = KEPT_BYTES_MAX / 2;
/// Addresses that get one report.
pub const TLSRPT_TARGETS_MAX: usize = 4;
/// How often is looked whether a day is over.
pub const TLSRPT_LOOK: Duration = Duration::from_secs(60);
/// How long posting a report may take.
pub const TLSRPT_POST_MAX: Duration = Duration::from_secs(60);
/// Reports that are posted at a time.
pub const TLSRPT_POSTS_MAX: usize = 4;
/// Seconds before a policy that could not be had is asked for again (the same section: five minutes at least).
pub const STS_PAUSE_SECONDS: i64 = 300;
