//! Name lookup that cannot hang the process and cannot panic it: literal addresses need no
//! thread, and a thread that the machine refuses to start is an error like any other.

use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;
use ureq::{Error, Timeout};

/// The system's name resolution, on a thread of its own because it knows no timeout.
#[derive(Debug)]
pub(super) struct Lookup;

impl Resolver for Lookup {
    fn resolve(
        &self,
        uri: &Uri,
        _config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        let scheme = uri.scheme().ok_or(Error::HostNotFound)?;
        let authority = uri.authority().ok_or(Error::HostNotFound)?;
        let address =
            DefaultResolver::host_and_port(scheme, authority).ok_or(Error::HostNotFound)?;
        let found = match address.parse::<SocketAddr>() {
            Ok(literal) => vec![literal],
            Err(_) => look_up(address, timeout)?,
        };
        let mut addresses = self.empty();
        // As many as ureq's fixed list holds.
        for address in found.into_iter().take(16) {
            addresses.push(address);
        }
        if addresses.is_empty() { Err(Error::HostNotFound) } else { Ok(addresses) }
    }
}

fn look_up(address: String, timeout: NextTimeout) -> Result<Vec<SocketAddr>, Error> {
    let (sender, receiver) = sync_channel(1);
    let lookup = move || {
        let found = address.to_socket_addrs().map(Iterator::collect::<Vec<_>>);
        // The receiver is gone once its time is up.
        let _ = sender.send(found);
    };
    thread::Builder::new().spawn(lookup).map_err(Error::Io)?;
    match receiver.recv_timeout(*timeout.after) {
        // The system's error says no more than that the name was not found.
        Ok(found) => found.map_err(|_| Error::HostNotFound),
        Err(RecvTimeoutError::Timeout) => Err(Error::Timeout(Timeout::Resolve)),
        Err(RecvTimeoutError::Disconnected) => Err(Error::HostNotFound),
    }
}
