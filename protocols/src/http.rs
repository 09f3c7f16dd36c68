//! HTTP requests that we make, each over a connection of its own: by hyper on a thread of its own, since that wants tokio and our reactors may
//! run on io_uring. Follows no redirect and judges no answer.
use crate::outbound::TlsConfigs;
use crate::outbound::resolve::resolver;
use crate::runtime::elsewhere;
use hickory_resolver::TokioResolver;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::header::{ACCEPT, AUTHORIZATION, CONNECTION, CONTENT_TYPE, HOST};
use hyper::{StatusCode, Uri};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio_rustls::TlsConnector;

/// Where something is: `https:`, or `http:` on this machine, where nobody listens in.
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

/// What is asked: GET, or POST when there is something to be sent.
pub(crate) struct Request {
    pub(crate) url: Url,
    /// What is sent, and what it is.
    pub(crate) body: Option<(&'static str, Vec<u8>)>,
    pub(crate) authorization: Option<String>,
    pub(crate) accept: &'static str,
    /// How long it may take, all in all.
    pub(crate) timeout: Duration,
    pub(crate) answer_bytes_max: usize,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    /// As it stands in the field; empty when there is none.
    pub(crate) content_type: String,
    /// Of a good answer (200); empty for others.
    pub(crate) body: Vec<u8>,
}

/// An answer on its way, or why there is none.
pub(crate) type Answered = Pin<Box<dyn Future<Output = Result<Answer, String>> + Send>>;

/// Whoever asks. Its thread ends with the last handle.
pub(crate) struct Client(mpsc::UnboundedSender<Question>);

struct Question {
    request: Request,
    reply: oneshot::Sender<Result<Answer, String>>,
}

struct Means {
    tls: TlsConnector,
    names: TokioResolver,
    /// Connections at a time.
    free: Semaphore,
}

impl Client {
    /// Starts the thread, under this name; connects to nothing yet. The authorities are those in the PEM file, or the system's; so are the name
    /// servers. `asks_max`: requests at a time, others wait as long as they may.
    ///
    /// # Errors
    /// The authorities or the system's configuration of name servers cannot be read, or the thread cannot start.
    pub(crate) fn start(
        thread: &str,
        authorities: Option<&Path>,
        servers: &[SocketAddr],
        asks_max: usize,
    ) -> io::Result<Client> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let names = {
            let _inside = runtime.enter();
            resolver(servers).map_err(|error| io::Error::other(format!("name servers: {error}")))?
        };
        let tls = TlsConfigs::new(authorities)?.proven.into();
        let means = Arc::new(Means { tls, names, free: Semaphore::new(asks_max) });
        let (questions, mut asked) = mpsc::unbounded_channel();
        std::thread::Builder::new().name(thread.to_owned()).spawn(move || {
            runtime.block_on(async move {
                while let Some(Question { request, mut reply }) = asked.recv().await {
                    let means = means.clone();
                    // As many as there are who wait; each ends in time, or with whoever has asked.
                    tokio::spawn(async move {
                        let answer = tokio::select! {
                            answer = tokio::time::timeout(request.timeout, means.ask(&request)) => answer,
                            () = reply.closed() => return,
                        };
                        let late = |_| Err(format!("no answer within {} seconds", request.timeout.as_secs_f32()));
                        let _ = reply.send(answer.unwrap_or_else(late));
                    });
                }
            });
        })?;
        Ok(Client(questions))
    }

    /// Asks.
    pub(crate) fn ask(&self, request: Request) -> Answered {
        let (reply, answer) = oneshot::channel();
        let sent = self.0.send(Question { request, reply }).is_ok();
        Box::pin(async move {
            let ended = || Err("the thread that asks has ended".to_owned());
            if sent { elsewhere(answer).await.unwrap_or_else(|_| ended()) } else { ended() }
        })
    }
}

impl Means {
    async fn ask(&self, request: &Request) -> Result<Answer, String> {
        let _place = self.free.acquire().await.map_err(|error| error.to_string())?;
        let stream = self.connect(&request.url).await?;
        if !request.url.is_tls {
            return exchange(stream, request).await;
        }
        let name = ServerName::try_from(request.url.host.clone()).map_err(|error| error.to_string())?;
        let stream = self.tls.connect(name, stream).await.map_err(|error| format!("TLS: {error}"))?;
        exchange(stream, request).await
    }

    /// To the first of its addresses that takes us.
    async fn connect(&self, url: &Url) -> Result<TcpStream, String> {
        let mut why = String::from("its host has no address");
        for address in self.addresses(&url.host).await? {
            match TcpStream::connect((address, url.port)).await {
                Ok(stream) => return Ok(stream),
                Err(error) => why = format!("{address}: {error}"),
            }
        }
        Err(why)
    }

    async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, String> {
        if let Ok(ip) = host.parse() {
            return Ok(vec![ip]);
        }
        if host == "localhost" {
            return Ok(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]);
        }
        let found = self.names.lookup_ip(host).await.map_err(|error| format!("{host}: {error}"))?;
        Ok(found.iter().collect())
    }
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: &Request,
) -> Result<Answer, String> {
    let shaken = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = shaken.map_err(|error| error.to_string())?;
    let head = match &request.body {
        Some((kind, _)) => hyper::Request::post(&request.url.path).header(CONTENT_TYPE, *kind),
        None => hyper::Request::get(&request.url.path),
    };
    let head = head.header(HOST, request.url.authority()).header(ACCEPT, request.accept).header(CONNECTION, "close");
    let head = match &request.authorization {
        Some(who) => head.header(AUTHORIZATION, who),
        None => head,
    };
    let body = request.body.as_ref().map(|(_, bytes)| bytes.clone()).unwrap_or_default();
    let whole = head.body(Full::new(Bytes::from(body))).map_err(|error| error.to_string())?;
    let talk = async {
        let response = sender.send_request(whole).await.map_err(|error| error.to_string())?;
        let status = response.status();
        let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let content_type = kind.unwrap_or_default().to_owned();
        if status != StatusCode::OK {
            return Ok(Answer { status, content_type, body: Vec::new() });
        }
        let body = Limited::new(response.into_body(), request.answer_bytes_max).collect().await;
        let body = body.map_err(|error| format!("its answer was broken off: {error}"))?.to_bytes().to_vec();
        Ok(Answer { status, content_type, body })
    };
    tokio::select! {
        biased;
        answer = talk => answer,
        Err(error) = connection => Err(error.to_string()),
    }
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
}
