//! A name server that says what a test has it say. Owns the wire form of questions and answers
//! (RFC 1035); refuses to know any name.

use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::sync::{Arc, Mutex};
use std::thread;

use super::lock;
use Reply::{Addresses, Code, Silence, Truncated};

/// What a name server was asked.
pub struct Asked<'a> {
    pub name: &'a str,
    pub is_v6: bool,
    pub is_tcp: bool,
}

#[derive(Clone)]
pub enum Reply {
    Addresses(Vec<IpAddr>),
    /// With no address and this code.
    Code(u8),
    /// Cut off before the first address.
    Truncated,
    Silence,
}

pub fn here() -> Reply {
    Addresses(vec![Ipv4Addr::LOCALHOST.into()])
}

/// Every question so far, as `name A` or `name AAAA`.
pub type Questions = Arc<Mutex<Vec<String>>>;

/// A name server on loopback for as long as the test runs, over UDP and TCP.
pub fn name_server(
    address: &str,
    reply: impl Fn(&Asked<'_>) -> Reply + Send + Sync + 'static,
) -> Questions {
    let place = SocketAddr::new(address.parse().expect("an address"), 53);
    let udp = UdpSocket::bind(place).expect("nobody else is in this network");
    let tcp = TcpListener::bind(place).expect("nobody else is in this network");
    let questions = Questions::default();
    let notes = Arc::clone(&questions);
    let answer = move |query: &[u8], is_tcp| {
        let (question, name) = question(query);
        let is_v6 = question.ends_with(&[0, 28, 0, 1]);
        let kind = if is_v6 { "AAAA" } else { "A" };
        lock(&notes).push(format!("{name} {kind}"));
        message(query, question, &reply(&Asked { name: &name, is_v6, is_tcp }))
    };
    let answer = Arc::new(answer);
    let also = Arc::clone(&answer);
    thread::spawn(move || {
        let mut buffer = [0; 512];
        while let Ok((length, client)) = udp.recv_from(&mut buffer) {
            let (query, answer) = (buffer[..length].to_vec(), Arc::clone(&answer));
            let socket = udp.try_clone().expect("a socket can have two handles");
            // One that is late must not keep the others waiting.
            thread::spawn(move || {
                if let Some(message) = answer(&query, false) {
                    let _ = socket.send_to(&message, client);
                }
            });
        }
    });
    thread::spawn(move || {
        for mut stream in tcp.incoming().flatten() {
            let mut deal = || -> io::Result<()> {
                let mut length = [0; 2];
                stream.read_exact(&mut length)?;
                let mut query = vec![0; u16::from_be_bytes(length).into()];
                stream.read_exact(&mut query)?;
                let message = also(&query, true).unwrap_or_default();
                let length = u16::try_from(message.len()).map_err(io::Error::other)?;
                stream.write_all(&[&length.to_be_bytes(), &*message].concat())
            };
            let _ = deal();
        }
    });
    questions
}

/// The question of a query as it is, and the name in it.
fn question(query: &[u8]) -> (&[u8], String) {
    let (mut labels, mut at) = (Vec::new(), 12);
    while query[at] != 0 {
        let end = at + 1 + usize::from(query[at]);
        labels.push(String::from_utf8_lossy(&query[at + 1..end]).into_owned());
        at = end;
    }
    (&query[12..at + 5], labels.join("."))
}

fn message(query: &[u8], question: &[u8], reply: &Reply) -> Option<Vec<u8>> {
    let is_v6 = question.ends_with(&[0, 28, 0, 1]);
    let (flags, addresses) = match reply {
        Silence => return None,
        Addresses(addresses) => ([0x81, 0x80], &addresses[..]),
        Code(code) => ([0x81, 0x80 | code], &[][..]),
        Truncated => ([0x83, 0x80], &[][..]),
    };
    let of_family = addresses.iter().filter(|address| address.is_ipv6() == is_v6);
    let records: Vec<Vec<u8>> = of_family
        .map(|address| {
            let (kind, data) = match address {
                IpAddr::V4(v4) => (1, v4.octets().to_vec()),
                IpAddr::V6(v6) => (28, v6.octets().to_vec()),
            };
            let length = u8::try_from(data.len()).expect("it is 4 or 16");
            [&[0xc0, 12, 0, kind, 0, 1, 0, 0, 0, 60, 0, length], &*data].concat()
        })
        .collect();
    let count = u16::try_from(records.len()).expect("a few").to_be_bytes();
    Some([&query[..2], &flags, &[0, 1], &count, &[0; 4], question, &records.concat()].concat())
}
