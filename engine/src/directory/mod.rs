//! Who lives here: tenants, domains, accounts, aliases, groups, and which accounts an address means. A pure fold over
//! the control shard's events; never does I/O and never decides what a protocol answers.
//!
//! `Change` (what somebody asks for) -> `plan` (checks it, assigns ids) -> `Event`s (what the log keeps) -> `apply`.
pub mod access;
mod account;
mod acl;
mod address;
mod away;
mod change;
mod check;
mod codec;
mod event;
mod fetched;
mod fold;
mod group;
mod keyword;
mod list;
mod mark;
mod mending;
mod overlay;
pub mod password;
mod pattern;
mod plan;
mod rate;
mod relay;
mod removed;
mod resolve;
mod roster;
mod rule;
mod rule_codec;
mod signing;
mod snapshot;
mod sorted;
mod state;
mod tables;
mod tenant;
#[cfg(test)]
mod tests;

pub use access::plan::{AccessChange, LoginRulesPatch, Whose};
pub use access::{
    Access, AccessEvent, AppPassword, Candidate, Denial, LoginKeys, LoginRules, Network, Protocol, Protocols, Proven,
    Scram, ScramHash,
};
pub use account::{Account, AccountKind, Quota};
pub use acl::{AclChange, AclMode, Grant, Grantee, Rights, Sharer};
pub use address::{Address, normalise_domain};
pub use away::Away;
pub use change::{AccountPatch, Change, ScopeName};
pub use event::{AccountEdit, Event};
pub use fetched::Fetched;
pub use group::Group;
pub use keyword::Keyword;
pub use list::Filter;
pub use mark::mark;
pub use pattern::Pattern;
pub use relay::{RelayHost, RelayTls, Secret, WayOut};
pub use removed::Removed;
pub use resolve::{Recipient, Resolution};
pub use rule::{Found, Permission, Rule, Scope, Senders};
pub use signing::{Algorithm, KeyState, SigningKey};
pub use state::Directory;
pub use tenant::{Domain, Tenant};
