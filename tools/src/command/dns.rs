//! domain dns.
use super::{Context, End, flow};
use crate::autoconfig;
use crate::ops::{Failure, Request, What};
use crate::signing;

/// Every record that a domain needs at its name server.
pub(super) fn records(context: &mut Context<'_>, domain: &str) -> Result<End, Failure> {
    let domain = posthouse_engine::directory::normalise_domain(domain)?;
    context.session.ask(&Request::Show { what: What::Domain, name: domain.clone() })?;
    let keys = flow::keys(context, &domain)?;
    let config = context.session.config();
    let hostname = crate::serve::hostname(&config.hostname);
    let services = autoconfig::services(config, hostname, |name| autoconfig::configured_port(config, name));
    let mut lines = services.dns(&domain);
    if !keys.is_empty() {
        lines.push("; the keys that sign its mail, and what others shall do with mail that fails".into());
        lines.extend(keys.iter().map(signing::zone_line));
        lines.push(format!("_dmarc.{domain}. IN TXT \"v=DMARC1; p=quarantine\""));
    }
    if context.show.json {
        let records: Vec<_> = lines.iter().filter(|line| !line.starts_with(';')).collect();
        context.show.json_value(&records);
        return Ok(End::Done);
    }
    for line in &lines {
        context.show.text(line);
    }
    if services.host() == "localhost" || !services.host().contains('.') {
        let host = services.host();
        eprintln!("posthouse: {host} is no name that others find; set clients.host or hostname in the configuration");
    }
    Ok(End::Done)
}
