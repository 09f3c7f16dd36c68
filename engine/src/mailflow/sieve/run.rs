//! Goes over a script with what is known of a message. What happens when it goes wrong is the caller's: the mail stays in INBOX.
use super::fields::Field;
use super::matching::Matching;
use super::script::{Act, Node, Part, Refused, Script, Test, Vacation};
use crate::base::limits::{SIEVE_ACTIONS_MAX, SIEVE_REDIRECTS_MAX};

/// What is known of a message.
pub struct Facts<'a> {
    /// Its header.
    pub fields: &'a [Field],
    /// The reverse-path; empty for `<>`.
    pub sender: &'a str,
    /// The forward-path.
    pub recipient: &'a str,
    /// Bytes.
    pub size: u64,
    /// Whether the account has such a mailbox.
    pub has_mailbox: &'a dyn Fn(&str) -> bool,
}

/// A copy in a mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filing {
    /// Its name; `None` is INBOX.
    pub mailbox: Option<String>,
    /// Whether it is made when it is not there.
    pub create: bool,
    /// Flags and keywords, each once.
    pub flags: Vec<String>,
}

/// A copy for another address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Onward {
    /// Which.
    pub to: String,
}

/// What shall happen. Without a copy anywhere and without a refusal the message is thrown away, as its receiver wishes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Effects {
    /// Copies in mailboxes, each mailbox once.
    pub filed: Vec<Filing>,
    /// Copies for other addresses, each address once.
    pub redirects: Vec<Onward>,
    /// It is refused.
    pub refused: Option<Refused>,
    /// The sender is answered.
    pub vacation: Option<Vacation>,
}

/// To ask whether an account has a mailbox, in bytes compared.
const MAILBOX_COST: u64 = 2_000;

struct Runner<'a> {
    facts: &'a Facts<'a>,
    effects: Effects,
    flags: Vec<String>,
    implicit_keep: bool,
    stopped: bool,
    left: u64,
    actions: usize,
}

/// Runs a script, which may cost `cost_max`: a step for each command and test, one for each byte looked at.
///
/// # Errors
/// Words for the log; nothing of what the script did before counts.
pub fn run(script: &Script, facts: &Facts<'_>, cost_max: u64) -> Result<Effects, String> {
    let mut runner = Runner {
        facts,
        effects: Effects::default(),
        flags: Vec::new(),
        implicit_keep: true,
        stopped: false,
        left: cost_max,
        actions: 0,
    };
    runner.block(&script.block)?;
    if runner.effects.refused.is_some() && !runner.effects.filed.is_empty() {
        return Err("reject does not go with keep or fileinto".into());
    }
    if runner.implicit_keep {
        let flags = std::mem::take(&mut runner.flags);
        runner.file(None, false, flags);
    }
    Ok(runner.effects)
}

/// Adds flags that are not there yet; in any case.
fn add(flags: &mut Vec<String>, more: &[String]) {
    for flag in more.iter().flat_map(|flags| flags.split_whitespace()) {
        if !flags.iter().any(|known| known.eq_ignore_ascii_case(flag)) {
            flags.push(flag.to_owned());
        }
    }
}

fn part_of(part: Part, address: &str) -> Option<String> {
    let (local, domain) = address.rsplit_once('@').unwrap_or((address, ""));
    Some(match part {
        Part::All => address.to_owned(),
        Part::Local => local.to_owned(),
        Part::Domain => domain.to_owned(),
        Part::User => local.split_once('+').map_or(local, |(user, _)| user).to_owned(),
        Part::Detail => local.split_once('+')?.1.to_owned(),
    })
}

impl Runner<'_> {
    fn cost(&mut self, cost: u64) -> Result<(), String> {
        self.left = self.left.checked_sub(cost).ok_or("the script takes too long")?;
        Ok(())
    }

    fn block(&mut self, nodes: &[Node]) -> Result<(), String> {
        for node in nodes {
            if self.stopped {
                return Ok(());
            }
            self.cost(1)?;
            match node {
                Node::Stop => self.stopped = true,
                Node::Act(act) => self.act(act)?,
                Node::If(branches) => {
                    for (test, then) in branches {
                        let holds = match test {
                            Some(test) => self.test(test)?,
                            None => true,
                        };
                        if holds {
                            self.block(then)?;
                            break;
                        }
                    }
                }
            }
        }
        Ok(())
    }

    fn act(&mut self, act: &Act) -> Result<(), String> {
        self.actions += 1;
        if self.actions > SIEVE_ACTIONS_MAX {
            return Err(format!("a script does at most {SIEVE_ACTIONS_MAX} things with a message"));
        }
        let chosen = |own: &Option<Vec<String>>, known: &Vec<String>| {
            let mut flags = Vec::new();
            add(&mut flags, own.as_ref().unwrap_or(known));
            flags
        };
        match act {
            Act::Keep { flags } => {
                self.implicit_keep = false;
                self.file(None, false, chosen(flags, &self.flags));
            }
            Act::Discard => self.implicit_keep = false,
            Act::FileInto { mailbox, copy, create, flags } => {
                self.implicit_keep &= copy;
                self.file(Some(mailbox.clone()), *create, chosen(flags, &self.flags));
            }
            Act::Redirect { to, copy } => {
                self.implicit_keep &= copy;
                if !self.effects.redirects.iter().any(|known| known.to == *to) {
                    self.effects.redirects.push(Onward { to: to.clone() });
                }
                if self.effects.redirects.len() > SIEVE_REDIRECTS_MAX {
                    return Err(format!("a script sends a message on to at most {SIEVE_REDIRECTS_MAX} addresses"));
                }
            }
            Act::Reject(refused) => {
                self.implicit_keep = false;
                if self.effects.refused.replace(refused.clone()).is_some() {
                    return Err("a message is rejected once".into());
                }
            }
            Act::Vacation(vacation) => {
                if self.effects.vacation.replace(vacation.clone()).is_some() {
                    return Err("vacation is used once".into());
                }
            }
            Act::SetFlag(flags) => {
                self.flags.clear();
                add(&mut self.flags, flags);
            }
            Act::AddFlag(flags) => add(&mut self.flags, flags),
            Act::RemoveFlag(flags) => {
                let gone: Vec<&str> = flags.iter().flat_map(|flags| flags.split_whitespace()).collect();
                self.flags.retain(|flag| !gone.iter().any(|gone| gone.eq_ignore_ascii_case(flag)));
            }
        }
        Ok(())
    }

    fn file(&mut self, mailbox: Option<String>, create: bool, flags: Vec<String>) {
        let mailbox = mailbox.filter(|name| !name.eq_ignore_ascii_case("INBOX"));
        match self.effects.filed.iter_mut().find(|known| known.mailbox == mailbox) {
            // RFC 5228 section 2.10.3: one copy for each mailbox.
            Some(known) => {
                known.create |= create;
                add(&mut known.flags, &flags);
            }
            None => self.effects.filed.push(Filing { mailbox, create, flags }),
        }
    }

    /// What the fields with these names say: to look for them costs by their number, and to take them by their bytes.
    fn values(&mut self, names: &[String], of: impl Fn(&Field, &mut Vec<String>)) -> Result<Vec<String>, String> {
        self.cost((names.len() * self.facts.fields.len()) as u64)?;
        let mut values = Vec::new();
        for field in self.facts.fields.iter().filter(|field| names.contains(&field.name)) {
            let before = values.len();
            of(field, &mut values);
            let bytes: usize = values[before..].iter().map(|value| value.len() + 1).sum();
            self.cost(bytes as u64)?;
        }
        Ok(values)
    }

    fn compare(&mut self, matching: Matching, values: &[String], keys: &[String]) -> Result<bool, String> {
        matching.any(values, keys, &mut self.left).ok_or_else(|| "the script takes too long".into())
    }

    fn test(&mut self, test: &Test) -> Result<bool, String> {
        self.cost(1)?;
        match test {
            Test::Always(answer) => Ok(*answer),
            Test::Not(test) => Ok(!self.test(test)?),
            Test::AllOf(tests) => {
                for test in tests {
                    if !self.test(test)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Test::AnyOf(tests) => {
                for test in tests {
                    if self.test(test)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Test::Exists(names) => {
                self.cost((names.len() * self.facts.fields.len()) as u64)?;
                Ok(names.iter().all(|name| self.facts.fields.iter().any(|field| field.name == *name)))
            }
            Test::Size { over: true, limit } => Ok(self.facts.size > *limit),
            Test::Size { over: false, limit } => Ok(self.facts.size < *limit),
            Test::Header { names, keys, matching } => {
                let values = self.values(names, |field, values| values.push(field.text.clone()))?;
                self.compare(*matching, &values, keys)
            }
            Test::Address { part, names, keys, matching } => {
                let parts = |field: &Field, values: &mut Vec<String>| {
                    values.extend(field.addresses.iter().filter_map(|one| part_of(*part, one)));
                };
                let values = self.values(names, parts)?;
                self.compare(*matching, &values, keys)
            }
            Test::Envelope { part, names, keys, matching } => {
                let of = |name: &String| if name == "from" { self.facts.sender } else { self.facts.recipient };
                let values: Vec<String> = names.iter().filter_map(|name| part_of(*part, of(name))).collect();
                self.compare(*matching, &values, keys)
            }
            Test::HasFlag { keys, matching } => {
                let values = self.flags.clone();
                self.compare(*matching, &values, keys)
            }
            Test::MailboxExists(names) => {
                self.cost(names.len() as u64 * MAILBOX_COST)?;
                Ok(names.iter().all(|name| (self.facts.has_mailbox)(name)))
            }
        }
    }
}
