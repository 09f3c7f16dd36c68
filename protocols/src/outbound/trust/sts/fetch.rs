//! Gets a policy from its domain's policy host (RFC 8461 section 3.3). Reads none.
use crate::http::{Answer, Client, Request, Url};
use crate::limits;
use hyper::StatusCode;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;

/// A policy file on its way, or why there is none.
pub(in crate::outbound) type Fetched = Pin<Box<dyn Future<Output = Result<Vec<u8>, String>> + Send>>;

/// Who has policies.
pub(in crate::outbound) trait Fetch: Send + Sync + 'static {
    /// The policy of a domain, in A-labels.
    fn fetch(&self, domain: &str) -> Fetched;
}

/// The policy hosts, over HTTPS.
pub struct PolicyHosts(Client);

impl PolicyHosts {
    /// The authorities are those in the PEM file, or the system's; so are the name servers.
    ///
    /// # Errors
    /// One of them cannot be read, or the thread that asks cannot start.
    pub fn start(authorities: Option<&Path>, servers: &[SocketAddr]) -> io::Result<PolicyHosts> {
        Client::start("mta-sts", authorities, servers, limits::STS_FETCHES_MAX).map(PolicyHosts)
    }
}

impl Fetch for PolicyHosts {
    fn fetch(&self, domain: &str) -> Fetched {
        let url = match Url::parse(&format!("https://mta-sts.{domain}/.well-known/mta-sts.txt")) {
            Ok(url) => url,
            Err(why) => return Box::pin(std::future::ready(Err(why.into()))),
        };
        let answer = self.0.ask(Request {
            url,
            body: None,
            authorization: None,
            accept: "text/plain",
            timeout: limits::STS_FETCH_MAX,
            answer_bytes_max: limits::STS_POLICY_BYTES_MAX,
        });
        Box::pin(async move { judged(answer.await?) })
    }
}

/// Redirects are not followed, and a web page is no policy.
fn judged(answer: Answer) -> Result<Vec<u8>, String> {
    if answer.status != StatusCode::OK {
        return Err(format!("it says {}", answer.status));
    }
    let kind = answer.content_type.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("text/plain") {
        return Err(format!("it is {kind:?} and not text/plain"));
    }
    Ok(answer.body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_text_with_200_is_a_policy() {
        let answer = |status, kind: &str| {
            judged(Answer { status, content_type: kind.into(), body: b"x".to_vec() }).map_err(|why| why.to_string())
        };
        assert_eq!(answer(StatusCode::OK, "Text/Plain; charset=utf-8"), Ok(b"x".to_vec()));
        for (status, kind) in [
            (StatusCode::OK, "text/html"),
            (StatusCode::OK, ""),
            (StatusCode::MOVED_PERMANENTLY, "text/plain"),
            (StatusCode::NOT_FOUND, "text/plain"),
        ] {
            assert!(answer(status, kind).is_err(), "{status} {kind}");
        }
    }
}
