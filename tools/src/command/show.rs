//! Answers as people read them, or as JSON. Knows the things only by their fields: what a view gains, is shown.
use crate::ops::{StatusView, View};
use crate::time::rfc3339;
use serde_json::Value;
use std::fmt::Write as _;
use std::io::{self, Write};

/// How to answer.
#[derive(Clone, Copy)]
pub(super) struct Show {
    pub(super) json: bool,
}

/// Columns of a list for people, by kind of row; the rest is in `show` and in JSON.
const COLUMNS: [(&str, &[&str]); 18] = [
    ("app_password", &["number", "name", "protocols", "created", "expires"]),
    ("login", &["when", "name", "from", "protocol", "means", "tls", "result", "app_password"]),
    (
        "step",
        &[
            "when",
            "step",
            "id",
            "queue",
            "from",
            "sender",
            "recipient",
            "mailbox",
            "uid",
            "by",
            "policy",
            "count",
            "text",
            "session",
        ],
    ),
    ("report", &["when", "kind", "reporter", "domains", "count", "passed"]),
    ("dmarc_source", &["domain", "source", "messages", "passed", "dkim", "spf", "quarantined", "rejected"]),
    ("tls_source", &["domain", "host", "sessions", "failed", "why"]),
    ("tenant", &["name", "title", "accounts", "accounts_max", "disabled"]),
    ("domain", &["name", "tenant", "addresses"]),
    ("member", &["address", "name", "vip", "quota", "used_bytes", "messages", "disabled"]),
    ("business", &["address", "name", "quota", "used_bytes", "messages", "disabled"]),
    ("alias", &["alias", "account"]),
    ("group", &["address", "name", "member_count"]),
    ("usage", &["address", "used_bytes", "entries_bytes", "messages", "entries", "quota_bytes_max", "agrees"]),
    ("removed", &["number", "address", "kind", "messages", "used_bytes", "removed", "kept_until"]),
    ("key", &["domain", "selector", "algorithm", "state", "created"]),
    ("rule", &["scope", "of", "rule"]),
    ("acl", &["account", "mailbox", "who", "rights"]),
    ("queued", &["id", "state", "sender", "recipients", "size_bytes", "attempts", "next_try", "reply"]),
];

/// Lines of a reader that has gone (`| head`) are let go.
fn out(text: &str) {
    let _ = writeln!(io::stdout().lock(), "{text}");
}

/// Many lines at once: standard output would hand on each by itself.
fn out_all(text: &str) {
    let mut stdout = io::stdout().lock();
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}

fn value(of: &impl serde::Serialize) -> Value {
    serde_json::to_value(of).unwrap_or(Value::Null)
}

impl Show {
    pub(super) fn done(self, what: &str) {
        if self.json { out(&serde_json::json!({ "done": what }).to_string()) } else { out(what) }
    }

    /// A line for people.
    pub(super) fn text(self, line: &str) {
        out(line);
    }

    /// A value on a line of its own, one of many.
    pub(super) fn line(self, of: &Value) {
        out(&of.to_string());
    }

    pub(super) fn json_value(self, of: &impl serde::Serialize) {
        out(&serde_json::to_string_pretty(of).unwrap_or_default());
    }

    pub(super) fn list(self) -> List {
        List { json: self.json, begun: false, headed: false }
    }

    pub(super) fn record(self, view: &View) {
        if self.json {
            return self.json_value(view);
        }
        if let Value::Object(fields) = value(view) {
            let width = fields.keys().map(String::len).max().unwrap_or(0);
            for (key, value) in fields.iter().filter(|(key, _)| *key != "is") {
                match value {
                    // Things within the thing: a line each.
                    Value::Array(all) if all.iter().any(Value::is_object) => {
                        all.iter().for_each(|one| out(&format!("{key:width$}  {}", cell(key, one))));
                    }
                    value => out(&format!("{key:width$}  {}", cell(key, value))),
                }
            }
        }
    }

    pub(super) fn status(self, status: &StatusView) {
        if self.json {
            return self.json_value(status);
        }
        match &status.server {
            None => out("no server runs on this data directory"),
            Some(server) => {
                out(&format!("Posthouse {} on {}, pid {}", server.version, server.hostname, server.pid));
                out(&format!("data         {}", server.data));
                out(&format!("runtime      {}", server.runtime));
                out(&format!("uptime       {} s", server.uptime_seconds));
                out(&format!("connections  {}", server.connections));
                for listener in &server.listeners {
                    out(&format!("listening    {:12} {}", listener.name, listener.address));
                }
            }
        }
        out(&format!("accounts     {}", status.accounts));
        let queue = &status.queue;
        let (queued, active, deferred, hold) = (status.queued, queue.active, queue.deferred, queue.hold);
        out(&format!("queued       {queued} ({active} active, {deferred} deferred, {hold} on hold)"));
        let mail = &status.mail;
        let (alarms, overdue) = (mail.alarms, mail.overdue);
        out(&format!("mail alarms  {alarms} since the start; {overdue} queued messages overdue and never tried"));
        for line in super::compact::words(&status.compaction) {
            out(&format!("compaction   {}", line.strip_prefix("compaction ").unwrap_or(&line)));
        }
        for shard in &status.shards {
            let state = shard.latched.as_ref().map_or_else(|| "ok".to_owned(), |why| format!("CLOSED: {why}"));
            out(&format!(
                "shard {:7} {state}; {} bytes of log in {} segments; {} requests in {} groups, {} syncs since the start",
                shard.name, shard.log_bytes, shard.segments, shard.requests, shard.groups, shard.syncs
            ));
            shard.notes.iter().for_each(|note| out(&format!("              at the start: {note}")));
        }
    }
}

/// A list on its way out, page by page.
pub(super) struct List {
    json: bool,
    begun: bool,
    /// The columns have their names.
    headed: bool,
}

impl List {
    /// What comes next has columns of its own.
    pub(super) fn new_table(&mut self) {
        if std::mem::take(&mut self.headed) && !self.json {
            out("");
        }
    }

    pub(super) fn rows(&mut self, rows: &[impl serde::Serialize]) {
        if self.json {
            let mut text = String::new();
            for row in rows {
                text.push(if std::mem::replace(&mut self.begun, true) { ',' } else { '[' });
                text.push_str(&serde_json::to_string(row).unwrap_or_else(|_| "null".to_owned()));
                text.push('\n');
            }
            return out_all(&text);
        }
        let values: Vec<Value> = rows.iter().map(value).collect();
        let Some(columns) = values.first().and_then(columns_of) else { return };
        let mut table: Vec<Vec<String>> = Vec::new();
        if !self.headed {
            table.push(columns.iter().map(|column| (*column).to_owned()).collect());
            self.headed = true;
        }
        table.extend(values.iter().map(|row| columns.iter().map(|column| brief(column, &row[*column])).collect()));
        print_table(&table);
    }

    pub(super) fn end(self) {
        if self.json {
            out(if self.begun { "]" } else { "[]" });
        }
    }
}

fn columns_of(row: &Value) -> Option<&'static [&'static str]> {
    let kind = row["is"].as_str()?;
    COLUMNS.iter().find(|(name, _)| *name == kind).map(|(_, columns)| *columns)
}

fn print_table(table: &[Vec<String>]) {
    let columns = table.first().map_or(0, Vec::len);
    let width = |column: usize| table.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in table {
        let begin = text.len();
        for (cell, width) in row.iter().zip(&widths) {
            let _ = write!(text, "{cell:width$}  ");
        }
        text.truncate(begin + text[begin..].trim_end().len());
        text.push('\n');
    }
    out_all(&text);
}

/// Values that a cell of a list shows of many: a message may have a thousand recipients, and the widest cell makes the column.
const LIST_VALUES_MAX: usize = 3;

/// A value in a list.
fn brief(key: &str, value: &Value) -> String {
    match value {
        Value::Array(all) if all.len() > LIST_VALUES_MAX + 1 => {
            let (shown, rest) = all.split_at(LIST_VALUES_MAX);
            format!("{} and {} more", cell(key, &Value::Array(shown.to_vec())), rest.len())
        }
        value => cell(key, value),
    }
}

/// A value for people. Control characters of stored names are not sent to a terminal.
fn cell(key: &str, value: &Value) -> String {
    match value {
        Value::Null => "-".into(),
        Value::Bool(yes) => if *yes { "yes" } else { "no" }.into(),
        Value::Number(number)
            if matches!(key, "created" | "next_try" | "removed" | "kept_until" | "expires" | "when") =>
        {
            rfc3339(number.as_i64().unwrap_or(0))
        }
        Value::String(text) if text.is_empty() => "-".into(),
        Value::String(text) => text.chars().map(|c| if c.is_control() { '?' } else { c }).collect(),
        Value::Array(all) if all.is_empty() => "-".into(),
        Value::Array(all) => all.iter().map(|one| cell("", one)).collect::<Vec<_>>().join(" "),
        Value::Object(fields) => {
            let of = |(key, value): (&String, &Value)| format!("{key} {}", cell(key, value));
            fields.iter().map(of).collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_of_a_list_shows_the_first_of_many() {
        let all = |count: usize| Value::from((0..count).map(|number| format!("r{number}@x.test")).collect::<Vec<_>>());
        assert_eq!(brief("recipients", &all(0)), "-");
        assert_eq!(brief("recipients", &all(4)), "r0@x.test r1@x.test r2@x.test r3@x.test");
        assert_eq!(brief("recipients", &all(1000)), "r0@x.test r1@x.test r2@x.test and 997 more");
        assert!(cell("recipients", &all(1000)).ends_with(" r999@x.test"));
    }
}
