//! An HTTP server on a thread of its own, so that a slow page never waits on a mail connection's thread or the other way round.
use crate::{Host, Services, autoconfig, health, metrics, page};
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse};
use axum::routing::get;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use tokio::sync::watch;

/// A running HTTP server; dropping it stops it.
pub struct Admin {
    addresses: Vec<SocketAddr>,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Admin {
    /// The pages for operators on every address.
    ///
    /// # Errors
    /// An address that cannot be bound is named in the error.
    pub fn start(addresses: &[SocketAddr], host: Arc<dyn Host>) -> io::Result<Admin> {
        Admin::serving("admin", addresses, router(host))
    }

    /// The settings for members' mail programs on every address.
    ///
    /// # Errors
    /// An address that cannot be bound is named in the error.
    pub fn start_autoconfig(addresses: &[SocketAddr], services: Services, host: Arc<dyn Host>) -> io::Result<Admin> {
        Admin::serving("autoconfig", addresses, autoconfig::router(services, host))
    }

    fn serving(name: &'static str, addresses: &[SocketAddr], router: Router) -> io::Result<Admin> {
        let listeners: Vec<TcpListener> =
            addresses.iter().map(|address| bind(name, address)).collect::<io::Result<_>>()?;
        let addresses = listeners.iter().map(TcpListener::local_addr).collect::<io::Result<_>>()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = watch::channel(false);
        let thread = std::thread::Builder::new()
            .name(name.into())
            .spawn(move || runtime.block_on(serve(listeners, &router, &stopped)))?;
        Ok(Admin { addresses, stop, thread: Some(thread) })
    }

    /// Where it listens, with the ports that were taken for port 0.
    pub fn local_addrs(&self) -> &[SocketAddr] {
        &self.addresses
    }
}

impl Drop for Admin {
    fn drop(&mut self) {
        let _ = self.stop.send(true);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("an HTTP thread panicked");
        }
    }
}

fn bind(name: &str, address: &SocketAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(address)
        .map_err(|error| io::Error::new(error.kind(), format!("listener {name} on {address}: {error}")))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

fn router(host: Arc<dyn Host>) -> Router {
    Router::new()
        .route(
            "/",
            get(async |State(host): State<Arc<dyn Host>>| {
                Html(page::html(&host.facts(), &host.status(), host.accounts(), host.mail()))
            }),
        )
        .route("/health", get(health_reply))
        .route("/metrics", get(metrics_reply))
        .with_state(host)
}

async fn health_reply(State(host): State<Arc<dyn Host>>) -> impl IntoResponse {
    let reasons = health::reasons_unhealthy(&host.facts(), &host.status());
    let code = if reasons.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = serde_json::json!({ "healthy": reasons.is_empty(), "reasons": reasons });
    (code, [(header::CONTENT_TYPE, "application/json")], format!("{body}\n"))
}

async fn metrics_reply(State(host): State<Arc<dyn Host>>) -> impl IntoResponse {
    let text = metrics::text(&host.facts(), &host.status(), host.accounts(), host.mail());
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text)
}

/// Serves every listener until the stop. Requests under way are dropped then: they only read.
async fn serve(listeners: Vec<TcpListener>, router: &Router, stopped: &watch::Receiver<bool>) {
    let mut tasks = tokio::task::JoinSet::new();
    for listener in listeners {
        let router = router.clone();
        tasks.spawn(async move {
            let served = async { axum::serve(tokio::net::TcpListener::from_std(listener)?, router).await };
            if let Err(error) = served.await {
                tracing::error!(%error, "an HTTP listener failed");
            }
        });
    }
    // An error means that the sender is gone, which is a stop as well.
    let _ = stopped.clone().wait_for(|stop| *stop).await;
    tasks.shutdown().await;
}
