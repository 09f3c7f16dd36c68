//! From a connection to a host that takes messages: greeting, EHLO or HELO, STARTTLS, AUTH. Tries no other host.
use super::auth;
use super::reading::{self, Lines};
use super::{Client, Offers, Remote};
use crate::dsn::Reply;
use crate::limits;
use crate::outbound::settings::{Login, Security};
use crate::outbound::trust::{Guard, NO_ENCRYPTION, NO_REQUIRETLS, NO_STARTTLS, result_type, why};
use crate::runtime::Stream;
use rustls::pki_types::ServerName;

/// How to begin.
pub(in crate::outbound) struct Hello<'a> {
    /// Our name.
    pub(in crate::outbound) hostname: &'a str,
    pub(in crate::outbound) guard: &'a Guard,
    pub(in crate::outbound) login: Option<&'a Login>,
}

/// Why a host takes no messages from us now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::outbound) struct NotOpen {
    pub(in crate::outbound) reply: Reply,
    /// The TLS handshake failed where TLS is a wish only: plain text may do.
    pub(in crate::outbound) without_tls: bool,
    /// What was wrong with TLS, as reports about it name that (RFC 8460 section 4.3).
    pub(in crate::outbound) tls: Option<&'static str>,
}

impl From<Reply> for NotOpen {
    fn from(reply: Reply) -> NotOpen {
        NotOpen { reply, without_tls: false, tls: None }
    }
}

/// Begins the conversation on a fresh connection.
pub(in crate::outbound) async fn open(mut stream: Stream, remote: Remote, how: &Hello<'_>) -> Result<Client, NotOpen> {
    stream.set_stall(limits::OUTBOUND_STALL_MAX);
    let mut client = Client {
        stream,
        remote,
        offers: Offers::default(),
        tls: None,
        dirty: false,
        begun: 0,
        broken: false,
        transferring: false,
    };
    if how.guard.security == Security::Implicit {
        client.start_tls(how).await.map_err(|(reply, _)| reply)?;
    }
    client.greeting(how.hostname).await?;
    client.hello(how.hostname).await?;
    client.secure(how).await?;
    // RFC 8689 section 2: in plain text it means nothing.
    client.offers.requiretls &= client.tls.is_some();
    if how.guard.keeps_tls && !client.offers.requiretls {
        return Err(Reply::own(NO_REQUIRETLS, "the host does not offer REQUIRETLS").into());
    }
    if let Some(login) = how.login {
        auth::log_in(&mut client, login, how.guard.security).await?;
    }
    Ok(client)
}

impl Client {
    async fn greeting(&mut self, hostname: &str) -> Result<(), Reply> {
        let heard = reading::reply(&mut self.stream, limits::OUTBOUND_GREETING_MAX).await;
        let lines = heard.map_err(|broken| broken.reply("while waiting for the greeting"))?;
        if lines.code / 100 != 2 {
            return Err(unwelcome(lines));
        }
        // Whoever greets us with our own name is we ourselves: the mail would go round (RFC 3463: 5.4.6).
        let name = lines.lines.first().and_then(|line| line.split_whitespace().next());
        if name.is_some_and(|name| name.eq_ignore_ascii_case(hostname)) {
            return Err(Reply::own("5.4.6", format!("the mail would come back: {} is this host itself", self.remote)));
        }
        Ok(())
    }

    /// EHLO; HELO for a host that does not know it (RFC 5321 section 3.2).
    async fn hello(&mut self, hostname: &str) -> Result<(), Reply> {
        let lost = |broken: reading::Broken| broken.reply("at EHLO");
        self.put(&format!("EHLO {hostname}"));
        self.flush().await.map_err(lost)?;
        let lines = reading::reply(&mut self.stream, limits::OUTBOUND_COMMAND_MAX).await.map_err(lost)?;
        match lines.code {
            200..300 => {
                self.offers = Offers::read(&lines.lines);
                Ok(())
            }
            500 | 501 | 502 | 504 | 550 => {
                let line = format!("HELO {hostname}");
                let heard = self.say(&line, limits::OUTBOUND_COMMAND_MAX).await;
                let reply = heard.map_err(|broken| broken.reply("at HELO"))?;
                if reply.is_positive() { Ok(()) } else { Err(put_off(reply)) }
            }
            _ => Err(put_off(lines.joined())),
        }
    }

    /// STARTTLS (RFC 3207) as far as the policy for this host wants it.
    async fn secure(&mut self, how: &Hello<'_>) -> Result<(), NotOpen> {
        let wish = match how.guard.security {
            Security::Plain | Security::Implicit => return Ok(()),
            Security::Opportunistic => true,
            Security::Required | Security::Verified => false,
        };
        if !self.offers.starttls {
            let status = if how.guard.keeps_tls { NO_ENCRYPTION } else { "4.7.4" };
            let missing = || Reply::own(status, format!("the host offers no STARTTLS{}", how.guard.demand()));
            return if wish { Ok(()) } else { Err(NotOpen { tls: Some(NO_STARTTLS), ..missing().into() }) };
        }
        let heard = self.say("STARTTLS", limits::OUTBOUND_COMMAND_MAX).await;
        let reply = heard.map_err(|broken| broken.reply("at STARTTLS"))?;
        if !reply.is_positive() {
            let refused = || NotOpen { tls: Some(NO_STARTTLS), ..put_off(reply).into() };
            return if wish && !self.broken { Ok(()) } else { Err(refused()) };
        }
        // A password never goes over what TLS has failed on.
        let without_tls = wish && how.login.is_none();
        self.start_tls(how).await.map_err(|(reply, tls)| NotOpen { reply, without_tls, tls: Some(tls) })?;
        // What was offered in plain text is forgotten (RFC 3207 section 4.2).
        self.offers = Offers::default();
        Ok(self.hello(how.hostname).await?)
    }

    /// With its failure comes what reports about TLS call it.
    async fn start_tls(&mut self, how: &Hello<'_>) -> Result<(), (Reply, &'static str)> {
        let guard = how.guard;
        let name = guard.name.trim_end_matches('.').to_owned();
        let name = ServerName::try_from(name).unwrap_or_else(|_| ServerName::from(self.remote.addr.ip()));
        self.stream.start_tls_client(guard.config.clone(), name).await.map_err(|error| {
            (Reply::own("4.7.5", format!("the TLS handshake failed: {}", why(&error))), result_type(&error))
        })?;
        self.tls = self.stream.tls_info().map(|tls| format!("{} {} {}", tls.version, tls.cipher, guard.trust));
        Ok(())
    }
}

/// What a refused greeting means: 521 says that the host never takes mail (RFC 7504 section 3); whatever else may be over later.
fn unwelcome(lines: Lines) -> Reply {
    let never = lines.code == 521;
    let reply = lines.joined();
    if never { reply } else { put_off(reply) }
}

/// A refusal of the connection says nothing of the recipients: they are tried again.
fn put_off(mut reply: Reply) -> Reply {
    if !reply.is_transient() {
        reply.status.replace_range(..1, "4");
    }
    reply
}

impl Offers {
    /// The keywords of an EHLO reply; the first line is the host's name.
    fn read(lines: &[String]) -> Offers {
        let mut offers = Offers::default();
        for line in lines.iter().skip(1) {
            let mut words = line.split_ascii_whitespace();
            let keyword = words.next().unwrap_or_default().to_ascii_uppercase();
            match keyword.as_str() {
                "PIPELINING" => offers.pipelining = true,
                "8BITMIME" => offers.eight_bit = true,
                "SMTPUTF8" => offers.utf8 = true,
                "DSN" => offers.dsn = true,
                "REQUIRETLS" => offers.requiretls = true,
                "STARTTLS" => offers.starttls = true,
                "CHUNKING" => offers.chunking = true,
                "BINARYMIME" => offers.binary = true,
                "DELIVERBY" => offers.deliver_by = Some(words.next().and_then(|word| word.parse().ok()).unwrap_or(0)),
                "MT-PRIORITY" => offers.priority = true,
                "LIMITS" => offers.limit(words),
                "SIZE" => offers.size = Some(words.next().and_then(|word| word.parse().ok()).filter(|size| *size > 0)),
                "AUTH" => offers.auth.extend(words.map(str::to_ascii_uppercase)),
                // Old servers wrote it so.
                _ if keyword.starts_with("AUTH=") => {
                    offers.auth.push(keyword[5..].to_owned());
                    offers.auth.extend(words.map(str::to_ascii_uppercase));
                }
                _ => {}
            }
        }
        offers
    }

    /// RFC 9422: what is not known, or no number, says nothing.
    fn limit<'a>(&mut self, words: impl Iterator<Item = &'a str>) {
        for (name, value) in words.filter_map(|word| word.split_once('=')) {
            let value = value.parse::<u32>().ok().filter(|value| *value > 0);
            match name.to_ascii_uppercase().as_str() {
                "MAILMAX" => self.mail_max = value,
                "RCPTMAX" => self.rcpt_max = value.map(|value| value as usize),
                "RCPTDOMAINMAX" => self.rcpt_domain_max = value.map(|value| value as usize),
                _ => {}
            }
        }
    }
}
