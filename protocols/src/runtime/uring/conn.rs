//! One connection as the ring sees it: the socket, what came in and is not read yet, what is going out. It outlives its session until
//! the kernel has completed every operation on it.

use std::io;
use std::net::TcpStream;
use std::task::Waker;

use socket2::SockAddr;

/// The slot of one connection.
pub(super) struct Conn {
    pub(super) socket: TcpStream,
    /// Where it is being connected to; the kernel may read it.
    pub(super) connecting: Option<Box<SockAddr>>,
    /// How connecting ended, until the task hears it.
    pub(super) connected: Option<io::Result<()>>,
    /// Received, not yet taken by the session.
    pub(super) inbox: Vec<u8>,
    pub(super) receiving: Receiving,
    /// Nothing more will come in.
    pub(super) ended: Option<Ended>,
    pub(super) recv_waker: Option<Waker>,
    pub(super) sending: Option<Sending>,
    /// The outcome of the last send, with its emptied buffer, until the session hears it.
    pub(super) sent: Option<io::Result<Vec<u8>>>,
    pub(super) send_waker: Option<Waker>,
    pub(super) sent_bytes: u64,
    /// The session is gone.
    pub(super) orphaned: bool,
}

/// Whether a receive is with the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Receiving {
    No,
    Armed,
    /// A cancel is under way; the last completion is still to come.
    Ending,
}

/// How receiving ended.
pub(super) enum Ended {
    Closed,
    /// Told to the session once; after that the connection counts as closed.
    Failed(io::Error),
}

/// Bytes on their way out; the kernel may read them.
pub(super) struct Sending {
    pub(super) bytes: Vec<u8>,
    pub(super) done: usize,
}

impl Conn {
    pub(super) fn new(socket: TcpStream) -> Conn {
        Conn {
            socket,
            connecting: None,
            connected: None,
            inbox: Vec::new(),
            receiving: Receiving::No,
            ended: None,
            recv_waker: None,
            sending: None,
            sent: None,
            send_waker: None,
            sent_bytes: 0,
            orphaned: false,
        }
    }

    /// Whether the kernel still has an operation on this connection.
    pub(super) fn in_flight(&self) -> bool {
        self.receiving != Receiving::No || self.sending.is_some() || self.connecting.is_some()
    }
}
