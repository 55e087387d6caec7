//! From a host name to addresses, within a given time: `/etc/hosts`, then DNS by `/etc/resolv.conf`.
//! Every build does the same, because none asks the C library: musl's and glibc's each fail where
//! the other does not, know no deadline, and a static glibc would load the machine's own modules.
//! docs/install.md tells what that means for `nsswitch.conf`.

#![expect(clippy::disallowed_methods, reason = "the one place for the system's files about names")]

use std::fmt;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver as Interface};
use ureq::unversioned::transport::NextTimeout;
use ureq::{Error, Timeout};

use exchange::Exchange;
use settings::Settings;

mod exchange;
mod message;
mod settings;

/// More than these would leave no time for each (ureq halves it from one to the next).
const MOST_ADDRESSES: usize = 6;

/// Why a name has no address. If there are two reasons, the later one in this list counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Unresolved {
    /// No name server can be reached.
    NoServer,
    /// The name does not exist, or has no address.
    NotFound,
    /// Name servers answer, but only with errors.
    ServersFail,
    /// No name server answered in time.
    Silence,
}

impl fmt::Display for Unresolved {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::NotFound => "the name was not found",
            Self::NoServer => "no name server can be reached",
            Self::ServersFail => "the name servers answer with errors",
            Self::Silence => "no name server answered in time",
        })
    }
}

impl std::error::Error for Unresolved {}

impl From<Unresolved> for Error {
    fn from(reason: Unresolved) -> Self {
        match reason {
            Unresolved::NotFound => Self::HostNotFound,
            Unresolved::Silence => Self::Timeout(Timeout::Resolve),
            Unresolved::NoServer | Unresolved::ServersFail => Self::Other(Box::new(reason)),
        }
    }
}

/// What ureq asks for addresses.
#[derive(Debug)]
pub(crate) struct Resolver;

impl Interface for Resolver {
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
        let mut addresses = self.empty();
        if let Ok(literal) = address.parse::<SocketAddr>() {
            addresses.push(literal);
            return Ok(addresses);
        }
        let (name, port) = address.rsplit_once(':').ok_or(Error::HostNotFound)?;
        let port = port.parse().map_err(|_| Error::HostNotFound)?;
        let found = match local(name) {
            Some(found) => found,
            None => Exchange::new(read_settings(), *timeout.after).look_up(name)?,
        };
        for address in in_order(&found, |address| has_route(SocketAddr::new(*address, port))) {
            addresses.push(SocketAddr::new(address, port));
        }
        if addresses.is_empty() { Err(Error::HostNotFound) } else { Ok(addresses) }
    }
}

/// The addresses of a name that this machine knows by itself. `localhost` never leads elsewhere
/// (RFC 6761, 6.3), because tokens are sent to it in the clear.
fn local(name: &str) -> Option<Vec<IpAddr>> {
    let bare = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    if bare == "localhost" || bare.ends_with(".localhost") {
        return Some(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]);
    }
    let found = settings::in_hosts(&text_of("/etc/hosts"), name);
    (!found.is_empty()).then_some(found)
}

/// A missing file means a name server on this machine, as it does to the C libraries.
fn read_settings() -> Settings {
    Settings::parse(&text_of("/etc/resolv.conf"), |interface| {
        let index = fs::read_to_string(format!("/sys/class/net/{interface}/ifindex")).ok()?;
        index.trim().parse().ok()
    })
}

/// The text of a regular file, else nothing: reading a pipe might never end.
fn text_of(path: &str) -> String {
    let is_file = fs::metadata(path).is_ok_and(|it| it.is_file());
    let bytes = if is_file { fs::read(path).unwrap_or_default() } else { Vec::new() };
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The order in which to connect: families in turn, IPv4 first, and last what this machine has no
/// route to. IPv4 first because many containers have IPv6 addresses that lead nowhere, and trying
/// one of those costs seconds.
fn in_order(addresses: &[IpAddr], has_route: impl Fn(&IpAddr) -> bool) -> Vec<IpAddr> {
    let (near, far): (Vec<IpAddr>, Vec<IpAddr>) = addresses.iter().partition(|it| has_route(it));
    let mut ordered: Vec<_> = in_turn(&near).chain(in_turn(&far)).collect();
    ordered.truncate(MOST_ADDRESSES);
    ordered
}

fn in_turn(addresses: &[IpAddr]) -> impl Iterator<Item = IpAddr> {
    let mut v4 = addresses.iter().copied().filter(IpAddr::is_ipv4);
    let mut v6 = addresses.iter().copied().filter(IpAddr::is_ipv6);
    let count = addresses.len();
    (0..count).flat_map(move |_| [v4.next(), v6.next()]).flatten()
}

/// Whether there is a way to an address. Connecting a UDP socket asks the routing table and sends
/// nothing.
fn has_route(address: SocketAddr) -> bool {
    connected(address).is_ok()
}

/// A socket at a random port for one peer, so that only that one can answer, and its refusal is an
/// error.
fn connected(peer: SocketAddr) -> std::io::Result<UdpSocket> {
    let unspecified: IpAddr = match peer {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((unspecified, 0))?;
    socket.connect(peer)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn families_take_turns_and_ipv4_is_first() {
        let found = addresses(&["::1", "::2", "::3", "10.0.0.1", "10.0.0.2"]);
        let order = addresses(&["10.0.0.1", "::1", "10.0.0.2", "::2", "::3"]);
        assert_eq!(in_order(&found, |_| true), order);
        assert_eq!(in_order(&found, |_| false), order, "without any route all are tried");
    }

    #[test]
    fn an_address_without_a_route_is_last() {
        let found = addresses(&["10.0.0.1", "::1"]);
        assert_eq!(in_order(&found, IpAddr::is_ipv6), addresses(&["::1", "10.0.0.1"]));
    }

    #[test]
    fn only_the_first_addresses_are_tried() {
        let many: Vec<IpAddr> = (0..50).map(|last| Ipv4Addr::new(10, 0, 0, last).into()).collect();
        assert_eq!(in_order(&many, |_| true), many[..MOST_ADDRESSES]);
    }

    #[test]
    fn localhost_is_known_without_a_file_and_without_a_server() {
        assert!(local("localhost").is_some_and(|found| found.iter().all(IpAddr::is_loopback)));
        let anyone = addresses(&["127.0.0.1", "::1"]);
        assert_eq!(local("worker-1.LocalHost."), Some(anyone));
        assert_eq!(local("localhost.example"), None);
        assert_eq!(local("notlocalhost"), None);
    }
}
