//! The open connections of HTTP/2. A stop of the server lets every request end, but knows no end of a connection that its
//! client keeps: this module closes those that are not in use.

use actix_tls::accept::rustls_0_23::TlsStream;
use actix_web::dev::{Extensions, ServiceRequest};
use actix_web::rt::net::TcpStream;
use actix_web::rt::time::sleep;
use std::any::Any;
use std::collections::HashMap;
use std::net::{Shutdown, TcpStream as Socket};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How long a connection is without a request before it is closed: what was answered is on its way by then.
const PAUSE: Duration = Duration::from_millis(200);

/// All of them.
#[derive(Default)]
pub struct Connections {
    open: Mutex<HashMap<u64, Arc<Connection>>>,
    next: AtomicU64,
}

/// One of them.
struct Connection {
    /// The same socket as the server's.
    socket: Socket,
    /// Requests that are not answered yet.
    under_way: AtomicUsize,
    /// Requests so far.
    begun: AtomicU64,
}

/// What a connection carries with it. It is over when this is dropped.
struct Entry {
    all: Arc<Connections>,
    id: u64,
    connection: Arc<Connection>,
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.all.open.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
}

/// A request under way, until this is dropped.
pub struct UnderWay(Arc<Connection>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Counts a request, if it has come over HTTP/2.
pub fn begin(req: &ServiceRequest) -> Option<UnderWay> {
    let connection = req.conn_data::<Entry>()?.connection.clone();
    connection.under_way.fetch_add(1, Ordering::AcqRel);
    connection.begun.fetch_add(1, Ordering::AcqRel);
    Some(UnderWay(connection))
}

impl Connections {
    /// Remembers a new connection, if it is one of HTTP/2.
    pub fn add(self: &Arc<Self>, connection: &dyn Any, data: &mut Extensions) {
        let Some((stream, session)) = connection.downcast_ref::<TlsStream<TcpStream>>().map(|s| s.get_ref()) else { return };
        if session.alpn_protocol() != Some(b"h2") {
            return;
        }
        // Without a second handle to the socket, a stop waits for its client.
        let Ok(socket) = stream.as_fd().try_clone_to_owned() else { return };
        let connection = Arc::new(Connection { socket: socket.into(), under_way: AtomicUsize::new(0), begun: AtomicU64::new(0) });
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        self.open.lock().unwrap_or_else(PoisonError::into_inner).insert(id, connection.clone());
        data.insert(Entry { all: self.clone(), id, connection });
    }

    /// Closes every connection as soon as it is idle, without an end.
    pub async fn close_idle(self: Arc<Self>) {
        loop {
            let idle = self.idle();
            sleep(PAUSE).await;
            for (connection, begun) in idle {
                if connection.is_idle() && connection.begun.load(Ordering::Acquire) == begun {
                    // The client may have been faster.
                    drop(connection.socket.shutdown(Shutdown::Both));
                }
            }
        }
    }

    /// The connections without a request, each with the number of those that it had.
    fn idle(&self) -> Vec<(Arc<Connection>, u64)> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.values().filter(|c| c.is_idle()).map(|c| (c.clone(), c.begun.load(Ordering::Acquire))).collect()
    }
}

impl Connection {
    fn is_idle(&self) -> bool {
        self.under_way.load(Ordering::Acquire) == 0
    }
}
