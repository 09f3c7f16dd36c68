//! How single values of the configuration are written and refused. Knows no key.
use posthouse_engine::directory::Network;
use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

/// Declares an enum whose values are words, with the error that lists them.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)+
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let word = String::deserialize(deserializer)?;
                match word.as_str() {
                    $($word => Ok($name::$variant),)+
                    _ => Err($crate::config::values::refused(&word, &[$($word),+].join(", "))),
                }
            }
        }
    };
}
pub(super) use words;

/// The one form of "this value may not be here".
pub(super) fn refused<E: de::Error>(value: &str, allowed: &str) -> E {
    E::custom(format!("{value:?} is not allowed; allowed: {allowed}"))
}

/// A number, or `auto` for what the machine suggests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Count {
    /// Taken from the machine.
    #[default]
    Auto,
    /// As written.
    Is(u32),
}

impl Count {
    /// The number, or `auto` when none is given.
    pub fn or(self, auto: usize) -> usize {
        match self {
            Count::Auto => auto,
            Count::Is(number) => number as usize,
        }
    }
}

struct CountVisitor;

impl Visitor<'_> for CountVisitor {
    type Value = Count;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"auto\" or a whole number")
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Count, E> {
        let number = u32::try_from(number);
        number.map(Count::Is).map_err(|_| E::custom("not allowed; allowed: auto or a whole number from 1"))
    }

    fn visit_str<E: de::Error>(self, word: &str) -> Result<Count, E> {
        if word == "auto" { Ok(Count::Auto) } else { Err(refused(word, "auto or a whole number")) }
    }
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Count, D::Error> {
        deserializer.deserialize_any(CountVisitor)
    }
}

/// An IP address and a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Address(pub SocketAddr);

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Address, D::Error> {
        let text = String::deserialize(deserializer)?;
        let allowed = "an IP address and a port, as in 127.0.0.1:2143 or [::1]:2143";
        text.parse().map(Address).map_err(|_| refused(&text, allowed))
    }
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

/// An IP address and a port, or the path of a Unix socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Socket {
    /// By TCP.
    Tcp(SocketAddr),
    /// On this machine.
    Unix(PathBuf),
}

impl<'de> Deserialize<'de> for Socket {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Socket, D::Error> {
        let text = String::deserialize(deserializer)?;
        let allowed = "an IP address and a port, as in 127.0.0.1:8891, or a Unix socket's whole path, as in unix:/run/milter.sock";
        match text.strip_prefix("unix:") {
            // The kernel takes no longer one.
            Some(path) if path.starts_with('/') && path.len() < 108 => Ok(Socket::Unix(path.into())),
            Some(_) => Err(refused(&text, allowed)),
            None => text.parse().map(Socket::Tcp).map_err(|_| refused(&text, allowed)),
        }
    }
}

/// The addresses that begin alike; one address is a network, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Net(pub Network);

impl<'de> Deserialize<'de> for Net {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Net, D::Error> {
        let text = String::deserialize(deserializer)?;
        let network = text.parse().or_else(|_| text.parse::<IpAddr>().map(Network::from));
        let allowed = "an IP address or a network, as in 192.0.2.1, 10.0.0.0/8 or 2001:db8::/32";
        network.map(Net).map_err(|_| refused(&text, allowed))
    }
}

/// An IP address, or none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ip(pub Option<IpAddr>);

impl<'de> Deserialize<'de> for Ip {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Ip, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.is_empty() {
            return Ok(Ip(None));
        }
        text.parse().map(|ip| Ip(Some(ip))).map_err(|_| refused(&text, "an IP address, or \"\""))
    }
}

/// A host and a port, or none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place(pub Option<(String, u16)>);

impl<'de> Deserialize<'de> for Place {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Place, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.is_empty() {
            return Ok(Place(None));
        }
        let place = text.rsplit_once(':').and_then(|(host, port)| {
            let port: u16 = port.parse().ok().filter(|port| *port > 0)?;
            let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
            let is_host = host.parse::<IpAddr>().is_ok() || super::check::valid_hostname(host);
            is_host.then(|| Place(Some((host.to_owned(), port))))
        });
        place.ok_or_else(|| refused(&text, "a host and a port, as in smtp.example.net:587 or [2001:db8::1]:25"))
    }
}
