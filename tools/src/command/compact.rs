//! compact: begins a run and shows how far it is, steers one that runs, or takes back what the last one replaced.
use super::{Context, End, unexpected};
use crate::cli::CompactArgs;
use crate::config::Compaction;
use crate::ops::{CompactAct, CompactionView, Failure, Kind, Request, Response};
use crate::progress::Progress;
use crate::rescue;
use posthouse_engine::disk::StdDisk;
use posthouse_engine::rescue::{Undone, undo};
use serde_json::json;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Between two looks at a run.
const LOOK: Duration = Duration::from_millis(200);
const HOUR_MS: i64 = 3_600_000;

/// What the configuration says of a run.
pub(crate) fn start(config: &Compaction) -> CompactAct {
    CompactAct::Start {
        cold_after_ms: i64::from(config.cold_after_hours) * HOUR_MS,
        dead_percent: config.dead_percent_min,
        bytes_per_second: config.bytes_per_second_max,
        keep_ms: i64::from(config.keep_hours) * HOUR_MS,
        leave_free_bytes: config.free_bytes_min,
    }
}

fn begin(args: &CompactArgs, config: &Compaction) -> CompactAct {
    start(&Compaction {
        cold_after_hours: args.cold_after_hours.unwrap_or(config.cold_after_hours),
        dead_percent_min: args.dead_percent.unwrap_or(config.dead_percent_min),
        bytes_per_second_max: args.bytes_per_second.unwrap_or(config.bytes_per_second_max),
        keep_hours: args.keep_hours.unwrap_or(config.keep_hours),
        free_bytes_min: args.free_bytes_min.unwrap_or(config.free_bytes_min),
        ..config.clone()
    })
}

pub(super) fn compact(context: &mut Context<'_>, data: &Path, args: &CompactArgs) -> Result<End, Failure> {
    if args.undo {
        return take_back(context, data);
    }
    let steer = [
        (args.status, CompactAct::Status),
        (args.pause, CompactAct::Pause),
        (args.resume, CompactAct::Resume),
        (args.stop, CompactAct::Stop),
    ];
    if let Some((_, act)) = steer.into_iter().find(|(given, _)| *given) {
        if !rescue::in_use(data) {
            let text = format!("no server has {} open, so no compaction runs", data.display());
            return Err(Failure::new(Kind::NotFound, text));
        }
        let status = ask(context, act)?;
        show(context, &status);
        return Ok(End::Done);
    }
    let act = begin(args, &context.session.config().compaction);
    if args.background {
        if !rescue::in_use(data) {
            let text = "--background is for a running server; without it the run is done here";
            return Err(Failure::new(Kind::NotFound, text));
        }
        let status = ask(context, act)?;
        show(context, &status);
        return Ok(End::Done);
    }
    ask(context, act)?;
    let status = wait(context)?;
    show(context, &status);
    match &status.failed {
        Some(why) => Err(Failure::new(Kind::Failed, format!("{why}; what was replaced before is proven and stays"))),
        None if status.stopped || status.left.is_some() => Ok(End::Partly),
        None => Ok(End::Done),
    }
}

fn ask(context: &mut Context<'_>, act: CompactAct) -> Result<CompactionView, Failure> {
    match context.session.ask(&Request::Compact(act))? {
        Response::Compaction { status } => Ok(status),
        other => Err(unexpected(&other)),
    }
}

/// Until the run ends; whoever interrupts this leaves a server's run to itself.
fn wait(context: &mut Context<'_>) -> Result<CompactionView, Failure> {
    let mut progress = Progress::new(0);
    loop {
        let status = ask(context, CompactAct::Status)?;
        progress.at(status.message_bytes, || {
            let paused = if status.paused { ", paused" } else { "" };
            let (done, all) = (status.segments_done, status.segments_chosen);
            format!("{done} of {all} segments, {} messages moved, {} proven{paused}", status.messages, status.proven)
        });
        if !status.running {
            progress.end();
            return Ok(status);
        }
        std::thread::sleep(LOOK);
    }
}

fn show(context: &Context<'_>, status: &CompactionView) {
    if context.show.json {
        context.show.json_value(status);
    } else {
        words(status).iter().for_each(|line| context.show.text(line));
    }
}

/// A status in words.
pub(super) fn words(status: &CompactionView) -> Vec<String> {
    let state = match (status.running, status.paused, status.stopped) {
        (true, true, _) => "waits to go on",
        (true, false, _) => "runs",
        (false, _, true) => "does not run; the last one was stopped",
        (false, true, _) => "does not run, and is paused",
        (false, false, _) => "does not run",
    };
    let mut lines = vec![format!("compaction {state}")];
    if status.segments_chosen > 0 {
        lines.push(format!(
            "{} of {} segments replaced: {} bytes in place of {}; {} messages moved, {} read back and the same",
            status.segments_done,
            status.segments_chosen,
            status.bytes_after,
            status.bytes_before,
            status.messages,
            status.proven
        ));
    } else if !status.running && status.left.is_none() {
        lines.push("nothing was old or dead enough to be rewritten".into());
    }
    if status.retired_bytes > 0 {
        lines.push(format!("{} bytes of replaced files are kept for an undo", status.retired_bytes));
    }
    if status.removed_bytes > 0 {
        lines.push(format!("{} bytes of files that were replaced before are removed", status.removed_bytes));
    }
    lines.extend(status.left.iter().map(|why| format!("the rest is left as it is: {why}")));
    lines.extend(status.failed.iter().map(|why| format!("failed: {why}")));
    lines
}

fn take_back(context: &Context<'_>, data: &Path) -> Result<End, Failure> {
    if !data.is_dir() {
        return Err(Failure::not_found(format_args!("a store in {}", data.display())));
    }
    if rescue::in_use(data) {
        let text = format!("{} is in use; stop the server, then undo", data.display());
        return Err(Failure::new(Kind::InUse, text));
    }
    let disk = StdDisk::new(data).map_err(|error| Failure::io(data.display(), &error))?;
    let stamp = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64);
    let Undone { undone, final_ones } = undo(&disk, stamp)?;
    if context.show.json {
        let names: Vec<_> = undone.iter().map(|(file, now)| json!({ "file": file, "now": now })).collect();
        context.show.json_value(&json!({ "undone": names, "final": final_ones }));
    } else {
        for (file, now) in &undone {
            context.show.text(&format!("{file} is undone; it is {now} now and may be deleted"));
        }
        for file in &final_ones {
            context.show.text(&format!("{file} stays: what it replaced is no longer kept"));
        }
        context.show.text(&format!("{} undone, {} stay", undone.len(), final_ones.len()));
    }
    if undone.is_empty() {
        return Err(Failure::not_found("a compaction that can be undone"));
    }
    Ok(End::Done)
}
