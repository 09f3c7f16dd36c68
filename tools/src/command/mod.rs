//! Turns words into requests, asks, and shows the answers. Decides nothing about the store.
mod access;
mod account;
mod acl;
mod away;
mod carry;
mod compact;
mod directory;
mod dns;
mod flow;
mod import;
mod queue;
mod quota;
mod removed;
mod reports;
mod rescue;
mod show;
mod sieve;
mod trace;
mod unit;
mod upgrade;

pub(crate) use compact::start as compact_start;
pub use import::read_members;

use crate::cli::{Cli, Command, Global, UnitArgs, UpgradeArgs};
use crate::config::{self, Config, ConfigError};
use crate::ops::{Change, Failure, Request, Response};
use crate::session::Session;
use show::{List, Show};
use std::process::ExitCode;

/// A command ends with words and a code.
pub enum End {
    /// All is done.
    Done,
    /// Done in part; what was not is told already.
    Partly,
    /// Done but for messages that were told already.
    LeftOut,
}

/// Why a command did not do its work.
pub enum Trouble {
    /// The configuration is wrong.
    Config(ConfigError),
    /// The request was not carried out.
    Failure(Failure),
    /// The same for a command whose codes below 2 mean something of their own.
    CouldNotRun(Failure),
}

impl From<ConfigError> for Trouble {
    fn from(error: ConfigError) -> Trouble {
        Trouble::Config(error)
    }
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Trouble {
        Trouble::Failure(failure)
    }
}

/// Runs a command to its exit code (the codes stand in `posthouse help`).
pub fn run(cli: Cli) -> ExitCode {
    let json = cli.global.json;
    match dispatch(cli) {
        Ok(End::Done) => ExitCode::SUCCESS,
        Ok(End::Partly) => ExitCode::from(1),
        Ok(End::LeftOut) => ExitCode::from(8),
        Err(Trouble::Config(error)) => {
            eprintln!("posthouse: {error}");
            ExitCode::from(2)
        }
        Err(Trouble::Failure(failure)) => {
            tell(&failure, json);
            ExitCode::from(failure.exit_code())
        }
        Err(Trouble::CouldNotRun(failure)) => {
            tell(&failure, json);
            ExitCode::from(2)
        }
    }
}

fn tell(failure: &Failure, json: bool) {
    if json {
        eprintln!("{}", serde_json::json!({ "failure": failure }));
    } else {
        eprintln!("posthouse: {failure}");
    }
}

fn dispatch(cli: Cli) -> Result<End, Trouble> {
    let (config, from_file) = load(&cli.global)?;
    let data = config::data_dir(cli.global.data.as_deref(), &config);
    if let Command::Serve { first_members } = cli.command {
        crate::serve::run(&data, &config, first_members || !from_file)?;
        return Ok(End::Done);
    }
    let (show, file) = (Show { json: cli.global.json }, cli.global.config.clone());
    let mut session = Session::new(data.clone(), config);
    let mut context = Context { session: &mut session, show };
    let end = match cli.command {
        Command::Serve { .. } => End::Done,
        Command::Status => queue::status(&mut context)?,
        Command::Tenant(command) => directory::tenant(&mut context, command)?,
        Command::Domain(command) => directory::domain(&mut context, command)?,
        Command::Alias(command) => directory::alias(&mut context, command)?,
        Command::Group(command) => directory::group(&mut context, command)?,
        Command::Member(command) => account::member(&mut context, command)?,
        Command::Business(command) => account::business(&mut context, command)?,
        Command::Dkim(command) => flow::dkim(&mut context, command)?,
        Command::Rule(command) => flow::rule(&mut context, command)?,
        Command::Acl(command) => acl::acl(&mut context, command)?,
        Command::Sieve(command) => sieve::sieve(&mut context, command)?,
        Command::Queue(command) => queue::queue(&mut context, command)?,
        Command::Logins(args) => access::logins(&mut context, args)?,
        Command::Trace(args) => trace::trace(&mut context, args)?,
        Command::Reports(args) => reports::reports(&mut context, args)?,
        Command::Purge(args) => removed::purge_all(&mut context, &args)?,
        Command::Export(args) => carry::export(&mut context, args)?,
        Command::Import(args) => carry::import(&mut context, args)?,
        Command::Verify(args) => rescue::verify(&data, show, args)?,
        Command::Inspect(args) => rescue::inspect(show, &args)?,
        Command::Rebuild(args) => rescue::rebuild(&data, show, args)?,
        Command::Repair(args) => rescue::repair(&data, show, args)?,
        Command::Upgrade(UpgradeArgs { check: _ }) => upgrade::check(&data, show)?,
        Command::Unit(UnitArgs { user }) => {
            unit::print(file.as_deref(), &data, context.session.config(), user.as_deref(), show)?
        }
        Command::Salvage(args) => rescue::salvage(context.session.config(), show, args)?,
        Command::Compact(args) => compact::compact(&mut context, &data, &args)?,
        Command::Quota(args) => quota::prove(&mut context, args)?,
        Command::Backup(args) => carry::backup(&mut context, &args)?,
        Command::Restore(args) => carry::restore(&mut context, args)?,
    };
    session.close()?;
    Ok(end)
}

/// The configuration, and whether there is a file.
fn load(global: &Global) -> Result<(Config, bool), ConfigError> {
    match &global.config {
        Some(path) => Ok((Config::read(path)?, true)),
        None => Ok((Config::default(), false)),
    }
}

/// What every command works with.
struct Context<'a> {
    session: &'a mut Session,
    show: Show,
}

impl Context<'_> {
    /// One change of the directory; says `done` when it is durable.
    fn change(&mut self, change: Change, done: &str) -> Result<End, Failure> {
        self.changes(vec![change], done)
    }

    /// Some changes of the directory, of which the later ones mean nothing without the first.
    fn changes(&mut self, changes: Vec<Change>, done: &str) -> Result<End, Failure> {
        match self.session.ask(&Request::Change { changes })? {
            Response::Changed { results } => match results.into_iter().flatten().next() {
                Some(failure) => Err(failure),
                None => {
                    self.show.done(done);
                    Ok(End::Done)
                }
            },
            other => Err(unexpected(&other)),
        }
    }

    /// All pages of a list.
    fn list(&mut self, request: Request) -> Result<End, Failure> {
        self.lists([request])
    }

    /// All pages of several lists, shown as one.
    fn lists(&mut self, requests: impl IntoIterator<Item = Request>) -> Result<End, Failure> {
        let mut list = self.show.list();
        for request in requests {
            self.pages(request, &mut list)?;
        }
        list.end();
        Ok(End::Done)
    }

    fn pages(&mut self, mut request: Request, list: &mut List) -> Result<(), Failure> {
        loop {
            let Response::Listed { rows, next } = self.session.ask(&request)? else {
                return Err(Failure::new(crate::ops::Kind::Failed, "a list was expected"));
            };
            let Some(next) = next else {
                list.rows(&rows);
                return Ok(());
            };
            match &mut request {
                Request::List { after, .. } => *after = Some(next),
                Request::AclList { after, .. } => *after = Some(next),
                Request::QueueList { after, .. } | Request::RemovedList { after } => *after = next.parse().ok(),
                _ => {
                    list.rows(&rows);
                    return Ok(());
                }
            }
            // The next page is made while this one is written.
            self.session.ask_ahead(&request);
            list.rows(&rows);
        }
    }

    /// Everything about one thing.
    fn show(&mut self, request: &Request) -> Result<End, Failure> {
        match self.session.ask(request)? {
            Response::Shown { view } => {
                self.show.record(&view);
                Ok(End::Done)
            }
            other => Err(unexpected(&other)),
        }
    }
}

fn unexpected(response: &Response) -> Failure {
    Failure::new(crate::ops::Kind::Failed, format!("an answer of another kind was expected: {response:?}"))
}
