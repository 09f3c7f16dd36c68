//! The introspection endpoint over HTTP (RFC 7662 section 2.1), by hyper on a thread of its own, since that wants tokio and our reactors may run
//! on io_uring: nobody but who waits for an answer is held up by an endpoint that is slow. Judges no answer.
use super::{Asked, Introspect};
use crate::limits;
use crate::outbound::TlsConfigs;
use crate::outbound::resolve::resolver;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hickory_resolver::TokioResolver;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::header::{ACCEPT, AUTHORIZATION, CONNECTION, CONTENT_TYPE, HOST};
use hyper::{Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use std::fmt::{self, Write as _};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio_rustls::TlsConnector;

/// Where an endpoint is: `https:`, or `http:` on this machine, where nobody listens in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    host: String,
    port: u16,
    is_tls: bool,
    path: String,
}

impl Url {
    /// Reads a URL; `Err` says what is wrong with it.
    pub fn parse(text: &str) -> Result<Url, &'static str> {
        let uri: Uri = text.parse().map_err(|_| "not a URL")?;
        let is_tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err("not an https URL"),
        };
        let host = uri.host().filter(|host| !host.is_empty()).ok_or("without a host")?;
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host).to_owned();
        if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err("with a name or a password in it");
        }
        let is_here = host == "localhost" || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
        if !is_tls && !is_here {
            return Err("tokens and the secret would cross the network in the clear");
        }
        let port = uri.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        Ok(Url { host, port, is_tls, path })
    }

    /// RFC 9110 section 7.2.
    fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        if self.port == if self.is_tls { 443 } else { 80 } { host } else { format!("{host}:{}", self.port) }
    }
}

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
pub struct Endpoint(mpsc::UnboundedSender<Question>);

struct Question {
    token: String,
    reply: oneshot::Sender<Result<Vec<u8>, String>>,
}

struct Means {
    url: Url,
    authorization: String,
    tls: TlsConnector,
    names: TokioResolver,
    /// Connections at a time.
    free: Semaphore,
}

impl Endpoint {
    /// Starts the thread that asks; connects to nothing yet.
    ///
    /// # Errors
    /// The authorities or the system's configuration of name servers cannot be read, or the thread cannot start.
    pub fn start(settings: EndpointSettings) -> io::Result<Endpoint> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let names = {
            let _inside = runtime.enter();
            resolver(&settings.servers).map_err(|error| io::Error::other(format!("name servers: {error}")))?
        };
        let means = Arc::new(Means {
            authorization: basic(&settings.client_id, &settings.client_secret),
            tls: TlsConfigs::new(settings.authorities.as_deref())?.proven.into(),
            names,
            free: Semaphore::new(limits::OAUTH_ASKS_MAX),
            url: settings.url,
        });
        let (questions, mut asked) = mpsc::unbounded_channel();
        std::thread::Builder::new().name("oauth".into()).spawn(move || {
            runtime.block_on(async move {
                while let Some(Question { token, mut reply }) = asked.recv().await {
                    let means = means.clone();
                    // As many as there are sessions that wait; each ends in time, or with its session.
                    tokio::spawn(async move {
                        let answer = tokio::select! {
                            answer = tokio::time::timeout(settings.timeout, means.ask(&token)) => answer,
                            () = reply.closed() => return,
                        };
                        let late = |_| Err(format!("no answer within {} seconds", settings.timeout.as_secs_f32()));
                        let _ = reply.send(answer.unwrap_or_else(late));
                    });
                }
            });
        })?;
        Ok(Endpoint(questions))
    }
}

impl Introspect for Endpoint {
    fn ask(&self, token: &str) -> Asked {
        let (reply, answer) = oneshot::channel();
        let sent = self.0.send(Question { token: token.to_owned(), reply }).is_ok();
        Box::pin(async move {
            let ended = || Err("the thread that asks has ended".to_owned());
            if sent { answer.await.unwrap_or_else(|_| ended()) } else { ended() }
        })
    }
}

impl Means {
    async fn ask(&self, token: &str) -> Result<Vec<u8>, String> {
        let _place = self.free.acquire().await.map_err(|error| error.to_string())?;
        let stream = self.connect().await?;
        if !self.url.is_tls {
            return self.exchange(stream, token).await;
        }
        let name = ServerName::try_from(self.url.host.clone()).map_err(|error| error.to_string())?;
        let stream = self.tls.connect(name, stream).await.map_err(|error| format!("TLS: {error}"))?;
        self.exchange(stream, token).await
    }

    /// To the first of its addresses that takes us.
    async fn connect(&self) -> Result<TcpStream, String> {
        let mut why = String::from("its host has no address");
        for address in self.addresses().await? {
            match TcpStream::connect((address, self.url.port)).await {
                Ok(stream) => return Ok(stream),
                Err(error) => why = format!("{address}: {error}"),
            }
        }
        Err(why)
    }

    async fn addresses(&self) -> Result<Vec<IpAddr>, String> {
        let host = self.url.host.as_str();
        if let Ok(ip) = host.parse() {
            return Ok(vec![ip]);
        }
        if host == "localhost" {
            return Ok(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]);
        }
        let found = self.names.lookup_ip(host).await.map_err(|error| format!("{host}: {error}"))?;
        Ok(found.iter().collect())
    }

    /// One question over a connection of its own: good answers are kept, so there are few.
    async fn exchange(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        token: &str,
    ) -> Result<Vec<u8>, String> {
        let shaken = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = shaken.map_err(|error| error.to_string())?;
        let request = Request::post(&self.url.path)
            .header(HOST, self.url.authority())
            .header(AUTHORIZATION, &self.authorization)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(ACCEPT, "application/json")
            .header(CONNECTION, "close")
            .body(Full::new(Bytes::from(form(token))))
            .map_err(|error| error.to_string())?;
        let talk = async {
            let response = sender.send_request(request).await.map_err(|error| error.to_string())?;
            match response.status() {
                StatusCode::OK => {}
                // RFC 7662 section 2.3: it is we who are not known, and not the token.
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                    return Err(format!("it does not know the client: {}", response.status()));
                }
                other => return Err(format!("it says {other}")),
            }
            let body = Limited::new(response.into_body(), limits::OAUTH_ANSWER_BYTES_MAX).collect().await;
            Ok(body.map_err(|error| format!("its answer was broken off: {error}"))?.to_bytes().to_vec())
        };
        tokio::select! {
            biased;
            answer = talk => answer,
            Err(error) = connection => Err(error.to_string()),
        }
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
    fn urls() {
        let url = |text: &str| Url::parse(text).map(|url| (url.authority(), url.is_tls, url.path));
        assert_eq!(
            url("https://id.example.org/introspect?x=1"),
            Ok(("id.example.org".into(), true, "/introspect?x=1".into()))
        );
        assert_eq!(url("https://id.example.org:8443"), Ok(("id.example.org:8443".into(), true, "/".into())));
        assert_eq!(url("http://[::1]:80/i"), Ok(("[::1]".into(), false, "/i".into())));
        assert_eq!(url("http://localhost:8080/i"), Ok(("localhost:8080".into(), false, "/i".into())));
        for wrong in
            ["", "/introspect", "id.example.org", "ftp://id.example.org/", "http://id.example.org/", "https://a:b@c/"]
        {
            assert!(url(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn forms() {
        assert_eq!(form("a.b-c_d~e+f/g=="), "token=a.b-c_d%7Ee%2Bf%2Fg%3D%3D&token_type_hint=access_token");
        // "mail%3Aserver:s+ecret%25".
        assert_eq!(basic("mail:server", "s ecret%"), "Basic bWFpbCUzQXNlcnZlcjpzK2VjcmV0JTI1");
    }
}
