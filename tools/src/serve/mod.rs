//! `posthouse serve`: puts the rooms together in the order in which they need each other, and takes them apart the other way round.
//! Holds no rule of mail and no rule of the store.
mod compaction;
mod dnsbl;
mod files;
mod filters;
mod first;
mod house;
mod listeners;
mod log;
mod log_lines;
mod look_out;
mod notify;
mod oauth;
mod outbound;
mod signals;
mod verify;

use crate::autoconfig;
use crate::config::{Config, RuntimeChoice};
use crate::control::Control;
use crate::ops::{Failure, Kind};
use crate::store::{self, Opened};
pub(crate) use house::hostname;

use house::House;
use log_lines::Writing;
use posthouse_admin::{Admin, ListenerFacts, Services};
use posthouse_protocols::outbound::Outbound;
use posthouse_protocols::runtime::{self, Choice, ConnectionLimits, Server, tls};
use signals::Signals;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Serves until a signal. With `may_begin`, an empty store gets its first members.
pub fn run(data: &Path, config: &Config, may_begin: bool) -> Result<(), Failure> {
    let writing = log::start(config.log.format, &config.log.level);
    files::raise_limit(config.limits.connections_max);
    let begun = Instant::now();
    let opened = store::open(data, config)?;
    for line in &opened.report {
        tracing::warn!("recovery: {line}");
    }
    let accounts = opened.engine.directory(|directory| directory.account_count());
    let (version, elapsed_ms) = (env!("CARGO_PKG_VERSION"), begun.elapsed().as_millis() as u64);
    tracing::info!(version, data = %data.display(), accounts, elapsed_ms, "store open");
    let served = serve(data, config, may_begin, &opened, &writing);
    // Also after a failure: what was taken is committed, and the lock is free for the next try.
    let closed = opened.engine.close();
    served?;
    closed?;
    tracing::info!("stopped");
    Ok(())
}

fn serve(data: &Path, config: &Config, may_begin: bool, opened: &Opened, log: &Writing) -> Result<(), Failure> {
    let signals = Signals::listen().map_err(|error| Failure::io("signals", &error))?;
    let running = Running::start(data, config, opened)?;
    if may_begin && let Some(words) = first::begin(&opened.engine, data, &running.house)? {
        say(&words);
    }
    // Whoever waits for that word finds the listeners' addresses in the log.
    log.flush();
    say("ready");
    notify::tell("READY=1\nSTATUS=serving");
    tracing::info!("ready");
    let signal = signals.wait();
    tracing::info!(signal, "stopping; a second signal stops at once");
    notify::tell("STOPPING=1");
    running.stop(Duration::from_secs(config.limits.stop_grace_seconds.into()));
    Ok(())
}

/// On standard output, at once. Whoever started us may have stopped reading; that stops no mail.
fn say(text: &str) {
    use std::io::Write;
    let mut stdout = std::io::stdout().lock();
    let _ = writeln!(stdout, "{text}").and_then(|()| stdout.flush());
}

/// Everything that is open while we serve, in the order of its closing.
struct Running {
    house: Arc<House>,
    control: Control,
    admin: Admin,
    autoconfig: Admin,
    outbound: Option<Outbound>,
    compaction: Option<compaction::Schedule>,
    look_out: look_out::LookOut,
}

impl Running {
    fn start(data: &Path, config: &Config, opened: &Opened) -> Result<Running, Failure> {
        let hostname = house::hostname(&config.hostname);
        let identity = identity(data, config, &hostname)?;
        let choice = match config.runtime {
            RuntimeChoice::Auto => Choice::Auto,
            RuntimeChoice::Uring => Choice::Uring,
            RuntimeChoice::Tokio => Choice::Tokio,
        };
        let (kind, why) = runtime::choose(choice).map_err(|error| Failure::new(Kind::Failed, error.to_string()))?;
        tracing::info!("{why}");
        let judges = listeners::Judges { filters: filters::start(config, &hostname)?, oauth: oauth::start(config)? };
        let verifier = judges.filters.verifier.clone();
        let listeners = listeners::all(config, opened, &hostname, &identity, judges);
        let means = outbound::prepare(config, opened, &hostname, verifier)?;
        let limits = ConnectionLimits {
            total: config.limits.connections_max as usize,
            per_ip: config.limits.connections_per_ip_max as usize,
        };
        let reactors = config.reactors.or(store::cores());
        let server = Server::start(kind, reactors, listeners, limits).map_err(|error| not_open(&error))?;
        let mut open: Vec<ListenerFacts> =
            server.local_addrs().into_iter().map(|(name, address)| house::listener(&name, address)).collect();
        let spawner = server.spawner();
        let house = House::new(data, hostname.clone(), kind, opened.engine.clone(), server);
        let addresses: Vec<_> = config.listen.admin.iter().map(|address| address.0).collect();
        let admin = Admin::start(&addresses, house.clone()).map_err(|error| not_open(&error))?;
        open.extend(admin.local_addrs().iter().map(|address| house::listener("admin", *address)));
        let services = services(config, hostname.clone(), &open);
        let addresses: Vec<_> = config.listen.autoconfig.iter().map(|address| address.0).collect();
        let autoconfig =
            Admin::start_autoconfig(&addresses, services, house.clone()).map_err(|error| not_open(&error))?;
        open.extend(autoconfig.local_addrs().iter().map(|address| house::listener("autoconfig", *address)));
        for listener in &open {
            tracing::info!(protocol = listener.name, address = listener.address, "listening");
        }
        house.set_listeners(open);
        let asked = house.clone();
        let control = Control::open(data, opened.engine.clone(), move || posthouse_admin::Host::facts(&*asked))
            .map_err(|error| Failure::io("the control socket", &error))?;
        let outbound = outbound::start(means, spawner);
        let compaction = compaction::Schedule::start(&opened.engine, data, &config.compaction)
            .map_err(|error| Failure::io("the compaction's schedule", &error))?;
        let look_out = look_out::LookOut::start(&opened.engine, &config.mail_log)
            .map_err(|error| Failure::io("the look-out", &error))?;
        Ok(Running { house, control, admin, autoconfig, outbound, compaction, look_out })
    }

    /// Sessions end first, ours to other hosts too: each reply that was promised goes out, each result is noted; then those who only look.
    fn stop(self, grace: Duration) {
        drop(self.compaction);
        drop(self.look_out);
        self.house.stop(grace);
        drop(self.control);
        drop(self.admin);
        drop(self.autoconfig);
        drop(self.outbound);
    }
}

/// What members' programs are told, with the ports that were taken for port 0.
fn services(config: &Config, hostname: String, open: &[ListenerFacts]) -> Services {
    let port = |name: &str| {
        let address = &open.iter().find(|listener| listener.name == name)?.address;
        address.parse().ok().map(|address: std::net::SocketAddr| address.port())
    };
    autoconfig::services(config, hostname, port)
}

fn not_open(error: &std::io::Error) -> Failure {
    Failure::new(Kind::Failed, format!("{error}; another address: the configuration's [listen]"))
}

/// With what we prove under TLS who we are.
struct Identity {
    config: Arc<rustls::ServerConfig>,
    /// For channel binding.
    end_point: Option<Vec<u8>>,
}

fn identity(data: &Path, config: &Config, hostname: &str) -> Result<Identity, Failure> {
    let mut certificate = config.tls.certificate.clone();
    let made = if certificate.as_os_str().is_empty() {
        let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
        if hostname != "localhost" {
            names.insert(0, hostname.to_owned());
        }
        let directory = data.join(first::TLS_DIRECTORY);
        certificate = directory.join(tls::CERTIFICATE_FILE);
        tls::self_signed(&directory, &names)
    } else {
        tls::from_pem_files(&certificate, &config.tls.key)
    };
    let made = made.and_then(|config| Ok(Identity { config, end_point: tls::end_point(&certificate)? }));
    made.map_err(|error| Failure::io("TLS", &error))
}
