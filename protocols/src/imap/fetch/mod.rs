//! What FETCH writes (RFC 3501 sections 6.4.5 and 7.4.2): the items asked for as a plan, and the plan carried out for one entry after
//! the other. Waits for nothing and changes nothing; `cmd/fetch.rs` does.
pub(super) mod items;
pub(super) mod plan;
pub(super) mod render;
pub(super) mod section;
