//! Tokens of an identity provider as the configuration wishes them. Asks nobody itself.
use crate::config::{Config, OAuth as Wishes};
use crate::ops::{Failure, Kind};
use posthouse_engine::base::Protocol;
use posthouse_protocols::session::oauth::{Endpoint, EndpointSettings, OAuth, Settings, Url};
use std::time::Duration;

/// Everything that can fail, before anything listens; `None` when tokens are not taken.
pub(super) fn start(config: &Config) -> Result<Option<OAuth>, Failure> {
    let wishes = &config.oauth;
    if wishes.introspection_url.is_empty() {
        return Ok(None);
    }
    let url = Url::parse(&wishes.introspection_url)
        .map_err(|why| Failure::new(Kind::Failed, format!("oauth.introspection_url: {why}")))?;
    let file = &wishes.client_secret_file;
    let secret = std::fs::read_to_string(file).map_err(|error| Failure::io(file.display(), &error))?;
    let endpoint = Endpoint::start(EndpointSettings {
        url,
        client_id: wishes.client_id.clone(),
        client_secret: secret.lines().next().unwrap_or_default().to_owned(),
        timeout: Duration::from_secs(wishes.timeout_seconds.into()),
        authorities: Some(wishes.tls_authorities.clone()).filter(|path| !path.as_os_str().is_empty()),
        servers: config.outbound.resolver.iter().map(|address| address.0).collect(),
    });
    let endpoint = endpoint.map_err(|error| Failure::io("oauth.introspection_url", &error))?;
    tracing::info!(endpoint = wishes.introspection_url, "logins by OAUTHBEARER and XOAUTH2 are offered");
    Ok(Some(OAuth::new(settings(wishes), endpoint)))
}

fn settings(wishes: &Wishes) -> Settings {
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    Settings {
        address_claim: wishes.address_claim.clone(),
        audience: some(&wishes.audience),
        scopes: Protocol::ALL.map(|protocol| match protocol {
            Protocol::Imap => some(&wishes.scope_imap),
            Protocol::Pop3 => some(&wishes.scope_pop3),
            Protocol::Submission => some(&wishes.scope_submission),
        }),
        cache_seconds: wishes.cache_seconds,
        cache_tokens_max: wishes.cache_tokens_max as usize,
        discovery_url: some(&wishes.discovery_url),
    }
}
