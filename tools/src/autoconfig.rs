//! Which services members' mail programs are told of, from the configuration. Serves nothing.
use crate::config::{ClientPorts, Config};
use posthouse_admin::{Service, Services};

/// Those of `[listen]` under the name and the ports of `[clients]`; `hostname` is the host's own, and `port` says where a listener is.
pub fn services(config: &Config, hostname: String, port: impl Fn(&str) -> Option<u16>) -> Services {
    let host = if config.clients.host == "auto" { hostname } else { config.clients.host.clone() };
    let list = config.listen.all().into_iter().filter(|(_, addresses)| !addresses.is_empty());
    let list = list.filter_map(|(name, _)| {
        let mut service = Service::of_listener(name, port(name)?)?;
        if config.clients.ports == ClientPorts::Standard {
            service.port = service.standard_port();
        }
        Some(service)
    });
    Services::new(host, list.collect())
}

/// The port that the configuration names for a listener; none when it leaves the choice to the system.
pub fn configured_port(config: &Config, listener: &str) -> Option<u16> {
    let (_, addresses) = config.listen.all().into_iter().find(|(name, _)| *name == listener)?;
    addresses.first().map(|address| address.0.port()).filter(|port| *port != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_ports_are_those_of_the_configuration() {
        let text =
            "hostname = 'mx.example.org'\n[listen]\npop3 = []\nimap = []\nimaps = ['127.0.0.1:0', '[::1]:1993']\n";
        let told = |text: &str| {
            let config = Config::parse("t", text).expect("allowed");
            services(&config, "mx.example.org".into(), |name| configured_port(&config, name)).dns("a.test").join("\n")
        };
        let plain = told(text);
        assert!(plain.contains("_pop3s._tcp.a.test. IN SRV 10 1 2995 mx.example.org."), "{plain}");
        assert!(plain.contains("_pop3._tcp.a.test. IN SRV 0 0 0 ."), "{plain}");
        assert!(plain.contains("_imaps._tcp.a.test. IN SRV 0 0 0 ."), "no port is known: {plain}");
        let standard =
            told(&format!("{}[clients]\nhost = 'mail.example.org'\nports = 'standard'\n", text.replace(":0", ":2993")));
        assert!(standard.contains("_imaps._tcp.a.test. IN SRV 0 1 993 mail.example.org."), "{standard}");
        assert!(standard.contains("a.test. IN MX 10 mail.example.org."), "{standard}");
    }
}
