//! sieve put, show, check, remove. A script is one of the member's rules; here it travels as the text that it is.
use super::account::must_be;
use super::away::{commit, read, refused, rules};
use super::{Context, End};
use crate::cli::SieveCommand;
use crate::ops::{Change, Failure, ScopeText, What};
use posthouse_engine::directory::Rule;
use posthouse_engine::mailflow::sieve::Script;

fn checked(text: &str) -> Result<(), Failure> {
    Script::parse(text).map(|_| ()).map_err(|wrong| refused(format!("no Sieve script: {wrong}")))
}

pub(super) fn sieve(context: &mut Context<'_>, command: SieveCommand) -> Result<End, Failure> {
    match command {
        SieveCommand::Check { file } => {
            checked(&read(&file)?)?;
            context.show.done("it is a script");
            Ok(End::Done)
        }
        SieveCommand::Put { member, file } => {
            must_be(context, What::Member, &member)?;
            let text = read(&file)?;
            checked(&text)?;
            let rule = Rule::Sieve(text.into()).to_string();
            let change = Change::RuleAdd { scope: ScopeText::Account(member.clone()), rule };
            commit(context, vec![change], &format!("script of {member} set"))
        }
        SieveCommand::Show { member } => {
            must_be(context, What::Member, &member)?;
            let rule = one(context, &member)?;
            match rule.parse::<Rule>()? {
                Rule::Sieve(text) if context.show.json => {
                    context.show.json_value(&serde_json::json!({ "script": &*text }))
                }
                Rule::Sieve(text) => context.show.text(text.trim_end_matches('\n')),
                _ => {}
            }
            Ok(End::Done)
        }
        SieveCommand::Remove { member } => {
            must_be(context, What::Member, &member)?;
            let change = Change::RuleRemove { scope: ScopeText::Account(member.clone()), rule: one(context, &member)? };
            commit(context, vec![change], &format!("script of {member} removed"))
        }
    }
}

fn one(context: &mut Context<'_>, member: &str) -> Result<String, Failure> {
    let rule = rules(context, member, &["sieve"])?.into_iter().next();
    rule.ok_or_else(|| Failure::not_found(format_args!("a script of {member}")))
}
