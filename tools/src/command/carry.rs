//! export, import, backup, restore.
use super::{Context, End, removed};
use crate::carry::restore::{self, Part, Which};
use crate::carry::{backup, export, import};
use crate::cli::{BackupArgs, ExportArgs, ImportArgs, RestoreArgs};
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
        let export::Report { accounts, mailboxes, messages, bytes, unreadable, .. } = &report;
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
    brought(context, &report, stopped)
}

/// What came of messages that were brought.
fn brought(context: &Context<'_>, report: &import::Report, stopped: Option<Failure>) -> Result<End, Failure> {
    if context.show.json {
        context.show.json_value(report);
    } else {
        context.show.done(&report.words());
    }
    match stopped {
        Some(failure) => Err(failure),
        None if report.bad == 0 => Ok(End::Done),
        None => Ok(End::LeftOut),
    }
}

pub(super) fn backup(context: &mut Context<'_>, args: &BackupArgs) -> Result<End, Failure> {
    if args.check {
        let checked = backup::check(&args.to)?;
        if context.show.json {
            context.show.json_value(&checked);
        } else {
            let backup::Checked { backups, files, bytes, damaged } = &checked;
            let damaged = damaged.len();
            context
                .show
                .done(&format!("{backups} backups are whole; {files} files ({bytes} bytes) read, {damaged} damaged"));
        }
        return Ok(if checked.damaged.is_empty() { End::Done } else { End::LeftOut });
    }
    let options = backup::Options { to: &args.to, link: args.link, keep: args.keep.map(|keep| keep as usize) };
    let report = backup::run(context.session, &options)?;
    if context.show.json {
        context.show.json_value(&report);
    } else {
        let backup::Report { name, bytes, files, shared, linked, copied, copied_bytes, healed, removed } = &report;
        context.show.done(&format!(
            "backup {name}: {bytes} bytes in {files} files, {shared} of them there already, {linked} linked, {copied} copied \
             ({copied_bytes} bytes), {healed} that had changed there; {removed} older backups removed"
        ));
    }
    Ok(End::Done)
}

pub(super) fn restore(context: &mut Context<'_>, args: RestoreArgs) -> Result<End, Failure> {
    if args.list {
        return list(context, &args);
    }
    let found = restore::find(&args.from, &Which { name: args.backup, at: args.at })?;
    if let Some(account) = args.account {
        let time = found.time();
        let day = time.split('T').next().unwrap_or(&time);
        let folder = args.folder.unwrap_or_else(|| format!("Restored {day}"));
        let into = args.into.unwrap_or_else(|| account.clone());
        let part = Part { account, mailbox: args.mailbox, into, folder };
        let (report, stopped) = restore::part(context.session, &found, &part)?;
        return brought(context, &report, stopped);
    }
    let restored = restore::whole(&found, context.session.data(), context.session.config())?;
    if context.show.json {
        context.show.json_value(&restored);
    } else {
        let restore::Restored { backup, time, files, bytes, accounts, held, .. } = &restored;
        context.show.done(&format!(
            "{} restored from backup {backup}, as of {time}: {accounts} accounts, {bytes} bytes in {files} files",
            context.session.data().display()
        ));
        if *held > 0 {
            context.show.done(&format!(
                "{held} queued messages are held, since they may have been sent since; queue list shows them, queue release sends them"
            ));
        }
    }
    Ok(End::Done)
}

/// The backups of a directory, oldest first.
fn list(context: &Context<'_>, args: &RestoreArgs) -> Result<End, Failure> {
    let backup::Backups { whole, broken } = backup::backups(&args.from)?;
    if context.show.json {
        let row = |(name, backup): &(String, backup::list::Backup)| serde_json::json!({ "name": name, "made": backup.made, "bytes": backup.bytes(), "posthouse": backup.posthouse });
        context
            .show
            .json_value(&serde_json::json!({ "backups": whole.iter().map(row).collect::<Vec<_>>(), "broken": broken }));
    } else {
        for (name, backup) in &whole {
            context.show.done(&format!("{name}  {} bytes, by posthouse {}", backup.bytes(), backup.posthouse));
        }
        broken.iter().for_each(|line| eprintln!("{line}"));
    }
    Ok(if broken.is_empty() { End::Done } else { End::LeftOut })
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
