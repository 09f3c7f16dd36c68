//! What the ring's reactor does for the tasks on it: connections to elsewhere, tasks beside them. It decides nothing.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::rc::Rc;
use std::task::Poll;

use super::connect;
use super::driver::Driver;
use super::transport::RingTransport;
use crate::runtime::outgoing::{self, Connecting, Outside};
use crate::runtime::{SessionFuture, Transport};

/// See above.
pub(super) struct RingOutside {
    pub(super) driver: Rc<RefCell<Driver>>,
    /// Tasks that the reactor is to take up.
    pub(super) spawned: Rc<RefCell<Vec<SessionFuture>>>,
}

impl Outside for RingOutside {
    fn connect(&self, to: SocketAddr, from: Option<IpAddr>) -> Connecting {
        let driver = self.driver.clone();
        Box::pin(async move {
            let socket = outgoing::socket(to, from)?;
            // From here on the transport owns the slot: dropping it gives the attempt up.
            let transport = RingTransport::connecting(driver.clone(), socket.into(), to);
            let slot = transport.slot();
            poll_fn(|cx| {
                let conn = &mut driver.borrow_mut().conns[slot];
                match conn.connected.take() {
                    Some(outcome) => Poll::Ready(outcome),
                    None => {
                        conn.send_waker = Some(cx.waker().clone());
                        Poll::Pending
                    }
                }
            })
            .await?;
            let local = driver.borrow().conns[slot].socket.local_addr()?;
            Ok::<_, io::Error>((Box::new(transport) as Box<dyn Transport>, local))
        })
    }

    fn adopt(&self, socket: TcpStream) -> io::Result<Box<dyn Transport>> {
        let slot = self.driver.borrow_mut().adopt(socket);
        Ok(Box::new(RingTransport::new(self.driver.clone(), slot)))
    }

    fn spawn(&self, future: SessionFuture) {
        self.spawned.borrow_mut().push(future);
    }
}

impl RingTransport {
    /// A transport whose socket is being connected.
    fn connecting(driver: Rc<RefCell<Driver>>, socket: TcpStream, to: SocketAddr) -> RingTransport {
        let mut all = driver.borrow_mut();
        let slot = all.adopt(socket);
        let Driver { ring, conns, .. } = &mut *all;
        connect::start(ring, slot, &mut conns[slot], to.into());
        drop(all);
        RingTransport::new(driver, slot)
    }
}
