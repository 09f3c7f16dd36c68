//! Which commands there are, who may give them, and what runs them. One row per command.
use super::cmd::{auth, bdat, burl, data, expn, hello, help, mail, noop, quit, rcpt, rset, starttls, vrfy};
use super::role::Role;
use super::state::{Running, Session};
use smtp_proto::Request;

/// A row of the table.
pub(super) struct Command {
    /// In capitals, as `smtp_proto::Request::name` gives it.
    pub(super) name: &'static str,
    pub(super) roles: &'static [Role],
    pub(super) run: Run,
}

/// What runs a command.
pub(super) type Run = for<'s> fn(&'s mut Session, Request<String>) -> Running<'s>;

/// The row of a command, if it may be given in that role.
pub(super) fn find(name: &str, role: Role) -> Option<&'static Command> {
    COMMANDS.iter().find(|command| command.name == name && command.roles.contains(&role))
}

const ALL: &[Role] = &[Role::Mx, Role::Submission, Role::Lmtp];
const SMTP: &[Role] = &[Role::Mx, Role::Submission];

const fn row(name: &'static str, roles: &'static [Role], run: Run) -> Command {
    Command { name, roles, run }
}

static COMMANDS: [Command; 16] = [
    // RFC 5321 section 4.1.1
    row("EHLO", SMTP, hello::run),
    row("HELO", SMTP, hello::run),
    row("MAIL", ALL, mail::run),
    row("RCPT", ALL, rcpt::run),
    row("DATA", ALL, data::run),
    row("RSET", ALL, rset::run),
    row("NOOP", ALL, noop::run),
    row("QUIT", ALL, quit::run),
    row("VRFY", ALL, vrfy::run),
    row("EXPN", ALL, expn::run),
    row("HELP", ALL, help::run),
    // RFC 2033 section 4.1
    row("LHLO", &[Role::Lmtp], hello::run),
    // RFC 3030, 3207, 4954
    row("BDAT", ALL, bdat::run),
    row("STARTTLS", ALL, starttls::run),
    row("AUTH", &[Role::Submission], auth::run),
    // RFC 4468
    row("BURL", &[Role::Submission], burl::run),
];
