//! verify, inspect, rebuild, repair, salvage.
use super::show::Show;
use super::{End, Trouble};
use crate::carry::{salvage, salvage_into};
use crate::cli::{InspectArgs, RebuildArgs, RepairArgs, SalvageArgs, VerifyArgs};
use crate::config::Config;
use crate::ops::{Failure, Kind};
use crate::rescue::{self, FindingView, LineView, Pace, Scratch, StepView};
use posthouse_engine::base::SystemClock;
use posthouse_engine::rescue::{Range, Rebuilt, Repair, Repaired, Report, Severity, Step, Told, Tools};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// 0 clean, 1 damage found, 2 it could not run.
pub(super) fn verify(data: &Path, show: Show, args: VerifyArgs) -> Result<End, Trouble> {
    run_verify(data, show, args).map_err(Trouble::CouldNotRun)
}

fn run_verify(data: &Path, show: Show, args: VerifyArgs) -> Result<End, Failure> {
    let disk = rescue::look(data)?;
    let live = rescue::in_use(data);
    let mut scratch = Scratch::new(args.scratch);
    let mut pace = Pace::new("verified", 0);
    let mut watch = |told: Told<'_>| match told {
        Told::Finding(finding) if show.json => show.line(&json!({ "finding": FindingView::from(finding) })),
        Told::Finding(finding) => {
            let word = if finding.severity == Severity::Damage { "damage" } else { "note" };
            show.text(&format!("{word}: {finding}"));
        }
        Told::Progress { done_bytes, total_bytes } => pace.at(done_bytes, total_bytes),
    };
    let report = posthouse_engine::rescue::verify(&disk, live, &mut || scratch.disk(), &mut watch)?;
    let seconds = pace.end();
    if show.json {
        show.line(&json!({ "report": report_json(&report, live, seconds) }));
    } else {
        report_text(&report, live, seconds).iter().for_each(|line| show.text(line));
    }
    Ok(if report.damages == 0 { End::Done } else { End::Partly })
}

fn report_json(report: &Report, live: bool, seconds: f64) -> serde_json::Value {
    json!({
        "clean": report.damages == 0,
        "damages": report.damages,
        "notes": report.notes,
        "segments": report.segments,
        "bytes": report.bytes,
        "messages": report.messages,
        "event_frames": report.events,
        "accounts": report.accounts,
        "mailboxes": report.mailboxes,
        "entries": report.entries,
        "used_bytes": report.used_bytes,
        "queued": report.queued,
        "server_running": live,
        "seconds": seconds,
        "mb_per_second": rescue::mb_per_second(report.bytes, seconds),
    })
}

fn report_text(report: &Report, live: bool, seconds: f64) -> Vec<String> {
    let speed = rescue::mb_per_second(report.bytes, seconds);
    let mut lines = vec![
        format!(
            "{} segments of {} bytes, {} messages, {} event frames: {:.1} MB/s",
            report.segments, report.bytes, report.messages, report.events, speed
        ),
        format!(
            "{} accounts, {} mailboxes, {} entries, {} bytes charged; {} queued",
            report.accounts, report.mailboxes, report.entries, report.used_bytes, report.queued
        ),
    ];
    if live {
        lines.push("A server is running: what it was writing meanwhile is not judged.".into());
    }
    lines.push(match report.damages {
        0 => "clean".into(),
        damages => format!("{damages} findings of damage; posthouse repair says what can be done (docs/repair.md)"),
    });
    lines
}

pub(super) fn inspect(show: Show, args: &InspectArgs) -> Result<End, Failure> {
    let file = std::path::absolute(&args.file).map_err(|why| Failure::io(args.file.display(), &why))?;
    if !file.is_file() {
        return Err(Failure::not_found(format_args!("the file {}", args.file.display())));
    }
    // The shard's directory is a part of the name: it says how events are read when the header does not.
    let root = file.parent().and_then(Path::parent).unwrap_or(Path::new("/")).to_path_buf();
    let path = file.strip_prefix(&root).map(Path::to_path_buf).unwrap_or_default();
    let disk = rescue::look(&root)?;
    let range = Range { offset: args.offset, limit: args.limit };
    posthouse_engine::rescue::inspect(&disk, &path, range, &mut |line| {
        if show.json {
            show.line(&json!(LineView::from(line)));
            return;
        }
        show.text(&format!("{:>10}  {:10}  {}", line.offset, line.what, plain(&line.text)));
        line.inside.iter().for_each(|inside| show.text(&format!("{:24}{}", "", plain(inside))));
    })?;
    Ok(End::Done)
}

/// What strangers wrote is not sent to a terminal as it is.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

fn tools<T>(
    data: &Path,
    scratch: Option<PathBuf>,
    work: impl FnOnce(&mut Tools<'_>) -> posthouse_engine::base::Result<T>,
) -> Result<T, Failure> {
    let disk = rescue::change(data)?;
    let mut scratch = Scratch::new(scratch);
    let mut lend = || scratch.disk();
    let mut tools = Tools { disk, clock: Arc::new(SystemClock), scratch: &mut lend };
    work(&mut tools).map_err(|why| rescue::refused(data, why))
}

pub(super) fn rebuild(data: &Path, show: Show, args: RebuildArgs) -> Result<End, Failure> {
    let mut pace = Pace::new("rebuilt", 0);
    let mut watch = |told: Told<'_>| {
        if let Told::Progress { done_bytes, total_bytes } = told {
            pace.at(done_bytes, total_bytes);
        }
    };
    let done = tools(data, args.scratch, |tools| posthouse_engine::rescue::rebuild(tools, &mut watch))?;
    let seconds = pace.end();
    if show.json {
        show.json_value(&rebuilt_json(&done, seconds));
    } else {
        rebuilt_text(&done).iter().for_each(|line| show.text(line));
    }
    Ok(if done.different.is_empty() { End::Done } else { End::Partly })
}

fn rebuilt_json(done: &Rebuilt, seconds: f64) -> serde_json::Value {
    json!({
        "equal": done.different.is_empty(),
        "accounts": done.accounts,
        "entries": done.entries,
        "used_bytes": done.used_bytes,
        "queued": done.queued,
        "directory_accounts": done.directory_accounts,
        "event_frames": done.events,
        "compared": done.compared,
        "different": done.different,
        "unreadable": done.unreadable,
        "moved": done.moved,
        "notices": done.notices,
        "seconds": seconds,
    })
}

fn rebuilt_text(done: &Rebuilt) -> Vec<String> {
    let mut lines: Vec<String> = done.notices.clone();
    lines.extend(done.unreadable.iter().map(|why| format!("the former files could not be read: {why}")));
    lines.extend(done.different.iter().map(|what| format!("not as it was before: {what}")));
    lines.push(format!(
        "rebuilt from {} event frames: {} accounts with {} entries of {} bytes, {} queued, {} accounts in the directory",
        done.events, done.accounts, done.entries, done.used_bytes, done.queued, done.directory_accounts
    ));
    lines.push(match (done.different.len(), done.compared) {
        (0, 0) => "there was nothing before that could be compared".into(),
        (0, compared) => format!("{compared} accounts compared with what was there before: all are the same"),
        (different, _) => format!("{different} differences: what the log says counts, and is now in force"),
    });
    if !done.moved.is_empty() {
        lines.push(format!("{} former files are in lost+found/", done.moved.len()));
    }
    lines
}

/// 0 nothing to do or done, 1 there is something to do.
pub(super) fn repair(data: &Path, show: Show, args: RepairArgs) -> Result<End, Failure> {
    let mut pace = Pace::new("examined", 0);
    let mut watch = |told: Told<'_>| {
        if let Told::Progress { done_bytes, total_bytes } = told {
            pace.at(done_bytes, total_bytes);
        }
    };
    let (steps, done) = tools(data, args.scratch, |tools| {
        let plan = Repair::plan(tools, &mut watch)?;
        let steps = plan.steps().to_vec();
        if !show.json {
            plan_text(&steps).iter().for_each(|line| show.text(line));
        }
        let done = if args.apply { Some(plan.apply(tools, &mut watch)?) } else { None };
        Ok((steps, done))
    })?;
    pace.end();
    if show.json {
        show.json_value(&repair_json(&steps, done.as_ref()));
    } else {
        outcome_text(&steps, done.as_ref()).iter().for_each(|line| show.text(line));
    }
    Ok(if steps.is_empty() || done.is_some() { End::Done } else { End::Partly })
}

fn plan_text(steps: &[Step]) -> Vec<String> {
    let mut lines: Vec<String> = steps.iter().map(|step| plain(&step.to_string())).collect();
    if !steps.is_empty() {
        let losses = steps.iter().filter(|step| step.act.is_loss()).count();
        lines.push(format!("{} steps, {losses} of them because something is lost", steps.len()));
    }
    lines
}

fn outcome_text(steps: &[Step], done: Option<&Repaired>) -> Vec<String> {
    match done {
        _ if steps.is_empty() => vec!["nothing is damaged; nothing is to be done".into()],
        None => {
            vec!["Nothing was changed. posthouse repair --apply does it; what is cut is kept in lost+found/.".into()]
        }
        Some(done) => {
            let mut lines = done.notices.clone();
            lines.push(format!("done: all {} steps", done.steps.len()));
            if !done.kept.is_empty() {
                lines.push(format!("{} files with what was cut or replaced are in lost+found/", done.kept.len()));
            }
            lines
        }
    }
}

fn repair_json(steps: &[Step], done: Option<&Repaired>) -> serde_json::Value {
    json!({
        "steps": steps.iter().map(StepView::from).collect::<Vec<_>>(),
        "losses": steps.iter().filter(|step| step.act.is_loss()).count(),
        "applied": done.is_some(),
        "kept": done.map(|done| &done.kept),
        "notices": done.map(|done| &done.notices),
    })
}

/// 0 all came out, 8 something is lost: it is told and listed.
pub(super) fn salvage(config: &Config, show: Show, args: SalvageArgs) -> Result<End, Failure> {
    if rescue::in_use(&args.source) {
        let text = format!(
            "{} is in use: posthouse export gets mail out of a running server; else stop it, or salvage a copy",
            args.source.display()
        );
        return Err(Failure::new(Kind::InUse, text));
    }
    let report = match &args.into {
        Some(into) => salvage_into::run(&args, into, config)?,
        None => salvage::run(&args)?,
    };
    if show.json {
        show.json_value(&report);
    } else {
        show.text(&report.words());
    }
    Ok(if report.lost == 0 && report.damages == 0 { End::Done } else { End::LeftOut })
}
