//! Findings, steps and lines as JSON. No behaviour.
use posthouse_engine::rescue::{Finding, Line, Severity, Step, Who};
use serde::Serialize;

/// Whom something concerns.
#[derive(Debug, Serialize)]
pub struct WhoView {
    account: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mailbox: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    uid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

impl From<&Who> for WhoView {
    fn from(who: &Who) -> WhoView {
        WhoView {
            account: who.account.0,
            address: who.address.clone(),
            mailbox: who.mailbox.clone(),
            uid: who.uid.map(|uid| uid.0),
            message: who.message.clone(),
        }
    }
}

/// Something that was found.
#[derive(Debug, Serialize)]
pub struct FindingView {
    severity: &'static str,
    kind: &'static str,
    file: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
    what: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    who: Option<WhoView>,
}

impl From<&Finding> for FindingView {
    fn from(finding: &Finding) -> FindingView {
        FindingView {
            severity: severity(finding.severity),
            kind: finding.kind.name(),
            file: finding.file.clone(),
            offset: finding.offset,
            bytes: finding.bytes,
            what: finding.what.clone(),
            who: finding.who.as_ref().map(WhoView::from),
        }
    }
}

/// The word for a severity.
pub fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Note => "note",
        Severity::Damage => "damage",
    }
}

/// A step of a repair.
#[derive(Debug, Serialize)]
pub struct StepView {
    act: &'static str,
    file: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
    what: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    who: Option<WhoView>,
}

impl From<&Step> for StepView {
    fn from(step: &Step) -> StepView {
        StepView {
            act: step.act.name(),
            file: step.file.clone(),
            offset: step.offset,
            bytes: step.bytes,
            what: step.what.clone(),
            who: step.who.as_ref().map(WhoView::from),
        }
    }
}

/// A line of `inspect`.
#[derive(Debug, Serialize)]
pub struct LineView {
    offset: u64,
    what: &'static str,
    text: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    inside: Vec<String>,
}

impl From<Line> for LineView {
    fn from(line: Line) -> LineView {
        LineView { offset: line.offset, what: line.what, text: line.text, inside: line.inside }
    }
}
