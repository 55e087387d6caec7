//! A listener on loopback with a thread for each connection. Owns the port, which can be really
//! closed and opened again, so that "the worker is down" means a refused connection. Refuses to
//! look at what is said on a connection, and to cut off one that was accepted.

use std::net::{Ipv4Addr, Shutdown, SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, socket_with, sockopt};

const REBINDING: Duration = Duration::from_secs(10);

/// Dropped, it refuses connections.
pub struct Server {
    address: SocketAddr,
    /// A second handle on the acceptor's socket.
    listener: Option<TcpListener>,
    closing: Arc<AtomicBool>,
    acceptor: Option<JoinHandle<()>>,
}

impl Server {
    /// Port 0 means any.
    pub fn start(port: u16, serve: impl Fn(TcpStream) + Send + Sync + 'static) -> Self {
        let listener = listen(port);
        let address = listener.local_addr().expect("a bound socket has an address");
        let handle = listener.try_clone().expect("a socket can have two handles");
        let closing = Arc::new(AtomicBool::new(false));
        let told_to_close = Arc::clone(&closing);
        let serve = Arc::new(serve);
        let acceptor = thread::spawn(move || {
            for stream in listener.incoming() {
                if told_to_close.load(Ordering::SeqCst) {
                    break;
                }
                let serve = Arc::clone(&serve);
                if let Ok(stream) = stream {
                    thread::spawn(move || serve(stream));
                }
            }
        });
        Self { address, listener: Some(handle), closing, acceptor: Some(acceptor) }
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.closing.store(true, Ordering::SeqCst);
        // Closing is not enough: a child that another thread has forked but that did not yet become
        // its program holds the socket too, and would keep it listening for a moment. Shutting down
        // ends that for all, and std offers it for streams only.
        if let Some(listener) = self.listener.take() {
            let _ = TcpStream::from(OwnedFd::from(listener)).shutdown(Shutdown::Both);
        }
        // Where shutting down a listener does not wake its acceptor, a visitor does.
        let _ = TcpStream::connect(self.address);
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
    }
}

/// A port that nobody listens on, and that nobody else is given meanwhile.
pub struct Reserved {
    _socket: OwnedFd,
}

impl Reserved {
    pub fn new(port: u16) -> Self {
        let deadline = Instant::now() + REBINDING;
        let (family, kind) = (AddressFamily::INET, SocketType::STREAM);
        let socket = socket_with(family, kind, SocketFlags::CLOEXEC, None).expect("a socket");
        // Without reuse, connections that have just ended would keep the port.
        sockopt::set_socket_reuseaddr(&socket, true).expect("a socket");
        while let Err(error) = bind(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)) {
            assert!(Instant::now() < deadline, "port {port}: {error}");
            thread::sleep(Duration::from_millis(20));
        }
        sockopt::set_socket_reuseaddr(&socket, false).expect("a socket");
        Self { _socket: socket }
    }
}

/// std asks for address reuse, and for a backlog of at least 128 connections. A port that was
/// ours may still be some client's for a moment, hence the patience.
fn listen(port: u16) -> TcpListener {
    let deadline = Instant::now() + REBINDING;
    loop {
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            Ok(listener) => return listener,
            Err(error) if Instant::now() > deadline => panic!("port {port}: {error}"),
            Err(_) => thread::sleep(Duration::from_millis(20)),
        }
    }
}
