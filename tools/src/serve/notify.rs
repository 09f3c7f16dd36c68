//! Tells systemd what we are at (sd_notify(3)): one datagram to the socket named in NOTIFY_SOCKET. Without systemd it does nothing.
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// Sends a state such as `READY=1`.
pub(super) fn tell(state: &str) {
    if let Some(socket) = std::env::var_os("NOTIFY_SOCKET")
        && let Err(error) = send(socket.as_bytes(), state)
    {
        tracing::warn!(%error, "systemd could not be told: {state}");
    }
}

fn send(socket: &[u8], state: &str) -> std::io::Result<()> {
    let address = match socket.strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(std::ffi::OsStr::from_bytes(socket))?,
    };
    UnixDatagram::unbound()?.send_to_addr(state.as_bytes(), &address)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn systemd_hears_it_by_path_and_by_abstract_name() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("notify");
        let socket = UnixDatagram::bind(&path).expect("bound");
        send(path.as_os_str().as_bytes(), "READY=1").expect("sent");
        let name = format!("@posthouse-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name[1..]).expect("a name");
        let hidden = UnixDatagram::bind_addr(&address).expect("bound");
        send(name.as_bytes(), "STOPPING=1").expect("sent");
        for (socket, told) in [(socket, "READY=1"), (hidden, "STOPPING=1")] {
            let mut buffer = [0; 64];
            let got = socket.recv(&mut buffer).expect("a datagram");
            assert_eq!(&buffer[..got], told.as_bytes());
        }
    }
}
