//! A listener on loopback with a thread for each connection. Owns the port, which can be closed and
//! opened again and is nobody else's meanwhile, so that "the worker is down" means a refused
//! connection. Refuses to look at what is said on a connection, and to cut off one that was accepted.

use std::io::ErrorKind;
use std::iter;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use rustix::net::{Shutdown, listen, shutdown};

/// Enough for the largest herd of the tests.
const BACKLOG: i32 = 512;

type Serve = dyn Fn(TcpStream) + Send + Sync;

/// Dropped, it refuses connections.
pub struct Server {
    listener: TcpListener,
    port: u16,
    serve: Arc<Serve>,
}

impl Server {
    pub fn start(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> Self {
        // By its number: a port that the kernel chose is given up when listening ends.
        let any = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr();
        let mut bound = iter::repeat_with(|| any().and_then(TcpListener::bind));
        let listener = bound.find_map(Result::ok).expect("it tries for ever");
        let port = listener.local_addr().expect("a bound socket has an address").port();
        let server = Self { listener, port, serve: Arc::new(serve) };
        server.open();
        server
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn open(&self) {
        listen(&self.listener, BACKLOG).expect("a bound socket can listen");
        let listener = self.listener.try_clone().expect("a socket can have two handles");
        let serve = Arc::clone(&self.serve);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let serve = Arc::clone(&serve);
                match stream {
                    Ok(stream) => drop(thread::spawn(move || serve(stream))),
                    Err(error) if error.kind() == ErrorKind::InvalidInput => break,
                    // A visitor that has left already.
                    Err(_) => {}
                }
            }
        });
    }

    /// Ends listening for all who hold the socket, as a child may that another thread has just
    /// forked. The port stays bound.
    pub fn close(&self) {
        let _ = shutdown(&self.listener, Shutdown::Both);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.close();
    }
}
