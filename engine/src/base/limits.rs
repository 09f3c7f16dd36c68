//! Every bound of the engine in one place. A bound that a user can reach is answered by `Error::Limit` with its name.

/// Bytes of one message, trace headers included.
pub const MESSAGE_BYTES_MAX: usize = 256 << 20;
/// Levels of parts, the message itself included, that a summary follows; what lies deeper is one opaque part.
pub const MIME_DEPTH_MAX: usize = 100;
/// Parts of one message that a summary lists; the last one holds the rest of the message.
pub const MIME_PARTS_MAX: usize = 10_000;
/// Parameters of one Content- field, and languages of one Content-Language.
pub const MIME_PARAMS_MAX: usize = 100;
/// Bytes of a boundary that are compared (RFC 2046 section 5.1.1 allows 70).
pub const MIME_BOUNDARY_BYTES_MAX: usize = 80;
/// Address fields after the first of their name that one envelope takes up.
pub const MIME_FIELD_REPEATS_MAX: usize = 100;
/// Addresses of one header field that an envelope lists.
pub const MIME_ADDRESSES_MAX: usize = 4096;
/// Bytes of one header field that a summary takes up; address lists are cut between addresses.
pub const MIME_FIELD_BYTES_MAX: usize = 128 << 10;
/// Bytes of text in one summary beyond the message's own envelope; fields that do not fit are left out.
pub const SUMMARY_TEXT_BYTES_MAX: usize = 4 << 20;
/// Bytes of one summary.
pub const SUMMARY_BYTES_MAX: usize = 8 << 20;
/// Bytes of a zstd dictionary that is trained; smaller when there is little to learn from.
pub const DICTIONARY_BYTES: usize = 112 << 10;
/// Bytes of a zstd dictionary that is read.
pub const DICTIONARY_BYTES_MAX: usize = 1 << 20;
/// Bytes of a base64 part, as it stands in a message, from which on it is stored decoded.
pub const BASE64_BYTES_MIN: usize = 512;
/// Bytes of a decoded part from which on it is stored by itself, once in a segment.
pub const PART_APART_BYTES_MIN: usize = 16 << 10;
/// Parts of the growing segment that its committer remembers.
pub const PARTS_KNOWN_MAX: usize = 1 << 16;
/// Bytes of one mail that are kept as a sample to train a dictionary from.
pub const SAMPLE_BYTES_MAX: usize = 4 << 10;
/// Bytes of one segment file before it is sealed, unless configured. Offsets are 32 bits wide.
pub const SEGMENT_BYTES_DEFAULT: u32 = 64 << 20;
/// Largest `segment_bytes_max` that can be configured.
pub const SEGMENT_BYTES_MAX: u32 = 2 << 30;
/// Zeros that are written in front of a growing log when the last ones are used up: at least, and at most. Powers of two.
pub const LOG_AHEAD_BYTES_MIN: u64 = 16 << 10;
/// See `LOG_AHEAD_BYTES_MIN`.
pub const LOG_AHEAD_BYTES_MAX: u64 = 1 << 20;
/// Bytes of one frame's payload: a message that does not compress, with its summary.
pub const FRAME_PAYLOAD_BYTES_MAX: usize = MESSAGE_BYTES_MAX + (8 << 20);
/// Bytes of a transaction's events after which the next ones go to a frame of their own in the same group.
pub const EVENT_FRAME_BYTES: usize = 4 << 20;
/// Entries that one COPY or MOVE makes: their events wait in memory for the commit.
pub const COPY_ENTRIES_MAX: usize = 1_000_000;
/// Copies of a COPY that was cut short which one transaction takes back.
pub const TAKEN_BACK_ENTRIES: u32 = 50_000;
/// Bytes of one event frame.
pub const EVENT_PAYLOAD_BYTES_MAX: usize = 64 << 20;
/// Bytes of log after which a checkpoint is written.
pub const CHECKPOINT_LOG_BYTES: u64 = 64 << 20;
/// Steps in which room for the next checkpoint is held in a file, in bytes.
pub const RESERVE_STEP_BYTES: u64 = 256 << 10;
/// Bytes of a checkpoint beside its accounts and its state: magic, meta, trailer, and what a dictionary adds to the state.
pub const RESERVE_SLACK_BYTES: u64 = 16 << 10;
/// Requests that wait for one committer before callers hear `Busy`; as many besides may be in its hands.
pub const COMMIT_QUEUE_LEN: usize = 4096;
/// Bytes that one group commit gathers before it syncs.
pub const GROUP_BYTES_MAX: usize = 16 << 20;
/// Requests in one group commit.
pub const GROUP_REQUESTS_MAX: usize = 1024;
/// Bytes of a note that outlives a restart.
pub const KEPT_BYTES_MAX: usize = 32 << 20;
/// Accounts of one shard for which it is noted that a message of the queue has reached them.
pub const REACHED_ACCOUNTS_MAX: usize = 1 << 20;
/// Seconds after which a note that a crash has left behind is forgotten.
pub const REACHED_LEFT_SECONDS: i64 = 600;
/// Changed queue items that are noted for the sender of the queue before it has to look at all of them.
pub const QUEUE_FEED_IDS_MAX: usize = 65_536;
/// Bytes of a mailbox name in UTF-8.
pub const MAILBOX_NAME_BYTES_MAX: usize = 1024;
/// Levels of a mailbox name.
pub const MAILBOX_DEPTH_MAX: usize = 32;
/// Mailboxes of one account.
pub const MAILBOXES_MAX: usize = 10_000;
/// Keywords of one mailbox: an entry holds them as 64 bits.
pub const KEYWORDS_MAX: usize = 64;
/// Bytes of one keyword.
pub const KEYWORD_BYTES_MAX: usize = 128;
/// Entries of one chunk of a mailbox's table.
pub const CHUNK_ENTRIES_MAX: usize = 512;
/// Chunks of one block of a mailbox's table: a change copies the list of one block's chunks.
pub const BLOCK_CHUNKS_MAX: usize = 128;
/// Entries of a chunk in an index part up to which a new entry is put into a copy of it; behind a longer one a new chunk begins, so that a
/// delivery to a mailbox that nobody touched lately copies little.
pub const CHUNK_COPY_ENTRIES_MAX: usize = 64;
/// Changed accounts of a shard from which on a checkpoint is written, however little log there is: they lie in memory until then.
pub const DIRTY_ACCOUNTS_MAX: usize = 16_384;
/// Unchanged accounts of a shard that are kept in memory for readers.
pub const READ_ACCOUNTS_MAX: usize = 8192;
/// Chunks in memory from which on an account that was changed during a checkpoint takes back what was written.
pub const ADOPT_CHUNKS_MIN: usize = 16;
/// Bytes of a unique-id of POP3 (RFC 1939 section 7).
pub const POP3_UIDL_BYTES_MAX: usize = 70;
/// Bytes of a mailbox's unique-ids from another server.
pub const POP3_UIDLS_BYTES_MAX: usize = 8 << 20;
/// Bytes of them that stand in one annotation.
pub const POP3_UIDL_VALUE_BYTES: usize = 48 << 10;
/// Annotations of one mailbox, or of an account itself (RFC 5464).
pub const METADATA_ENTRIES_MAX: usize = 100;
/// Bytes of one annotation's value.
pub const METADATA_VALUE_BYTES_MAX: usize = 64 << 10;
/// Bytes of all annotations of an account and its mailboxes.
pub const METADATA_ACCOUNT_BYTES_MAX: usize = 1 << 20;
/// Mailboxes that one member's URLs can be authorised for at a time (RFC 4467).
pub const URL_KEYS_MAX: usize = 500;
/// Ranges of expunged uids that a mailbox remembers for QRESYNC; with more, the oldest are joined.
pub const EXPUNGED_RANGES_MAX: usize = 512;
/// Recipients of one delivery after groups are expanded.
pub const RECIPIENTS_MAX: usize = 100_000;
/// Bytes of one address (RFC 5321 section 4.5.3.1: 64 + 1 + 255).
pub const ADDRESS_BYTES_MAX: usize = 320;
/// Aliases of one account (D1).
pub const ALIASES_MAX: usize = 5;
/// Bytes that an ordinary mailbox may hold (A2).
pub const QUOTA_BYTES_DEFAULT: u64 = 1 << 30;
/// Accounts of one tenant unless the operator raises it (A9).
pub const TENANT_ACCOUNTS_DEFAULT: u32 = 200;
/// Bytes of a tenant's name (its slug).
pub const TENANT_NAME_BYTES_MAX: usize = 63;
/// Bytes of a display name: a tenant's title, an account's or a group's name.
pub const DISPLAY_NAME_BYTES_MAX: usize = 256;
/// Bytes of an address's local part (RFC 5321 section 4.5.3.1.1).
pub const LOCAL_PART_BYTES_MAX: usize = 64;
/// Bytes of a domain (RFC 5321 section 4.5.3.1.2).
pub const DOMAIN_BYTES_MAX: usize = 255;
/// Domains of one tenant.
pub const DOMAINS_MAX: usize = 10_000;
/// Members of one group.
pub const GROUP_MEMBERS_MAX: usize = RECIPIENTS_MAX;
/// Members who may open one business mailbox.
pub const BUSINESS_USERS_MAX: usize = 1000;
/// Signing keys of one domain.
pub const DOMAIN_KEYS_MAX: usize = 16;
/// Bytes of a selector: one label of a domain name.
pub const SELECTOR_BYTES_MAX: usize = 63;
/// Bytes of a private or public signing key: RSA of 4096 bits fits.
pub const SIGNING_KEY_BYTES_MAX: usize = 4096;
/// Rules of one tenant, domain, account or group.
pub const RULES_MAX: usize = 10_000;
/// Entries of one mailbox's access control list.
pub const ACL_ENTRIES_MAX: usize = 1_000;
/// Entries of the lists of all mailboxes of an account; one more list may go beyond it.
pub const ACL_ENTRIES_ACCOUNT_MAX: usize = 10_000;
/// Days after which messages that POP3 has fetched go.
pub const POP3_FETCHED_DAYS_MAX: u32 = 3_650;
/// Members for whom a shared mailbox keeps what they have seen.
pub const READERS_MAX: usize = 4_096;
/// Bytes of a keyword.
pub const RULE_TEXT_BYTES_MAX: usize = 256;
/// Bytes of a Sieve script.
pub const SIEVE_BYTES_MAX: usize = 64 << 10;
/// Bytes of one string in it.
pub const SIEVE_STRING_BYTES_MAX: usize = 16 << 10;
/// Levels of blocks and tests in it.
pub const SIEVE_DEPTH_MAX: usize = 32;
/// What running a script may cost: a step for each command and test, and one for each byte compared. About two
/// milliseconds of a thread that serves others too.
pub const SIEVE_COST_MAX: u64 = 2_000_000;
/// What the scripts of all accounts behind one address may cost together; each has its share, so that no member's takes it from another's.
pub const SIEVE_COST_ADDRESS_MAX: u64 = 20_000_000;
/// The least that a script may cost, however many accounts are behind the address: twenty rules on a usual header.
pub const SIEVE_COST_MIN: u64 = 10_000;
/// Bytes of the scripts that a thread remembers as read.
pub const SIEVE_KNOWN_BYTES_MAX: usize = 1 << 20;
/// Things that a script does with one message.
pub const SIEVE_ACTIONS_MAX: usize = 100;
/// Addresses that a script sends one message on to (RFC 5228 section 4.2).
pub const SIEVE_REDIRECTS_MAX: usize = 10;
/// Of the words of a script's refusal that the sender reads.
pub const SIEVE_REJECT_CHARS_MAX: usize = 1000;
/// Bytes of a header that a script sees.
pub const SIEVE_HEADER_BYTES_MAX: usize = 256 << 10;
/// Fields of it.
pub const SIEVE_FIELDS_MAX: usize = 1_000;
/// Addresses of one field.
pub const SIEVE_ADDRESSES_MAX: usize = 1_000;
/// Addresses that mail of one account goes on to.
pub const FORWARDS_MAX: usize = 10;
/// Bytes of the text that answers for somebody who is away.
pub const AWAY_TEXT_BYTES_MAX: usize = 8 << 10;
/// Days within which one sender is answered once, unless said otherwise (RFC 5230 section 4.1).
pub const AWAY_DAYS_DEFAULT: u32 = 7;
/// The same at most.
pub const AWAY_DAYS_MAX: u32 = 365;
/// Senders that an account remembers as answered; the oldest are forgotten first.
pub const AWAY_SENDERS_MAX: usize = 2000;
/// Seconds of the longest period of a sending rate.
pub const RATE_SECONDS_MAX: u32 = 31 * 86_400;
/// Accounts and tenants whose sending is counted at a time.
pub const RATE_ACCOUNTS_MAX: usize = 1 << 20;
/// Bytes of a password; what is longer is refused before any work is spent on it.
pub const PASSWORD_BYTES_MAX: usize = 1024;
/// Bytes of a stored password hash (PHC string).
pub const PASSWORD_HASH_BYTES_MAX: usize = 512;
/// Bytes of one file of the login log.
pub const LOGIN_LOG_FILE_BYTES_MAX: u64 = 4 << 20;
/// Bytes of all files of the login log together; the oldest go first.
pub const LOGIN_LOG_BYTES_MAX: u64 = 256 << 20;
/// Days for which a login is remembered (A8: six months).
pub const LOGIN_LOG_DAYS_MAX: i64 = 183;
/// Bytes of login records that wait to be written; what comes beyond is dropped and counted.
pub const LOGIN_LOG_WAITING_BYTES_MAX: usize = 4 << 20;
/// Bytes of one file of the mail log.
pub const MAIL_LOG_FILE_BYTES_MAX: u64 = 8 << 20;
/// Bytes of all files of the mail log together, unless configured; the oldest go first.
pub const MAIL_LOG_BYTES_DEFAULT: u64 = 1 << 30;
/// Days for which a message's way is remembered, unless configured (A8: six months).
pub const MAIL_LOG_DAYS_DEFAULT: u64 = 183;
/// Bytes of mail records that wait to be written; what comes beyond is dropped and counted.
pub const MAIL_LOG_WAITING_BYTES_MAX: usize = 8 << 20;
/// Bytes of one file of what DMARC reports are made of.
pub const DMARC_LOG_FILE_BYTES_MAX: u64 = 8 << 20;
/// Bytes of all its files together; the oldest go first. A message takes some 150 bytes.
pub const DMARC_LOG_BYTES_MAX: u64 = 1 << 30;
/// Days for which they are kept: a report is made on the day after.
pub const DMARC_LOG_DAYS_MAX: u64 = 7;
/// Bytes of such records that wait to be written; what comes beyond is dropped and counted.
pub const DMARC_LOG_WAITING_BYTES_MAX: usize = 4 << 20;
/// Rows of DMARC reports that are in memory at a time: some 30 MiB. More are done in turns; one domain gets no more.
pub const DMARC_ROWS_MAX: usize = 50_000;
/// Numbers of messages that one look into the mail log follows.
pub const MAIL_LOG_FOUND_MAX: usize = 100_000;
/// Kinds of refusals before MAIL, by address, that are gathered at a time; those of more addresses become one step.
pub const MAIL_LOG_CROWD_MAX: usize = 256;
/// Mailbox entries that are looked after until they have been seen; what comes beyond is counted.
pub const MAIL_WATCHED_MAX: usize = 262_144;
/// Rounds of PBKDF2 in new SCRAM keys. RFC 7677 section 4 asks for at least 4096; Cyrus SASL's clients take at most 65,536.
pub const SCRAM_ITERATIONS: u32 = 32_768;
/// App passwords of one account.
pub const APP_PASSWORDS_MAX: usize = 50;
/// Trusted networks of one tenant or account.
pub const TRUSTED_NETWORKS_MAX: usize = 256;
/// KiB of memory that one check of a stored password hash may take.
pub const PASSWORD_MEMORY_KIB_MAX: u32 = 256 << 10;
/// Passes over that memory.
pub const PASSWORD_PASSES_MAX: u32 = 16;
/// Lanes of that memory.
pub const PASSWORD_LANES_MAX: u32 = 16;
