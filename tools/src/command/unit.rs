//! unit: a systemd unit for this program with this configuration, with as few rights as it needs (docs/operations.md). Writes no file and asks
//! systemd nothing.
use super::show::Show;
use super::{End, Trouble};
use crate::config::Config;
use crate::limits::files_wanted;
use crate::ops::{Failure, Kind};
use std::path::{Path, PathBuf};

const UNIT: &str = include_str!("posthouse.service");
/// Seconds after the sessions' grace in which the store is closed.
const CLOSE_SECONDS: u64 = 60;
/// What ProtectHome hides (systemd.exec(5)).
const HOMES: [&str; 3] = ["/home", concat!("/", "root"), "/run/user"];
/// Ports below need a capability.
const FREE_PORTS_FROM: u16 = 1024;

/// What the unit is made of.
struct Facts<'a> {
    program: PathBuf,
    config_file: Option<PathBuf>,
    data: PathBuf,
    user: &'a str,
    config: &'a Config,
}

/// On standard output. `user` goes before the configuration's.
pub(super) fn print(
    config_file: Option<&Path>,
    data: &Path,
    config: &Config,
    user: Option<&str>,
    show: Show,
) -> Result<End, Trouble> {
    let absolute =
        |path: &Path| std::path::absolute(path).map_err(|error| Failure::io("the current directory", &error));
    let program = std::env::current_exe().map_err(|error| Failure::io("this program's own path", &error))?;
    let config_file = config_file.map(absolute).transpose()?;
    let configured = Some(config.user.as_str()).filter(|user| !user.is_empty());
    let user = user.or(configured).unwrap_or("posthouse");
    show.text(unit(&Facts { program, config_file, data: absolute(data)?, user, config })?.trim_end());
    Ok(End::Done)
}

fn unit(facts: &Facts<'_>) -> Result<String, Failure> {
    let data = word(&facts.data)?;
    let mut arguments = format!(" --data {data}");
    if let Some(file) = &facts.config_file {
        arguments = format!(" --config {}{arguments}", word(file)?);
    }
    let below = |folder: &str| facts.data.starts_with(folder);
    let limits = &facts.config.limits;
    let values = [
        ("@USER@", word(Path::new(facts.user))?),
        ("@PROGRAM@", word(&facts.program)?),
        ("@ARGUMENTS@", arguments),
        ("@STOP_SECONDS@", (u64::from(limits.stop_grace_seconds) + CLOSE_SECONDS).to_string()),
        ("@FILES@", files_wanted(limits.connections_max, facts.config.filters()).to_string()),
        ("@STORE@", store(&facts.data, &data)),
        ("@CAPABILITIES@", capabilities(facts.config).to_owned()),
        ("@HOME@", if HOMES.into_iter().any(below) { "no" } else { "yes" }.to_owned()),
    ];
    Ok(values.into_iter().fold(UNIT.to_owned(), |unit, (mark, value)| unit.replace(mark, &value)))
}

/// A path as one word of a unit: what systemd would read as more than that is refused.
fn word(path: &Path) -> Result<String, Failure> {
    let fits = |c: char| !c.is_control() && !c.is_whitespace() && !"%$\"'\\;".contains(c);
    match path.to_str().filter(|text| !text.is_empty() && text.chars().all(fits)) {
        Some(text) => Ok(text.to_owned()),
        None => Err(Failure::new(
            Kind::Refused,
            format!(
                "{:?} cannot stand in a unit; allowed: no white space, quotes, %, $, ; or \\",
                path.display().to_string()
            ),
        )),
    }
}

/// Below /var/lib systemd makes the directory and gives it to the user; elsewhere it must be there.
fn store(data: &Path, word: &str) -> String {
    match data.strip_prefix("/var/lib").ok().and_then(Path::to_str).filter(|name| !name.is_empty()) {
        Some(name) => format!("StateDirectory={name}\nStateDirectoryMode=0700"),
        None => format!("ReadWritePaths={word}"),
    }
}

fn capabilities(config: &Config) -> &'static str {
    let low = |port: u16| port != 0 && port < FREE_PORTS_FROM;
    let any = config.listen.all().into_iter().any(|(_, all)| all.iter().any(|address| low(address.0.port())));
    match any {
        true => "AmbientCapabilities=CAP_NET_BIND_SERVICE\nCapabilityBoundingSet=CAP_NET_BIND_SERVICE",
        false => "CapabilityBoundingSet=",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(config: &Config, data: &str) -> Result<String, Failure> {
        let (program, config_file) = ("/usr/local/bin/posthouse".into(), Some("/etc/posthouse.toml".into()));
        unit(&Facts { program, config_file, data: data.into(), user: "posthouse", config })
    }

    #[test]
    fn it_says_what_this_configuration_needs() {
        let mut config = Config::default();
        let unit = made(&config, "/var/lib/posthouse").expect("a unit");
        for line in [
            "ExecStart=/usr/local/bin/posthouse serve --config /etc/posthouse.toml --data /var/lib/posthouse\n",
            "LimitNOFILE=20512\n",
            "StateDirectory=posthouse\nStateDirectoryMode=0700\n\nCapabilityBoundingSet=\n",
            "ProtectHome=yes\n",
            "SystemCallFilter=@system-service io_uring_setup io_uring_enter io_uring_register\n",
        ] {
            assert!(unit.contains(line), "{line:?} in {unit}");
        }
        let marks = unit.lines().filter(|line| !line.starts_with("SystemCallFilter")).any(|line| line.contains('@'));
        assert!(!marks, "{unit}");
        config.listen.smtp[0].0.set_port(25);
        config.limits.connections_max = 100;
        config.rspamd = Config::parse("", "[rspamd]\naddress = '[::1]:11333'").expect("allowed").rspamd;
        let unit = made(&config, "/home/mail").expect("a unit");
        for line in [
            "LimitNOFILE=712\n",
            "ReadWritePaths=/home/mail\n\nAmbientCapabilities=CAP_NET_BIND_SERVICE\nCapabilityBoundingSet=CAP_NET_BIND_SERVICE\n",
            "ProtectHome=no\n",
        ] {
            assert!(unit.contains(line), "{line:?} in {unit}");
        }
    }

    #[test]
    fn a_path_that_would_be_two_words_is_refused() {
        for data in ["/srv/my mail", "/srv/100%", "/srv/a\nExecStartPre=/bin/x", "/srv/$HOME"] {
            let failure = made(&Config::default(), data).expect_err(data);
            assert!(failure.text.contains("cannot stand in a unit"), "{}", failure.text);
        }
    }
}
