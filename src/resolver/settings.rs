//! What `/etc/resolv.conf` and `/etc/hosts` say. Pure; lines and words that are not understood are
//! passed over, as resolv.conf(5) has it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

/// As in the C libraries (MAXNS).
const MOST_SERVERS: usize = 3;
/// As many as Kubernetes allows.
const MOST_DOMAINS: usize = 32;
const MOST_NDOTS: usize = 15;
const PORT: u16 = 53;

/// Whom to ask for a name, and under which names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Settings {
    /// In the order in which they are asked.
    pub(super) servers: Vec<SocketAddr>,
    search: Vec<String>,
    /// A name with as many dots is tried as it is before the search list.
    ndots: usize,
}

impl Settings {
    /// Reads `/etc/resolv.conf`. `index_of` tells the number of a network interface, which a
    /// link-local address needs.
    pub(super) fn parse(text: &str, index_of: impl Fn(&str) -> Option<u32>) -> Self {
        let mut settings = Self { servers: Vec::new(), search: Vec::new(), ndots: 1 };
        for line in text.lines().filter(|line| !line.starts_with(['#', ';'])) {
            let mut words = line.split_ascii_whitespace();
            match words.next() {
                Some("nameserver") => {
                    let server = words.next().and_then(|word| server(word, &index_of));
                    settings.servers.extend(server);
                }
                // The last one counts.
                Some("search" | "domain") => {
                    let domains = words.map(|word| word.trim_matches('.').to_owned());
                    let domains = domains.filter(|domain| !domain.is_empty());
                    settings.search = domains.take(MOST_DOMAINS).collect();
                }
                Some("options") => {
                    let dots = words.filter_map(|word| word.strip_prefix("ndots:")?.parse().ok());
                    dots.for_each(|dots: usize| settings.ndots = dots.min(MOST_NDOTS));
                }
                _ => {}
            }
        }
        settings.servers.truncate(MOST_SERVERS);
        if settings.servers.is_empty() {
            settings.servers.push((Ipv4Addr::LOCALHOST, PORT).into());
        }
        settings
    }

    /// The names to ask for, in order. A name that was not found as it is may still be one below
    /// a search domain, and the other way round.
    pub(super) fn candidates(&self, name: &str) -> Vec<String> {
        if let Some(absolute) = name.strip_suffix('.') {
            return vec![absolute.to_owned()];
        }
        let mut names: Vec<_> =
            self.search.iter().map(|domain| format!("{name}.{domain}")).collect();
        let has_enough_dots = name.matches('.').count() >= self.ndots;
        names.insert(if has_enough_dots { 0 } else { names.len() }, name.to_owned());
        names
    }
}

fn server(word: &str, index_of: impl Fn(&str) -> Option<u32>) -> Option<SocketAddr> {
    let Some((address, zone)) = word.split_once('%') else {
        return Some((word.parse::<IpAddr>().ok()?, PORT).into());
    };
    let address: Ipv6Addr = address.parse().ok()?;
    // It becomes part of a path.
    let index = zone.parse().ok().or_else(|| (!zone.contains('/')).then(|| index_of(zone))?)?;
    Some(SocketAddrV6::new(address, PORT, 0, index).into())
}

/// The addresses of a name in the text of `/etc/hosts`.
pub(super) fn in_hosts(text: &str, name: &str) -> Vec<IpAddr> {
    let name = name.strip_suffix('.').unwrap_or(name);
    let addresses_in = |line: &str| {
        let line = line.split('#').next()?;
        let mut words = line.split_ascii_whitespace();
        let address = words.next()?;
        if words.any(|word| word.eq_ignore_ascii_case(name)) { address.parse().ok() } else { None }
    };
    text.lines().filter_map(addresses_in).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Settings {
        Settings::parse(text, |interface| (interface == "eth0").then_some(7))
    }

    fn servers(text: &str) -> Vec<String> {
        parse(text).servers.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn servers_are_asked_in_the_order_of_the_file() {
        let text = "# nameserver 10.0.0.9\nnameserver 10.0.0.2\nnameserver\t::1 \nnonsense\n\
                    nameserver worker\nnameserver 10.0.0.1\nnameserver 10.0.0.4\n";
        assert_eq!(servers(text), ["10.0.0.2:53", "[::1]:53", "10.0.0.1:53"]);
    }

    #[test]
    fn without_a_server_it_is_this_machine() {
        for text in ["", "search example\n", "nameserver\n", "; nameserver 10.0.0.1"] {
            assert_eq!(servers(text), ["127.0.0.1:53"], "{text}");
        }
    }

    #[test]
    fn a_link_local_server_is_reached_through_its_interface() {
        assert_eq!(servers("nameserver fe80::1%eth0"), ["[fe80::1%7]:53"]);
        assert_eq!(servers("nameserver fe80::1%3"), ["[fe80::1%3]:53"]);
        let unusable = "nameserver fe80::1%eth9\nnameserver fe80::1%../eth0\nnameserver 1.1.1.1%3";
        assert_eq!(servers(unusable), ["127.0.0.1:53"]);
    }

    #[test]
    fn dots_decide_whether_the_name_as_it_is_comes_first() {
        let settings = parse("search a.example b.example.\n");
        assert_eq!(settings.candidates("w"), ["w.a.example", "w.b.example", "w"]);
        assert_eq!(settings.candidates("w.x"), ["w.x", "w.x.a.example", "w.x.b.example"]);
        assert_eq!(settings.candidates("w."), ["w"]);
        let settings = parse("domain one\nsearch two\noptions rotate ndots:2 timeout:1\n");
        assert_eq!(settings.candidates("w.x"), ["w.x.two", "w.x"]);
        assert_eq!(parse("options ndots:999").ndots, MOST_NDOTS);
        assert_eq!(parse("search .\noptions ndots:x").candidates("w"), ["w"]);
    }

    #[test]
    fn hosts_are_found_by_any_of_their_names() {
        let text = "127.0.0.1 localhost\n::1 localhost ip6-localhost\n\
                    10.0.0.1\tworker.example Worker # other\nnonsense worker\n#10.0.0.2 worker\n";
        let found = |name| in_hosts(text, name).iter().map(IpAddr::to_string).collect::<Vec<_>>();
        assert_eq!(found("localhost"), ["127.0.0.1", "::1"]);
        assert_eq!(found("WORKER.example."), ["10.0.0.1"]);
        assert_eq!(found("worker"), ["10.0.0.1"]);
        assert!(found("other").is_empty() && found("10.0.0.1").is_empty() && found("").is_empty());
    }
}
