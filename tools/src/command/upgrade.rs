//! upgrade --check: what this program would change in a store, whether the one before it can still open it, and until when. Changes nothing.
use super::show::Show;
use super::{End, Trouble};
use crate::ops::{Failure, Kind};
use crate::rescue;
use posthouse_engine::rescue::{Back, Upgrade, check_upgrade};
use serde_json::json;
use std::path::Path;

/// 0 nothing would change, 1 something would, 2 the store cannot be read by this program.
pub(super) fn check(data: &Path, show: Show) -> Result<End, Trouble> {
    run(data, show).map_err(Trouble::CouldNotRun)
}

fn run(data: &Path, show: Show) -> Result<End, Failure> {
    let disk = rescue::look(data)?;
    let found = check_upgrade(&disk)?;
    if show.json {
        show.json_value(&to_json(&found));
    } else {
        to_text(&found).iter().for_each(|line| show.text(line));
    }
    if let Some(first) = found.unreadable.first() {
        let text = format!(
            "this program does not read every segment ({first}): start the program that wrote it, or see posthouse verify"
        );
        return Err(Failure::new(Kind::Failed, text));
    }
    Ok(if found.changes().is_empty() { End::Done } else { End::Partly })
}

fn to_json(found: &Upgrade) -> serde_json::Value {
    let shard = |shard: &posthouse_engine::rescue::ShardVersions| {
        json!({
            "name": shard.name,
            "segments": shard.segments.iter().map(|(version, count)| (version.to_string(), *count)).collect::<std::collections::BTreeMap<_, _>>(),
            "tail_version": shard.tail_version,
            "foreign_index_parts": shard.foreign_parts,
        })
    };
    let (back, ended_by) = match &found.back {
        Back::Open => ("open", None),
        Back::Ended { file } => ("ended", Some(file)),
        Back::NoneNeeded => ("none", None),
    };
    json!({
        "writes": Upgrade::WRITES,
        "reads_from": Upgrade::READS_FROM,
        "shards": found.shards.iter().map(shard).collect::<Vec<_>>(),
        "changes": found.changes(),
        "back": back,
        "back_ended_by": ended_by,
        "back_ends": if found.back == Back::Open { Some(ENDS) } else { None },
        "unreadable": found.unreadable,
    })
}

/// When the way back ends.
const ENDS: &str =
    "with the first change that a shard takes under this program: it begins a segment of the new version";

fn to_text(found: &Upgrade) -> Vec<String> {
    let mut lines = vec![format!(
        "This program writes segments of version {} and reads {} too.",
        Upgrade::WRITES,
        Upgrade::READS_FROM
    )];
    for shard in &found.shards {
        let count = |(version, count): (&u16, &u64)| format!("{count} of version {version}");
        let counts: Vec<String> = shard.segments.iter().map(count).collect();
        lines.push(format!("shard {:7} segments: {}", shard.name, counts.join(", ")));
    }
    lines.extend(found.unreadable.iter().map(|line| format!("not read: {line}")));
    match found.changes() {
        changes if changes.is_empty() => lines.push("Nothing would change.".into()),
        changes => lines.extend(changes),
    }
    lines.push(match &found.back {
        Back::Open => format!("Going back to the program before is possible. It ends {ENDS}."),
        Back::Ended { file } => {
            format!("Going back to the program before is not possible any more: it refuses {file}. A backup from before, or an export, is the way.")
        }
        Back::NoneNeeded => "There is nothing to go back to: every segment is of this program's version.".into(),
    });
    lines
}
