//! The paths at which programs ask. Every answer is made from the request alone and the list of our domains.
use super::{Services, apple, domain_of, outlook, thunderbird};
use crate::Host;
use axum::Router;
use axum::extract::{DefaultBodyLimit, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Deserialize;
use std::sync::Arc;

/// Bytes of a request for Autodiscover; a real one has some 300.
const REQUEST_BYTES_MAX: usize = 16 << 10;
/// Bytes of an address (RFC 5321 section 4.5.3.1.3: a path has 256).
const ADDRESS_BYTES_MAX: usize = 254;

struct Desk {
    services: Services,
    host: Arc<dyn Host>,
}

impl Desk {
    /// Whether mail for an address is served here, as far as its domain says.
    fn serves(&self, address: &str) -> bool {
        address.len() <= ADDRESS_BYTES_MAX && domain_of(address).is_some_and(|domain| self.host.has_domain(domain))
    }
}

/// The documents of these services for the domains that `host` knows.
pub(crate) fn router(services: Services, host: Arc<dyn Host>) -> Router {
    let mut router = Router::new().route("/", get(welcome));
    for path in ["/mail/config-v1.1.xml", "/.well-known/autoconfig/mail/config-v1.1.xml"] {
        router = router.route(path, get(for_thunderbird));
    }
    for path in ["/autodiscover/autodiscover.xml", "/Autodiscover/Autodiscover.xml", "/AutoDiscover/AutoDiscover.xml"] {
        router = router.route(path, get(outlook_without_a_request).post(for_outlook));
    }
    router = router.route("/apple.mobileconfig", get(for_apple));
    router.layer(DefaultBodyLimit::max(REQUEST_BYTES_MAX)).with_state(Arc::new(Desk { services, host }))
}

#[derive(Default, Deserialize)]
struct Asked {
    /// Thunderbird's word.
    emailaddress: Option<String>,
    /// Ours.
    email: Option<String>,
}

impl Asked {
    fn address(&self) -> Option<&str> {
        self.emailaddress.as_deref().or(self.email.as_deref()).filter(|address| address.len() <= ADDRESS_BYTES_MAX)
    }
}

fn xml(code: StatusCode, body: String) -> Response {
    (code, [(header::CONTENT_TYPE, "application/xml; charset=utf-8")], body).into_response()
}

fn not_ours(what: &str) -> Response {
    (StatusCode::NOT_FOUND, format!("{what}: no domain of this server; ask with ?emailaddress=NAME@DOMAIN\n"))
        .into_response()
}

/// The domain after which a program has named the host that it asks: `autoconfig.example.org` or the domain itself.
fn domain_of_host(headers: &HeaderMap) -> Option<String> {
    let host = headers.get(header::HOST)?.to_str().ok()?;
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    Some(name.strip_prefix("autoconfig.").unwrap_or(name).to_ascii_lowercase())
}

async fn for_thunderbird(State(desk): State<Arc<Desk>>, Query(asked): Query<Asked>, headers: HeaderMap) -> Response {
    let domain = match asked.address() {
        Some(address) => domain_of(address).map(str::to_owned),
        None => domain_of_host(&headers),
    };
    match domain.filter(|domain| desk.host.has_domain(domain)) {
        Some(domain) => xml(StatusCode::OK, thunderbird::document(&desk.services, &domain)),
        None => not_ours(asked.address().unwrap_or("this host's name")),
    }
}

async fn outlook_without_a_request() -> Response {
    xml(StatusCode::OK, outlook::refusal(600, "Invalid request: POST one with an EMailAddress"))
}

async fn for_outlook(State(desk): State<Arc<Desk>>, body: String) -> Response {
    let address = match outlook::address(&body) {
        Ok(address) => address,
        Err(why) => return xml(StatusCode::OK, outlook::refusal(600, &format!("Invalid request: {why}"))),
    };
    let body = match desk.serves(&address) {
        true => outlook::document(&desk.services, &address),
        false => outlook::refusal(500, "The address is of no domain of this server"),
    };
    // Outlook reads refusals in the document, and takes another status for a server that is not there.
    xml(StatusCode::OK, body)
}

async fn for_apple(State(desk): State<Arc<Desk>>, Query(asked): Query<Asked>) -> Response {
    let address = asked.address().filter(|address| desk.serves(address));
    let Some(address) = address else { return not_ours(asked.address().unwrap_or("no address")) };
    match apple::document(&desk.services, address) {
        Some(profile) => {
            let headers = [
                (header::CONTENT_TYPE, apple::CONTENT_TYPE),
                (header::CONTENT_DISPOSITION, "attachment; filename=\"mail.mobileconfig\""),
            ];
            (headers, profile).into_response()
        }
        None => (StatusCode::NOT_FOUND, "this server has no listener to read or none to send mail\n").into_response(),
    }
}

/// For a person who has come by a browser.
async fn welcome(State(desk): State<Arc<Desk>>) -> Response {
    let mut rows = String::new();
    for service in desk.services.incoming().chain(desk.services.outgoing()) {
        let security = if service.implicit_tls { "TLS" } else { "STARTTLS" };
        rows.push_str(&format!(
            "<tr><td>{:?}</td><td>{}</td><td>{security}</td></tr>\n",
            service.protocol, service.port
        ));
    }
    let host = super::escaped(desk.services.host());
    let page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\"><title>Mail settings</title>\n\
         <style>body{{font:16px/1.5 sans-serif;max-width:40em;margin:2em auto;padding:0 1em}}td,th{{text-align:left;padding:.2em 1.5em .2em 0}}</style>\n\
         <h1>Mail settings</h1><p>Server: <b>{host}</b>. The login name is the whole address.</p>\n\
         <table><tr><th>Protocol</th><th>Port</th><th>Security</th></tr>\n{rows}</table>\n\
         <h2>iPhone, iPad, Mac</h2><form action=\"/apple.mobileconfig\"><label>Address <input name=\"email\" type=\"email\" required></label> \
         <button>Get the profile</button></form>\n<p>Thunderbird and Outlook find their settings by themselves.</p></html>\n"
    );
    axum::response::Html(page).into_response()
}
