//! Asks real name servers, by hickory-resolver on a thread of its own, since that wants tokio and our reactors may run on io_uring.
use super::servers::{Dnssec, Servers, whole};
use super::{Addresses, Answer, MailHosts, Mx, NoAnswer, Resolve, Tlsa};
use crate::runtime::elsewhere;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::Pin;
use tokio::sync::{mpsc, oneshot};

/// The name servers.
pub struct NameServers(mpsc::UnboundedSender<Question>);

/// Runs on the thread, and answers whoever has asked.
type Question = Box<dyn FnOnce(Servers) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send>;

impl NameServers {
    /// Asks `servers`, or those of the system (`/etc/resolv.conf`) when there are none. The thread ends with the last handle.
    ///
    /// # Errors
    /// The system's configuration cannot be read, or the thread cannot start.
    pub fn start(servers: &[SocketAddr], dnssec: Dnssec) -> io::Result<NameServers> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let servers = {
            let _inside = runtime.enter();
            Servers::new(servers, dnssec).map_err(|error| io::Error::other(format!("name servers: {error}")))?
        };
        let (questions, mut asked) = mpsc::unbounded_channel::<Question>();
        std::thread::Builder::new().name("names".into()).spawn(move || {
            runtime.block_on(async move {
                while let Some(question) = asked.recv().await {
                    tokio::spawn(question(servers.clone()));
                }
            });
        })?;
        Ok(NameServers(questions))
    }

    fn ask<T, F>(&self, question: impl FnOnce(Servers) -> F + Send + 'static) -> Answer<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, NoAnswer>> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        // Who asked may have gone meanwhile.
        let question: Question = Box::new(move |servers| {
            let answer = question(servers);
            Box::pin(async move { drop(reply.send(answer.await)) })
        });
        let sent = self.0.send(question).is_ok();
        Box::pin(async move {
            let ended = || Err(NoAnswer::Failed("the resolver has ended".into()));
            if sent { elsewhere(answer).await.unwrap_or_else(|_| ended()) } else { ended() }
        })
    }
}

impl Resolve for NameServers {
    fn mx(&self, domain: &str) -> Answer<MailHosts> {
        let domain = domain.to_owned();
        self.ask(|servers| async move { mx(&servers, &domain).await })
    }

    fn addresses(&self, host: &str) -> Answer<Addresses> {
        let host = host.to_owned();
        self.ask(|servers| async move { addresses(&servers, &host).await })
    }

    fn ipv4(&self, host: &str) -> Answer<Vec<Ipv4Addr>> {
        let host = host.to_owned();
        self.ask(|servers| async move { Ok(records(&servers, &host, RecordType::A, ipv4).await?.all) })
    }

    fn tlsa(&self, name: &str) -> Answer<Vec<Tlsa>> {
        let name = name.to_owned();
        self.ask(|servers| async move {
            let found = records(&servers, &name, RecordType::TLSA, tlsa).await?;
            if found.secure && !found.all.is_empty() { Ok(found.all) } else { Err(NoAnswer::NoRecord) }
        })
    }

    fn txt(&self, name: &str) -> Answer<Vec<String>> {
        let name = name.to_owned();
        self.ask(|servers| async move {
            let found = records(&servers, &name, RecordType::TXT, txt).await?;
            if found.all.is_empty() { Err(NoAnswer::NoRecord) } else { Ok(found.all) }
        })
    }
}

fn ipv4(data: &RData) -> Option<Ipv4Addr> {
    if let RData::A(a) = data { Some(a.0) } else { None }
}

fn ip(data: &RData) -> Option<IpAddr> {
    match data {
        RData::A(a) => Some(a.0.into()),
        RData::AAAA(aaaa) => Some(aaaa.0.into()),
        _ => None,
    }
}

fn tlsa(data: &RData) -> Option<Tlsa> {
    let RData::TLSA(tlsa) = data else { return None };
    let (usage, selector, matching) = (tlsa.cert_usage.into(), tlsa.selector.into(), tlsa.matching.into());
    Some(Tlsa { usage, selector, matching, data: tlsa.cert_data.clone() })
}

fn txt(data: &RData) -> Option<String> {
    let RData::TXT(txt) = data else { return None };
    Some(String::from_utf8_lossy(&txt.txt_data.concat()).into_owned())
}

fn mail_host(data: &RData) -> Option<Mx> {
    let RData::MX(mx) = data else { return None };
    Some(Mx { preference: mx.preference, host: plain(&mx.exchange) })
}

/// In small letters and without the final dot.
fn plain(name: &Name) -> String {
    name.to_ascii().to_ascii_lowercase().trim_end_matches('.').to_owned()
}

async fn mx(servers: &Servers, domain: &str) -> Result<MailHosts, NoAnswer> {
    let found = records(servers, domain, RecordType::MX, mail_host).await?;
    if found.all.is_empty() {
        return Err(NoAnswer::NoRecord);
    }
    Ok(MailHosts { hosts: found.all, secure: found.secure })
}

/// Both families; one that fails does not hide what the other has.
async fn addresses(servers: &Servers, host: &str) -> Result<Addresses, NoAnswer> {
    let (v4, v6) =
        tokio::join!(records(servers, host, RecordType::A, ip), records(servers, host, RecordType::AAAA, ip));
    let mut found = Records { all: Vec::new(), secure: true, owner: String::new() };
    let mut worst = None;
    for answer in [v4, v6] {
        match answer {
            Ok(some) => {
                found.secure &= some.secure;
                // An alias that leads to no record of this kind says nothing of where it leads.
                if !some.all.is_empty() {
                    found.owner = some.owner;
                }
                found.all.extend(some.all);
            }
            Err(why @ NoAnswer::Failed(_)) => worst = Some(why),
            Err(why) => worst = worst.or(Some(why)),
        }
    }
    if found.all.is_empty() {
        return Err(worst.unwrap_or(NoAnswer::NoRecord));
    }
    let tlsa_bases = tlsa_bases(servers, host, &found).await;
    Ok(Addresses { all: found.all, tlsa_bases })
}

/// RFC 7672 section 2.2.2: the name at the end of the aliases, then the one at their beginning; only that one when only the first alias is
/// proven.
async fn tlsa_bases(servers: &Servers, host: &str, found: &Records<IpAddr>) -> Vec<String> {
    let own = host.trim_end_matches('.').to_ascii_lowercase();
    let is_alias = found.owner != own;
    match (found.secure, is_alias) {
        (true, true) => vec![found.owner.clone(), own],
        (true, false) => vec![own],
        (false, true) => {
            let Some(name) = whole(host) else { return Vec::new() };
            let is_proven = matches!(servers.ask(name, RecordType::CNAME).await, Ok((_, true)));
            if is_proven { vec![own] } else { Vec::new() }
        }
        (false, false) => Vec::new(),
    }
}

/// What an answer holds of one kind.
struct Records<T> {
    all: Vec<T>,
    secure: bool,
    /// The name at the end of the aliases.
    owner: String,
}

async fn records<T>(
    servers: &Servers,
    name: &str,
    kind: RecordType,
    read: impl Fn(&RData) -> Option<T>,
) -> Result<Records<T>, NoAnswer> {
    // A name that no server can be asked for does not exist.
    let question = whole(name).ok_or(NoAnswer::NoName)?;
    let (answers, secure) = servers.ask(question, kind).await.map_err(|error| no_answer(&error))?;
    let own = || name.trim_end_matches('.').to_ascii_lowercase();
    let owner = answers.iter().find(|record| record.record_type() == kind).map_or_else(own, owner);
    Ok(Records { all: answers.iter().filter_map(|record| read(&record.data)).collect(), secure, owner })
}

fn owner(record: &Record) -> String {
    plain(&record.name)
}

fn no_answer(error: &NetError) -> NoAnswer {
    match error {
        NetError::Dns(DnsError::NoRecordsFound(none)) => match none.response_code {
            ResponseCode::NXDomain => NoAnswer::NoName,
            ResponseCode::NoError => NoAnswer::NoRecord,
            code => NoAnswer::Failed(code.to_string()),
        },
        error => NoAnswer::Failed(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;

    /// A server whose answer has its name as a pointer to bytes that come after it, as a broken forwarder's may.
    fn garbled() -> SocketAddr {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
        let addr = socket.local_addr().expect("it has one");
        std::thread::spawn(move || {
            let mut query = [0; 4096];
            while let Ok((got, from)) = socket.recv_from(&mut query) {
                let end = 12 + query[12..got].iter().position(|byte| *byte == 0).expect("the end of the name") + 5;
                let mut out = [&query[..2], &[0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0], &query[12..end]].concat();
                out.extend_from_slice(&[0xc0, 12, 0, 15, 0, 1, 0, 0, 0, 60, 0, 4, 0, 10, 0xc0, 0xff]);
                let _ = socket.send_to(&out, from);
            }
        });
        addr
    }

    #[test]
    fn an_answer_that_cannot_be_read_does_not_say_that_there_is_no_such_name() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        for dnssec in [Dnssec::Ignored, Dnssec::ResolverValidates] {
            let names = NameServers::start(&[garbled()], dnssec).expect("it starts");
            let told = runtime.block_on(names.mx("x.test"));
            assert!(matches!(told, Err(NoAnswer::Failed(_))), "{told:?}");
            // What cannot stand in a question is no name.
            for wrong in ["x..test".to_owned(), format!("{}.test", "x".repeat(64)), "x.".repeat(128)] {
                assert_eq!(runtime.block_on(names.mx(&wrong)), Err(NoAnswer::NoName), "{wrong}");
            }
        }
    }
}
