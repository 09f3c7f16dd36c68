//! Which commands there are, when each may be given, what a session may be told after it, and what runs it. One row per command.
use super::answer::Answer;
use super::args::Args;
use super::cmd::{
    acl, append, authenticate, cancelupdate, capability, close, compress, copy, create, delete, enable, esearch,
    expunge, fetch, gen_url_auth, id, idle, list, login, logout, lsub, metadata, namespace, noop, notify, quota,
    rename, replace, reset_key, search, select, sort, starttls, status, store, subscribe, thread, uid_batches,
    unauthenticate, url_fetch,
};
use super::parse::{self, Head};
use super::scan::Literal;
use super::state::{Running, Session};
use imap_codec::imap_types::command::CommandBody;

/// The session state that a command needs (RFC 3501 section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Any.
    Any,
    /// Before login only.
    NotAuthenticated,
    /// After login.
    Authenticated,
    /// With a mailbox selected.
    Selected,
}

/// What a session is told about its mailbox before the tagged response (RFC 3501 sections 5.2 and 7.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    /// Nothing: the command has told it, or ends the session or the selection.
    Nothing,
    /// Flags and new messages, but no EXPUNGE: the client may have the next command with message numbers under way.
    NoExpunge,
    /// Everything.
    Everything,
}

/// A row of the table.
#[derive(Debug)]
pub(super) struct Command {
    /// In capitals.
    pub(super) name: &'static str,
    pub(super) state: State,
    pub(super) after: After,
    pub(super) run: Run,
}

impl Command {
    /// Whether its arguments or its answer have message numbers, and a UID command beside it has uids.
    pub(super) fn takes_numbers(&self) -> bool {
        matches!(self.name, "FETCH" | "STORE" | "SEARCH" | "COPY" | "MOVE" | "SORT" | "THREAD" | "REPLACE")
    }
}

/// What runs a command.
pub(super) type Run = for<'s> fn(&'s mut Session, Request) -> Running<'s>;

/// A command with its arguments.
pub(super) struct Request {
    pub(super) tag: String,
    /// As in the table.
    pub(super) name: &'static str,
    /// The command from its tag on; up to the announcement of its message if that has not been read.
    bytes: Vec<u8>,
    /// Where the arguments begin.
    arguments: usize,
    /// The message that has not been read.
    pub(super) literal: Option<Literal>,
}

impl Request {
    /// The command that `bytes` begin.
    pub(super) fn new(command: &Command, head: &Head, bytes: &[u8], literal: Option<Literal>) -> Request {
        let bytes = bytes.to_vec();
        Request { tag: head.tag.clone(), name: command.name, bytes, arguments: head.len, literal }
    }

    /// The arguments as imap-codec reads them. It does not say where it has stopped: then `walk` goes over them and says what is wrong.
    pub(super) fn body(
        &self,
        walk: impl FnOnce(&mut Args<'_>) -> Result<(), Answer>,
    ) -> Result<CommandBody<'static>, Answer> {
        if let Some(body) = parse::body(&self.bytes) {
            return Ok(body);
        }
        walk(&mut self.args())?;
        Err(self.wrong())
    }

    /// The arguments to be read by hand, from the space before the first on.
    pub(super) fn args(&self) -> Args<'_> {
        Args::new(&self.bytes, self.arguments)
    }

    /// The answer to arguments that are not understood.
    pub(super) fn wrong(&self) -> Answer {
        Answer::bad(format!("{}: wrong arguments", self.name))
    }

    /// Whether the numbers of the command are uids.
    pub(super) fn is_uid(&self) -> bool {
        self.name.starts_with("UID ")
    }

    /// `<name> completed`
    pub(super) fn completed(&self) -> Answer {
        Answer::ok(format!("{} completed", self.name.trim_start_matches("UID ")))
    }
}

/// The row of a command.
pub(super) fn find(name: &str) -> Option<&'static Command> {
    COMMANDS.iter().find(|command| command.name == name)
}

const fn row(name: &'static str, state: State, after: After, run: Run) -> Command {
    Command { name, state, after, run }
}

static COMMANDS: [Command; 61] = {
    use After::{Everything, NoExpunge, Nothing};
    use State::{Any, Authenticated, NotAuthenticated, Selected};
    [
        // RFC 3501 section 6.1
        row("CAPABILITY", Any, Everything, capability::run),
        row("NOOP", Any, Everything, noop::run),
        row("LOGOUT", Any, Nothing, logout::run),
        // Section 6.2
        row("STARTTLS", NotAuthenticated, Nothing, starttls::run),
        row("AUTHENTICATE", NotAuthenticated, Nothing, authenticate::run),
        row("LOGIN", NotAuthenticated, Nothing, login::run),
        // Section 6.3
        row("SELECT", Authenticated, Nothing, select::run),
        row("EXAMINE", Authenticated, Nothing, select::run),
        row("CREATE", Authenticated, Everything, create::run),
        row("DELETE", Authenticated, Everything, delete::run),
        row("RENAME", Authenticated, Everything, rename::run),
        row("SUBSCRIBE", Authenticated, Everything, subscribe::run),
        row("UNSUBSCRIBE", Authenticated, Everything, subscribe::run),
        row("LIST", Authenticated, Everything, list::run),
        row("LSUB", Authenticated, Everything, lsub::run),
        row("STATUS", Authenticated, Everything, status::run),
        row("APPEND", Authenticated, Everything, append::run),
        // Section 6.4
        row("CHECK", Selected, Everything, noop::run),
        row("CLOSE", Selected, Nothing, close::run),
        row("EXPUNGE", Selected, Everything, expunge::run),
        row("SEARCH", Selected, NoExpunge, search::run),
        row("UID SEARCH", Selected, Everything, search::run),
        row("FETCH", Selected, NoExpunge, fetch::run),
        row("UID FETCH", Selected, Everything, fetch::run),
        row("STORE", Selected, NoExpunge, store::run),
        row("UID STORE", Selected, Everything, store::run),
        row("COPY", Selected, Everything, copy::run),
        row("UID COPY", Selected, Everything, copy::run),
        // RFC 4315, 6851, 3691, 2177, 2971, 5161, 2342, 9208
        row("UID EXPUNGE", Selected, Everything, expunge::run),
        row("MOVE", Selected, Everything, copy::run),
        row("UID MOVE", Selected, Everything, copy::run),
        row("UNSELECT", Selected, Nothing, close::run),
        row("IDLE", Authenticated, Everything, idle::run),
        row("ID", Any, Everything, id::run),
        row("ENABLE", Authenticated, Nothing, enable::run),
        row("NAMESPACE", Authenticated, Everything, namespace::run),
        // RFC 5256
        row("SORT", Selected, NoExpunge, sort::run),
        row("UID SORT", Selected, Everything, sort::run),
        row("THREAD", Selected, NoExpunge, thread::run),
        row("UID THREAD", Selected, Everything, thread::run),
        // RFC 4978, 5464, 8508, 8437
        row("COMPRESS", Authenticated, Nothing, compress::run),
        row("GETMETADATA", Authenticated, Everything, metadata::get),
        row("SETMETADATA", Authenticated, Everything, metadata::set),
        row("REPLACE", Selected, Everything, replace::run),
        row("UID REPLACE", Selected, Everything, replace::run),
        row("UNAUTHENTICATE", Authenticated, Nothing, unauthenticate::run),
        row("GETQUOTA", Authenticated, Everything, quota::get_quota),
        row("GETQUOTAROOT", Authenticated, Everything, quota::get_quota_root),
        row("SETQUOTA", Authenticated, Everything, quota::set_quota),
        // RFC 7377, 10022
        row("ESEARCH", Authenticated, Everything, esearch::run),
        row("UIDBATCHES", Selected, Everything, uid_batches::run),
        // RFC 4467
        row("RESETKEY", Authenticated, Everything, reset_key::run),
        row("GENURLAUTH", Authenticated, Everything, gen_url_auth::run),
        row("URLFETCH", Authenticated, Everything, url_fetch::run),
        // RFC 4314
        row("SETACL", Authenticated, Everything, acl::set),
        row("DELETEACL", Authenticated, Everything, acl::delete),
        row("GETACL", Authenticated, Everything, acl::get),
        row("LISTRIGHTS", Authenticated, Everything, acl::list_rights),
        row("MYRIGHTS", Authenticated, Everything, acl::my_rights),
        // RFC 5267, 5465
        row("CANCELUPDATE", Selected, NoExpunge, cancelupdate::run),
        row("NOTIFY", Authenticated, Everything, notify::run),
    ]
};
