//! An introspection response (RFC 7662 section 2.2): whether it vouches for a token, and what it says of its owner.
use super::Settings;
use serde_json::{Map, Value};

/// What a good answer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Claims {
    /// The owner's address.
    pub(super) address: Box<str>,
    /// What the token may be used for: those that some protocol needs.
    pub(super) scopes: Box<[Box<str>]>,
    /// From when on it is worth nothing, seconds since 1970-01-01 UTC.
    pub(super) expires: Option<i64>,
}

/// Why an answer lets nobody in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unusable {
    /// The token is not good.
    Inactive,
    /// None has come, or none of RFC 7662 with the claim that is configured: somebody has to mend that.
    Nothing(String),
}

impl Claims {
    /// Reads an answer that came at `now`.
    pub(super) fn read(body: &[u8], settings: &Settings, now: i64) -> Result<Claims, Unusable> {
        let form = |why: &str| Unusable::Nothing(why.to_owned());
        let all: Map<String, Value> = serde_json::from_slice(body).map_err(|_| form("its answer is no JSON object"))?;
        match all.get("active").and_then(Value::as_bool) {
            Some(true) => {}
            Some(false) => return Err(Unusable::Inactive),
            None => return Err(form("its answer has no \"active\"")),
        }
        let expires = time(&all, "exp").map_err(|()| form("its answer has an \"exp\" that is no time"))?;
        let begins = time(&all, "nbf").map_err(|()| form("its answer has an \"nbf\" that is no time"))?;
        if expires.is_some_and(|expires| expires <= now) || begins.is_some_and(|begins| begins > now) {
            return Err(Unusable::Inactive);
        }
        if let Some(audience) = &settings.audience
            && !list(all.get("aud")).any(|meant| meant == audience)
        {
            return Err(Unusable::Inactive);
        }
        let claim = &settings.address_claim;
        let Some(address) = all.get(claim).and_then(Value::as_str).filter(|address| !address.is_empty()) else {
            return Err(Unusable::Nothing(format!(
                "its answer has no text {claim:?}, which is to be the member's address"
            )));
        };
        // Whoever made the account there may have typed another's address (OpenID Connect Core section 5.7).
        if claim == "email" && all.get("email_verified").is_some_and(|verified| !is_true(verified)) {
            return Err(Unusable::Inactive);
        }
        let needed = |scope: &&str| settings.scopes.iter().flatten().any(|needed| needed == scope);
        // RFC 7662 has one text; some endpoints send a list.
        let has = list(all.get("scope")).flat_map(|some| some.split(' ')).filter(needed);
        let mut scopes: Vec<Box<str>> = has.map(Box::from).collect();
        scopes.sort();
        scopes.dedup();
        Ok(Claims { address: address.into(), scopes: scopes.into(), expires })
    }
}

/// The texts of a claim that is one or a list.
fn list(claim: Option<&Value>) -> impl Iterator<Item = &str> {
    let one = claim.and_then(Value::as_str);
    one.into_iter().chain(claim.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str))
}

/// Seconds since 1970-01-01 UTC; some endpoints send fractions, and the earlier second is the safe one.
fn time(all: &Map<String, Value>, claim: &str) -> Result<Option<i64>, ()> {
    match all.get(claim) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => value.as_i64().or_else(|| value.as_f64().map(|seconds| seconds as i64)).map(Some).ok_or(()),
    }
}

fn is_true(value: &Value) -> bool {
    value.as_bool().unwrap_or_else(|| value.as_str() == Some("true"))
}
