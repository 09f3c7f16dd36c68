//! export, import.
use super::{Context, End, removed};
use crate::carry::{export, import};
use crate::cli::{ExportArgs, ImportArgs};
use crate::ops::bulk::Scope;
use crate::ops::{Failure, Kind};

pub(super) fn export(context: &mut Context<'_>, args: ExportArgs) -> Result<End, Failure> {
    let (scope, mailbox) = match (args.account, args.mailbox, args.tenant) {
        _ if args.removed.is_some() => {
            let row = removed::find(context, None, &args.removed.unwrap_or_default())?;
            (Scope::Removed { number: row.number }, None)
        }
        (Some(address), _, _) => (Scope::Account { address }, None),
        (_, Some(place), _) => {
            let (address, name) = place_of(&place)?;
            (Scope::Account { address }, Some(name))
        }
        (_, _, Some(name)) => (Scope::Tenant { name }, None),
        _ => (Scope::All, None),
    };
    let options = export::Options { scope, mailbox, format: args.format, to: &args.to };
    let report = export::run(context.session, &options)?;
    if context.show.json {
        context.show.json_value(&report);
    } else {
        let export::Report { accounts, mailboxes, messages, bytes, unreadable } = &report;
        context.show.done(&format!(
            "{messages} messages ({bytes} bytes) of {mailboxes} mailboxes of {accounts} accounts exported, {unreadable} unreadable"
        ));
    }
    Ok(if report.unreadable == 0 { End::Done } else { End::LeftOut })
}

/// `ADDRESS/NAME`; the address's local part may hold a slash, its domain not.
fn place_of(place: &str) -> Result<(String, String), Failure> {
    let split = place.find('@').and_then(|at| place[at..].find('/').map(|slash| place.split_at(at + slash)));
    let missing =
        || Failure::new(Kind::Refused, format!("{place:?}: ADDRESS/NAME is allowed, as in carol@acme.example/Sent"));
    let (address, name) = split.ok_or_else(missing)?;
    Ok((address.to_owned(), name[1..].to_owned()))
}

pub(super) fn import(context: &mut Context<'_>, args: ImportArgs) -> Result<End, Failure> {
    let (report, stopped) = import::run(context.session, &args)?;
    if context.show.json {
        context.show.json_value(&report);
    } else {
        context.show.done(&report.words());
    }
    match stopped {
        Some(failure) => Err(failure),
        None if report.bad == 0 => Ok(End::Done),
        None => Ok(End::LeftOut),
    }
}

#[cfg(test)]
mod tests {
    use super::place_of;

    #[test]
    fn places_are_split_behind_the_domain() {
        let split = |place| place_of(place).map(|(address, name)| format!("{address} {name}")).unwrap_or_default();
        assert_eq!(split("carol@acme.example/Sent"), "carol@acme.example Sent");
        assert_eq!(split("a/b@acme.example/项目/x"), "a/b@acme.example 项目/x");
        assert_eq!(split("carol@acme.example/to bob@x"), "carol@acme.example to bob@x");
        assert_eq!(split("carol@acme.example"), "");
        assert_eq!(split("carol"), "");
    }
}
