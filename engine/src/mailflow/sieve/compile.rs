//! What the names of a script mean, with what each command and test takes; and what the script has not asked for by `require`.
use super::matching::{Comparator, Kind, Matching, Relation};
use super::script::{Act, Node, Part, Refused, Script, Test, Vacation};
use super::syntax::{Arg, Call};
use super::{At, Wrong};
use crate::base::limits::{AWAY_DAYS_DEFAULT, AWAY_DAYS_MAX, AWAY_TEXT_BYTES_MAX};
use crate::directory::Address;

/// RFC 5322 section 2.1.1.
const LINE_BYTES_MAX: usize = 998;

/// What `require` may name.
const EXTENSIONS: [&str; 13] = [
    "envelope",
    "fileinto",
    "copy",
    "mailbox",
    "reject",
    "ereject",
    "imap4flags",
    "relational",
    "subaddress",
    "vacation",
    "comparator-i;octet",
    "comparator-i;ascii-casemap",
    "comparator-i;ascii-numeric",
];

/// Fields that hold addresses (RFC 5228 section 5.1).
const ADDRESS_FIELDS: [&str; 11] = [
    "from",
    "to",
    "cc",
    "bcc",
    "sender",
    "reply-to",
    "resent-from",
    "resent-to",
    "resent-cc",
    "resent-bcc",
    "resent-sender",
];

#[derive(Default)]
struct Compiler {
    required: Vec<String>,
}

fn wrong<T>(at: At, what: impl Into<String>) -> Result<T, Wrong> {
    Err(Wrong { at, what: what.into() })
}

pub(super) fn script(commands: &[Call]) -> Result<Script, Wrong> {
    let mut compiler = Compiler::default();
    let front = commands.iter().take_while(|call| call.name == "require").count();
    for call in &commands[..front] {
        compiler.require(call)?;
    }
    Ok(Script { block: compiler.block(&commands[front..])? })
}

/// The arguments of one call, taken one by one.
struct Args<'a> {
    call: &'a Call,
    tags: Vec<(&'a str, At, Option<&'a Arg>)>,
    positional: std::vec::IntoIter<(&'a Arg, At)>,
}

/// Tags that take a value.
const WITH_VALUE: [&str; 9] =
    ["comparator", "value", "count", "flags", "days", "subject", "from", "addresses", "handle"];

impl<'a> Args<'a> {
    fn of(call: &'a Call) -> Result<Args<'a>, Wrong> {
        let (mut tags, mut positional) = (Vec::new(), Vec::new());
        let mut all = call.args.iter();
        while let Some((arg, at)) = all.next() {
            match arg {
                Arg::Tag(tag) if WITH_VALUE.contains(&tag.as_str()) => match all.next() {
                    Some((value @ (Arg::Number(_) | Arg::Strings(_)), _)) => {
                        tags.push((tag.as_str(), *at, Some(value)))
                    }
                    _ => return wrong(*at, format!("a value is expected behind :{tag}")),
                },
                Arg::Tag(tag) => tags.push((tag.as_str(), *at, None)),
                arg => positional.push((arg, *at)),
            }
        }
        Ok(Args { call, tags, positional: positional.into_iter() })
    }

    /// Takes a tag out.
    fn tag(&mut self, name: &str) -> Option<(At, Option<&'a Arg>)> {
        let at = self.tags.iter().position(|(known, ..)| *known == name)?;
        let (_, place, value) = self.tags.remove(at);
        Some((place, value))
    }

    fn strings(&mut self, what: &str) -> Result<&'a [String], Wrong> {
        match self.positional.next() {
            Some((Arg::Strings(strings), _)) => Ok(strings),
            Some((_, at)) => wrong(at, format!("{what} expected")),
            None => wrong(self.call.at, format!("{}: {what} expected", self.call.name)),
        }
    }

    fn string(&mut self, what: &str) -> Result<&'a str, Wrong> {
        match self.strings(what)? {
            [one] => Ok(one),
            _ => wrong(self.call.at, format!("{}: {what} expected, not a list", self.call.name)),
        }
    }

    /// Nothing may be left.
    fn end(mut self) -> Result<(), Wrong> {
        if let Some((tag, at, _)) = self.tags.first() {
            return wrong(*at, format!("{} does not take :{tag}", self.call.name));
        }
        if let Some((_, at)) = self.positional.next() {
            return wrong(at, format!("{} does not take so many arguments", self.call.name));
        }
        Ok(())
    }
}

fn tagged_strings((at, value): (At, Option<&Arg>)) -> Result<&[String], Wrong> {
    match value {
        Some(Arg::Strings(strings)) => Ok(strings),
        _ => wrong(at, "a string is expected"),
    }
}

fn tagged_string(tag: (At, Option<&Arg>)) -> Result<String, Wrong> {
    match tagged_strings(tag)? {
        [one] => Ok(one.clone()),
        _ => wrong(tag.0, "one string is expected"),
    }
}

fn lower(strings: &[String]) -> Vec<String> {
    strings.iter().map(|text| text.to_ascii_lowercase()).collect()
}

impl Compiler {
    fn require(&mut self, call: &Call) -> Result<(), Wrong> {
        let mut args = Args::of(call)?;
        for name in args.strings("the names of extensions")? {
            if !EXTENSIONS.contains(&name.as_str()) {
                let known = EXTENSIONS.join(", ");
                return wrong(call.at, format!("the extension {name:?} is not known; known are {known}"));
            }
            self.required.push(name.clone());
        }
        self.plain(call)?;
        args.end()
    }

    fn needs(&self, at: At, what: &str, extension: &str) -> Result<(), Wrong> {
        if self.required.iter().any(|name| name == extension) {
            return Ok(());
        }
        wrong(at, format!("{what} needs require \"{extension}\" at the front of the script"))
    }

    /// A command without tests and block.
    fn plain(&self, call: &Call) -> Result<(), Wrong> {
        match (&call.block, call.tests.first()) {
            (Some(_), _) => wrong(call.at, format!("{} has no block", call.name)),
            (_, Some(test)) => wrong(test.at, format!("{} takes no test", call.name)),
            _ => Ok(()),
        }
    }

    fn block(&self, commands: &[Call]) -> Result<Vec<Node>, Wrong> {
        let mut nodes: Vec<Node> = Vec::new();
        let mut may_go_on = false;
        for call in commands {
            let was_if = std::mem::take(&mut may_go_on);
            match call.name.as_str() {
                "if" | "elsif" | "else" => {
                    let branch = self.branch(call)?;
                    may_go_on = call.name != "else";
                    match (call.name.as_str(), nodes.last_mut()) {
                        ("if", _) => nodes.push(Node::If(vec![branch])),
                        (_, Some(Node::If(branches))) if was_if => branches.push(branch),
                        _ => return wrong(call.at, format!("{} stands only behind if or elsif", call.name)),
                    }
                }
                "require" => return wrong(call.at, "require stands only at the front of a script"),
                "stop" => {
                    self.plain(call)?;
                    Args::of(call)?.end()?;
                    nodes.push(Node::Stop);
                }
                _ => nodes.push(Node::Act(self.act(call)?)),
            }
        }
        Ok(nodes)
    }

    fn branch(&self, call: &Call) -> Result<(Option<Test>, Vec<Node>), Wrong> {
        Args::of(call)?.end()?;
        let Some(block) = &call.block else {
            return wrong(call.at, format!("a block in {{ }} is expected behind {}", call.name));
        };
        let test = match (call.name.as_str(), call.tests.as_slice()) {
            ("else", []) => None,
            ("else", [test, ..]) => return wrong(test.at, "else takes no test"),
            (_, [test]) => Some(self.test(test)?),
            (name, _) => return wrong(call.at, format!("one test is expected behind {name}")),
        };
        Ok((test, self.block(block)?))
    }

    fn act(&self, call: &Call) -> Result<Act, Wrong> {
        self.plain(call)?;
        let (mut args, name, at) = (Args::of(call)?, call.name.as_str(), call.at);
        let act = match name {
            "keep" => Act::Keep { flags: self.flags(&mut args)? },
            "discard" => Act::Discard,
            "fileinto" => {
                self.needs(at, name, "fileinto")?;
                let (copy, create) = (self.copy(&mut args)?, args.tag("create"));
                create.map_or(Ok(()), |(at, _)| self.needs(at, ":create", "mailbox"))?;
                let (create, flags) = (create.is_some(), self.flags(&mut args)?);
                let mailbox = args.string("a mailbox")?.to_owned();
                if let Err(why) = crate::index::check_mailbox_name(&mailbox) {
                    return wrong(at, why.to_string());
                }
                Act::FileInto { mailbox, copy, create, flags }
            }
            "redirect" => {
                let copy = self.copy(&mut args)?;
                match Address::parse(args.string("an address")?) {
                    Ok(to) => Act::Redirect { to: to.to_string(), copy },
                    Err(why) => return wrong(at, why.to_string()),
                }
            }
            "reject" | "ereject" => {
                self.needs(at, name, name)?;
                Act::Reject(Refused { words: args.string("a text")?.to_owned(), by_mail: name == "reject" })
            }
            "vacation" => {
                self.needs(at, name, "vacation")?;
                Act::Vacation(vacation(&mut args, at)?)
            }
            "setflag" | "addflag" | "removeflag" => {
                self.needs(at, name, "imap4flags")?;
                let flags = args.strings("flags")?.to_vec();
                match name {
                    "setflag" => Act::SetFlag(flags),
                    "addflag" => Act::AddFlag(flags),
                    _ => Act::RemoveFlag(flags),
                }
            }
            name => return wrong(at, format!("there is no command {name}")),
        };
        args.end()?;
        Ok(act)
    }

    fn flags(&self, args: &mut Args<'_>) -> Result<Option<Vec<String>>, Wrong> {
        let Some(tag) = args.tag("flags") else { return Ok(None) };
        self.needs(tag.0, ":flags", "imap4flags")?;
        tagged_strings(tag).map(|flags| Some(flags.to_vec()))
    }

    fn copy(&self, args: &mut Args<'_>) -> Result<bool, Wrong> {
        let Some((at, _)) = args.tag("copy") else { return Ok(false) };
        self.needs(at, ":copy", "copy").map(|()| true)
    }

    fn tests(&self, call: &Call) -> Result<Vec<Test>, Wrong> {
        if call.tests.is_empty() {
            return wrong(call.at, format!("tests in ( ) are expected behind {}", call.name));
        }
        call.tests.iter().map(|test| self.test(test)).collect()
    }

    fn test(&self, call: &Call) -> Result<Test, Wrong> {
        let (mut args, name, at) = (Args::of(call)?, call.name.as_str(), call.at);
        if !matches!(name, "allof" | "anyof" | "not") {
            self.plain(call)?;
        }
        let test = match name {
            "true" | "false" => Test::Always(name == "true"),
            "allof" => Test::AllOf(self.tests(call)?),
            "anyof" => Test::AnyOf(self.tests(call)?),
            "not" => match call.tests.as_slice() {
                [test] => Test::Not(Box::new(self.test(test)?)),
                _ => return wrong(at, "one test is expected behind not"),
            },
            "exists" => Test::Exists(lower(args.strings("the names of fields")?)),
            "size" => size(&mut args, at)?,
            "header" => {
                let matching = self.matching(&mut args)?;
                let (names, keys) = (args.strings("the names of fields")?, args.strings("keys")?);
                Test::Header { names: lower(names), keys: keys.to_vec(), matching }
            }
            "address" | "envelope" => self.addresses(&mut args, name, at)?,
            "hasflag" => {
                self.needs(at, name, "imap4flags")?;
                let matching = self.matching(&mut args)?;
                Test::HasFlag { keys: args.strings("flags")?.to_vec(), matching }
            }
            "mailboxexists" => {
                self.needs(at, name, "mailbox")?;
                Test::MailboxExists(args.strings("the names of mailboxes")?.to_vec())
            }
            name => return wrong(at, format!("there is no test {name}")),
        };
        args.end()?;
        Ok(test)
    }

    fn addresses(&self, args: &mut Args<'_>, name: &str, at: At) -> Result<Test, Wrong> {
        let mut part = None;
        let parts = [
            ("all", Part::All, ""),
            ("localpart", Part::Local, ""),
            ("domain", Part::Domain, ""),
            ("user", Part::User, "subaddress"),
            ("detail", Part::Detail, "subaddress"),
        ];
        for (tag, meant, extension) in parts {
            let Some((at, _)) = args.tag(tag) else { continue };
            if !extension.is_empty() {
                self.needs(at, &format!(":{tag}"), extension)?;
            }
            if part.replace(meant).is_some() {
                return wrong(at, "only one part of the address can be asked for");
            }
        }
        let (part, matching) = (part.unwrap_or(Part::All), self.matching(args)?);
        let (names, keys) = (lower(args.strings("names")?), args.strings("keys")?.to_vec());
        if name == "envelope" {
            self.needs(at, name, "envelope")?;
            if let Some(odd) = names.iter().find(|name| !matches!(name.as_str(), "from" | "to")) {
                return wrong(at, format!("envelope knows \"from\" and \"to\", not {odd:?}"));
            }
            return Ok(Test::Envelope { part, names, keys, matching });
        }
        if let Some(odd) = names.iter().find(|name| !ADDRESS_FIELDS.contains(&name.as_str())) {
            return wrong(at, format!("the field {odd:?} holds no addresses"));
        }
        Ok(Test::Address { part, names, keys, matching })
    }

    fn matching(&self, args: &mut Args<'_>) -> Result<Matching, Wrong> {
        let comparator = match args.tag("comparator") {
            None => Comparator::default(),
            Some(tag) => match tagged_string(tag)?.as_str() {
                "i;octet" => Comparator::Octet,
                "i;ascii-casemap" => Comparator::Casemap,
                "i;ascii-numeric" => {
                    self.needs(tag.0, "this comparator", "comparator-i;ascii-numeric")?;
                    Comparator::Numeric
                }
                other => return wrong(tag.0, format!("there is no comparator {other:?}")),
            },
        };
        let mut kind = None;
        for tag in ["is", "contains", "matches", "value", "count"] {
            let Some(found) = args.tag(tag) else { continue };
            let meant = match tag {
                "is" => Kind::Is,
                "contains" => Kind::Contains,
                "matches" => Kind::Matches,
                _ => {
                    self.needs(found.0, &format!(":{tag}"), "relational")?;
                    let name = tagged_string(found)?;
                    let Some(relation) = Relation::named(&name) else {
                        return wrong(found.0, "one of \"gt\", \"ge\", \"lt\", \"le\", \"eq\", \"ne\" is expected");
                    };
                    if tag == "value" { Kind::Value(relation) } else { Kind::Count(relation) }
                }
            };
            if kind.replace(meant).is_some() {
                return wrong(found.0, "only one match type can be asked for");
            }
            if comparator == Comparator::Numeric && matches!(meant, Kind::Contains | Kind::Matches) {
                return wrong(found.0, "numbers contain and match nothing; :is, :value and :count are allowed");
            }
        }
        Ok(Matching { kind: kind.unwrap_or(Kind::Is), comparator })
    }
}

fn size(args: &mut Args<'_>, at: At) -> Result<Test, Wrong> {
    let over = match (args.tag("over"), args.tag("under")) {
        (Some(_), None) => true,
        (None, Some(_)) => false,
        _ => return wrong(at, "size: one of :over and :under is expected"),
    };
    match args.positional.next() {
        Some((Arg::Number(limit), _)) => Ok(Test::Size { over, limit: *limit }),
        _ => wrong(at, "size: a number is expected"),
    }
}

fn vacation(args: &mut Args<'_>, at: At) -> Result<Vacation, Wrong> {
    let days = match args.tag("days") {
        None => AWAY_DAYS_DEFAULT,
        // RFC 5230 section 4.1: what is out of bounds is taken for the next that is not.
        Some((_, Some(Arg::Number(days)))) => u32::try_from(*days).unwrap_or(u32::MAX).clamp(1, AWAY_DAYS_MAX),
        Some((at, _)) => return wrong(at, "a number is expected behind :days"),
    };
    let mut text = |name: &str| args.tag(name).map_or(Ok(String::new()), tagged_string);
    let (subject, handle) = (text("subject")?, text("handle")?);
    let addresses = args.tag("addresses").map_or(Ok(&[][..]), tagged_strings)?.to_vec();
    let from = args.tag("from").map(author).transpose()?;
    let mime = args.tag("mime").is_some();
    let reason = args.string("the answer")?.to_owned();
    if reason.len() > AWAY_TEXT_BYTES_MAX {
        return wrong(at, format!("the answer has at most {AWAY_TEXT_BYTES_MAX} bytes"));
    }
    if mime && let Err(why) = entity(&reason) {
        return wrong(at, why);
    }
    if subject.chars().any(char::is_control) {
        return wrong(at, "the subject is one line");
    }
    Ok(Vacation { days, subject, addresses, handle, from, mime, reason })
}

/// The address in `ann@example.org` or `Ann <ann@example.org>`.
fn author(tag: (At, Option<&Arg>)) -> Result<String, Wrong> {
    let text = tagged_string(tag)?;
    let address =
        text.strip_suffix('>').and_then(|text| text.rsplit_once('<')).map_or(text.as_str(), |(_, inner)| inner);
    Address::parse(address.trim()).map(|address| address.to_string()).or_else(|why| wrong(tag.0, why.to_string()))
}

/// Whether a text is a MIME entity that can stand in a message as it is (RFC 5230 section 4.6): its header speaks of the content alone.
fn entity(text: &str) -> Result<(), &'static str> {
    if text.lines().any(|line| line.len() > LINE_BYTES_MAX || line.contains(['\r', '\0'])) {
        return Err("a line of the answer is longer than 998 bytes (RFC 5322 section 2.1.1), or holds a CR or NUL");
    }
    let mut begun = false;
    for line in text.lines() {
        let name = line.split_once(':').map_or("", |(name, _)| name.trim_end()).to_ascii_lowercase();
        let speaks = name == "mime-version" || name.strip_prefix("content-").is_some_and(is_token);
        match line {
            "" if begun => return Ok(()),
            line if line.is_ascii() && (speaks || begun && line.starts_with([' ', '\t'])) => begun = true,
            _ => {
                return Err(
                    "with :mime the answer begins with Content-Type and other Content- fields, and an empty line",
                );
            }
        }
    }
    Err("with :mime an empty line stands between the answer's fields and its text")
}

fn is_token(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}
