//! The page that a person opens first: what runs where and the first steps. Plain HTML without scripts.
use crate::{Facts, reasons_unhealthy};
use posthouse_engine::{MailWatch, Status};
use std::fmt::Write;

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:52rem;margin:2rem auto;padding:0 1rem;color:#222}\
table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.25rem .75rem .25rem 0;border-bottom:1px solid #ddd}\
code{background:#f3f3f3;padding:.1rem .3rem}.bad{color:#a00}.good{color:#060}";

/// The whole page. Writing to a String cannot fail, so the results are let go.
pub(crate) fn html(facts: &Facts, status: &Status, accounts: u64, mail: MailWatch) -> String {
    let mut out = String::new();
    let host = escape(&facts.hostname);
    let _ = write!(
        out,
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Posthouse on {host}</title><style>{STYLE}</style>\
         <h1>Posthouse on {host}</h1>"
    );
    health(&mut out, facts, status);
    alarms(&mut out, mail);
    let _ = write!(
        out,
        "<p>Version {}, runtime {}, up {} s, {} connections, {accounts} accounts, data in <code>{}</code>.</p>",
        escape(&facts.version),
        escape(&facts.runtime),
        facts.uptime_seconds,
        facts.connections,
        escape(&facts.data)
    );
    listeners(&mut out, facts);
    shards(&mut out, status);
    out.push_str(
        "<h2>First steps</h2><p>On this machine:</p><ul>\
         <li><code>posthouse domain add DOMAIN --tenant TENANT</code>, <code>posthouse member add NAME@DOMAIN</code></li>\
         <li><code>posthouse member list</code>, <code>posthouse queue list</code>, <code>posthouse status</code></li>\
         <li><code>posthouse help</code> for the rest</li></ul>\
         <p><a href=\"/health\">/health</a> and <a href=\"/metrics\">/metrics</a> are for machines.</p></html>\n",
    );
    out
}

fn health(out: &mut String, facts: &Facts, status: &Status) {
    let reasons = reasons_unhealthy(facts, status);
    if reasons.is_empty() {
        out.push_str("<p class=\"good\">All is well.</p>");
    }
    for reason in reasons {
        let _ = write!(out, "<p class=\"bad\">{}</p>", escape(&reason));
    }
}

/// No reason to send mail elsewhere, so no part of the health; but somebody must look.
fn alarms(out: &mut String, MailWatch { alarms, .. }: MailWatch) {
    if alarms > 0 {
        let _ = write!(
            out,
            "<p class=\"bad\">{alarms} times since the start mail that was answered 250 could not be seen in time; \
             <code>posthouse trace --last 1d</code> shows each as <code>alarm</code>.</p>"
        );
    }
}

fn listeners(out: &mut String, facts: &Facts) {
    out.push_str("<h2>Where it listens</h2><table><tr><th>protocol<th>address");
    for listener in &facts.listeners {
        let _ = write!(out, "<tr><td>{}<td><code>{}</code>", escape(&listener.name), escape(&listener.address));
    }
    out.push_str("</table>");
}

fn shards(out: &mut String, status: &Status) {
    out.push_str("<h2>The store</h2><table><tr><th>shard<th>log bytes<th>segments<th>requests<th>syncs<th>queued");
    for shard in &status.shards {
        let (name, log, segments) = (escape(&shard.name), shard.log_bytes, shard.segments);
        let (requests, syncs, queued) = (shard.requests, shard.syncs, shard.queue.total());
        let _ = write!(out, "<tr><td>{name}<td>{log}<td>{segments}<td>{requests}<td>{syncs}<td>{queued}");
    }
    out.push_str("</table>");
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ListenerFacts;

    #[test]
    fn the_page_shows_the_listeners_and_escapes_what_it_shows() {
        let facts = Facts {
            hostname: "<b>".into(),
            listeners: vec![ListenerFacts { name: "imap".into(), address: "127.0.0.1:2143".into() }],
            ..Default::default()
        };
        let page = html(&facts, &Status::default(), 2, MailWatch::default());
        assert!(page.contains("127.0.0.1:2143") && page.contains("2 accounts"), "{page}");
        assert!(!page.contains("<b>") && page.contains("&lt;b&gt;") && !page.contains("answered 250"), "{page}");
    }
}
