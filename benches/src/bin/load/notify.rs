//! How long a delivery takes to reach a client that waits in IDLE (RFC 2177): from the moment the mail is sent by LMTP to the `EXISTS` on
//! the other connection, while many more connections wait. Counts a delivery only when both the 250 and the EXISTS came.

use crate::deliver::expect;
use crate::idle::open;
use crate::report::Report;
use crate::wire::Wire;
use crate::{Target, cpu};
use clap::Args;
use std::io;
use std::net::SocketAddr;
use std::time::Instant;

#[derive(Args)]
pub struct Options {
    /// `--addr` is the IMAP listener, `--conns` the number of connections in IDLE.
    #[command(flatten)]
    target: Target,
    /// Address of the LMTP listener.
    #[arg(long)]
    lmtp: SocketAddr,
    /// Deliveries, each to the account of another waiting connection.
    #[arg(long)]
    count: usize,
}

/// Opens the connections, delivers, and reports the times.
///
/// # Errors
/// The connections', or any answer but the right one.
pub fn run(options: &Options) -> io::Result<Report> {
    let mut waiting: Vec<Wire> =
        (0..options.target.conns).map(|n| open(&options.target, n)).collect::<io::Result<_>>()?;
    let mut lmtp = Wire::connect(&Target { addr: options.lmtp, tls: false, ..options.target.clone() })?;
    expect(&mut lmtp, "220")?;
    command(&mut lmtp, "LHLO load.test")?;
    let mut report = Report::default();
    let (cpu_before, start) = (cpu::own(), Instant::now());
    for turn in 0..options.count {
        // The first connections have an account each; the later ones wait beside them.
        let at = turn % options.target.accounts.min(waiting.len()).max(1);
        command(&mut lmtp, "MAIL FROM:<sender@load.test>")?;
        command(&mut lmtp, &format!("RCPT TO:<{}>", options.target.account(at)))?;
        lmtp.send(b"DATA\r\n")?;
        expect(&mut lmtp, "354")?;
        let begun = Instant::now();
        lmtp.send(format!("Subject: notify {turn}\r\n\r\nx\r\n.\r\n").as_bytes())?;
        loop {
            let line = waiting[at].line()?;
            if line.ends_with(b" EXISTS") {
                break;
            }
            if !line.starts_with(b"* ") || line.starts_with(b"* BYE") {
                return Err(io::Error::other(String::from_utf8_lossy(&line).into_owned()));
            }
        }
        report.latencies.push(begun.elapsed());
        expect(&mut lmtp, "250")?;
        report.ops += 1;
    }
    report.wall = start.elapsed();
    report.own_cpu = cpu::own().saturating_sub(cpu_before);
    Ok(report)
}

fn command(wire: &mut Wire, text: &str) -> io::Result<()> {
    wire.send(format!("{text}\r\n").as_bytes())?;
    expect(wire, "250")
}
