//! The introspection endpoint over HTTP (RFC 7662 section 2.1): nobody but who waits for an answer is held up by an endpoint that is slow. Judges no
//! answer.
use super::{Asked, Introspect};
pub use crate::http::Url;
use crate::http::{Client, Request};
use crate::limits;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::StatusCode;
use std::fmt::{self, Write as _};
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Which endpoint, and who we are to it. `Debug` hides the secret.
#[derive(Clone)]
pub struct EndpointSettings {
    /// Where it is.
    pub url: Url,
    /// Our name with it (`client_id`).
    pub client_id: String,
    /// Our password with it (`client_secret`).
    pub client_secret: String,
    /// How long an answer may take, all in all.
    pub timeout: Duration,
    /// A PEM file with the authorities that prove its name; `None`: the system's.
    pub authorities: Option<PathBuf>,
    /// Who answers for names; none: those of the system.
    pub servers: Vec<SocketAddr>,
}

impl fmt::Debug for EndpointSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EndpointSettings")
            .field("url", &self.url)
            .field("client_id", &self.client_id)
            .finish_non_exhaustive()
    }
}

/// An endpoint. Its thread ends with the last handle.
pub struct Endpoint {
    client: Client,
    url: Url,
    authorization: String,
    timeout: Duration,
}

impl Endpoint {
    /// Starts the thread that asks; connects to nothing yet.
    ///
    /// # Errors
    /// The authorities or the system's configuration of name servers cannot be read, or the thread cannot start.
    pub fn start(settings: EndpointSettings) -> io::Result<Endpoint> {
        let authorities = settings.authorities.as_deref();
        Ok(Endpoint {
            client: Client::start("oauth", authorities, &settings.servers, limits::OAUTH_ASKS_MAX)?,
            authorization: basic(&settings.client_id, &settings.client_secret),
            url: settings.url,
            timeout: settings.timeout,
        })
    }
}

impl Introspect for Endpoint {
    /// Over a connection of its own: good answers are kept, so there are few.
    fn ask(&self, token: &str) -> Asked {
        let answer = self.client.ask(Request {
            url: self.url.clone(),
            body: Some(("application/x-www-form-urlencoded", form(token).into_bytes())),
            authorization: Some(self.authorization.clone()),
            accept: "application/json",
            timeout: self.timeout,
            answer_bytes_max: limits::OAUTH_ANSWER_BYTES_MAX,
        });
        Box::pin(async move {
            let answer = answer.await?;
            match answer.status {
                StatusCode::OK => Ok(answer.body),
                // RFC 7662 section 2.3: it is we who are not known, and not the token.
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                    Err(format!("it does not know the client: {}", answer.status))
                }
                other => Err(format!("it says {other}")),
            }
        })
    }
}

/// RFC 6749 section 2.3.1: the name and the password are form-encoded before they are base64.
fn basic(client_id: &str, client_secret: &str) -> String {
    let mut pair = encoded(client_id);
    pair.push(':');
    pair.push_str(&encoded(client_secret));
    format!("Basic {}", STANDARD.encode(pair))
}

/// RFC 7662 section 2.1.
fn form(token: &str) -> String {
    format!("token={}&token_type_hint=access_token", encoded(token))
}

/// `application/x-www-form-urlencoded` (RFC 6749 appendix B).
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'.' | b'_' | b'*' => out.push(byte.into()),
            b' ' => out.push('+'),
            // Writing to memory does not fail.
            byte => drop(write!(out, "%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        assert_eq!(form("a.b-c_d~e+f/g=="), "token=a.b-c_d%7Ee%2Bf%2Fg%3D%3D&token_type_hint=access_token");
        // "mail%3Aserver:s+ecret%25".
        assert_eq!(basic("mail:server", "s ecret%"), "Basic bWFpbCUzQXNlcnZlcjpzK2VjcmV0JTI1");
    }
}
