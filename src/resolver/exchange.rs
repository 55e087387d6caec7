//! Asks the name servers, for both families of addresses at the same time, without a thread. The
//! families are two questions, because many servers answer one well and the other wrongly or not
//! at all; the one that is answered is enough. Each question has sockets of its own: of two that
//! leave from one port at once, the address translation of container networks may lose one.

#![expect(clippy::disallowed_methods, reason = "the time limits of one lookup")]

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::message::{Answer, Family, Question};
use super::settings::Settings;
use super::{Unresolved, connected, has_route};

/// A question without an answer goes to the next server, or once more to the only one.
const STEP: Duration = Duration::from_millis(400);
/// How long addresses of one family wait for the other (RFC 8305, 3).
const GRACE: Duration = Duration::from_millis(50);
/// How long a denial waits for what has not answered: a server before it, or the other family.
const PATIENCE: Duration = Duration::from_secs(1);
/// ureq has "no limit" as a time that cannot be added to any other.
const LONGEST: Duration = Duration::from_secs(20);
const LONGEST_DATAGRAM: usize = 4096;
/// Datagrams that answer nothing are passed over, but not without end.
const MOST_STRAY: usize = 16;
/// Whether there is a route does not depend on the port.
const HTTPS: u16 = 443;

/// One lookup.
pub(super) struct Exchange {
    settings: Settings,
    deadline: Instant,
}

impl Exchange {
    pub(super) fn new(settings: Settings, within: Duration) -> Self {
        Self { settings, deadline: Instant::now() + within.min(LONGEST) }
    }

    /// The addresses of a name, as it is or below a search domain. Each of these names gets an
    /// equal part of the time that is left, so that one which is never answered does not keep the
    /// others from being asked.
    ///
    /// # Errors
    /// Why there is none, by the name that was asked for first.
    pub(super) fn look_up(mut self, name: &str) -> Result<Vec<IpAddr>, Unresolved> {
        let names = self.settings.candidates(name);
        let mut reason = None;
        for (position, name) in names.iter().enumerate() {
            let left = self.deadline.saturating_duration_since(Instant::now());
            let share = left / u32::try_from(names.len() - position).unwrap_or(1);
            match self.ask(name, Instant::now() + share) {
                Ok(addresses) => return Ok(addresses),
                Err(Unresolved::NoServer) => return Err(reason.unwrap_or(Unresolved::NoServer)),
                Err(why) => _ = reason.get_or_insert(why),
            }
        }
        Err(reason.unwrap_or(Unresolved::NotFound))
    }

    /// Both questions about one name.
    fn ask(&mut self, name: &str, deadline: Instant) -> Result<Vec<IpAddr>, Unresolved> {
        // Random from the kernel: whoever cannot see the questions cannot answer them.
        let ids = RandomState::new().hash_one(name).to_be_bytes();
        let inquiry = |first, second, family| {
            let question = Question::new(u16::from_be_bytes([first, second]), name, family)?;
            Some(Inquiry::new(question, &self.settings.servers, Instant::now()))
        };
        let inquiries = (inquiry(ids[0], ids[1], Family::V4), inquiry(ids[2], ids[3], Family::V6));
        let (Some(v4), Some(v6)) = inquiries else { return Err(Unresolved::NotFound) };
        let mut inquiries = [v4, v6];
        loop {
            let now = Instant::now();
            inquiries.iter_mut().for_each(|inquiry| inquiry.send_if_due(now));
            let end = end_of(&inquiries).map_or(deadline, |end| end.min(deadline));
            if now >= end {
                break;
            }
            let due = inquiries.iter().filter_map(|inquiry| inquiry.due).min();
            wait(&inquiries, due.map_or(end, |due| due.min(end)));
            inquiries.iter_mut().for_each(|inquiry| inquiry.receive(deadline));
        }
        let is_silent = |server: &SocketAddr| inquiries.iter().all(|it| it.is_silent(*server));
        // For the next name, the servers that do not answer are asked last.
        self.settings.servers.sort_by_key(is_silent);
        conclude(&inquiries)
    }
}

/// When to wait no longer; `None` while only the deadline tells.
fn end_of(inquiries: &[Inquiry; 2]) -> Option<Instant> {
    let end = match inquiries.each_ref().map(Inquiry::end) {
        [Some(one), Some(other)] => Some(one.max(other)),
        [Some(known), None] | [None, Some(known)] => Some(known + PATIENCE),
        [None, None] => None,
    };
    let found = inquiries.iter().filter(|inquiry| inquiry.has_route);
    let enough = found.filter_map(|inquiry| Some(inquiry.found_at? + GRACE));
    end.into_iter().chain(enough).min()
}

/// Until there is something to read.
fn wait(inquiries: &[Inquiry; 2], until: Instant) {
    let sockets = inquiries.iter().flat_map(|it| &it.peers).filter_map(|it| it.socket.as_ref());
    let mut sockets: Vec<_> = sockets.map(|it| PollFd::new(it, PollFlags::IN)).collect();
    let left = until.saturating_duration_since(Instant::now());
    // Nothing is lost if it is interrupted: the caller looks at the time and at every socket.
    let _ = poll(&mut sockets, Timespec::try_from(left).ok().as_ref());
}

/// What the two questions have led to when no more is waited for.
fn conclude(inquiries: &[Inquiry; 2]) -> Result<Vec<IpAddr>, Unresolved> {
    let addresses: Vec<_> = inquiries.iter().flat_map(|it| it.addresses.clone()).collect();
    if !addresses.is_empty() {
        return Ok(addresses);
    }
    // That there is no IPv6 address is not the reason if nothing is known of IPv4.
    Err(inquiries.iter().map(Inquiry::reason).max().unwrap_or(Unresolved::NoServer))
}

/// What a server has said for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Denied,
    Failed,
    Unreachable,
}

/// One server as one question knows it.
struct Peer {
    server: SocketAddr,
    socket: Option<UdpSocket>,
    verdict: Option<Verdict>,
}

impl Peer {
    fn send(&mut self, question: &Question) -> io::Result<()> {
        if self.socket.is_none() {
            let socket = connected(self.server)?;
            socket.set_nonblocking(true)?;
            self.socket = Some(socket);
        }
        self.socket.as_ref().map_or(Ok(()), |socket| socket.send(&question.bytes).map(drop))
    }

    /// `None` if nothing has come that answers the question.
    fn receive(&self, question: &Question) -> Option<io::Result<Answer>> {
        let socket = self.socket.as_ref()?;
        let mut buffer = [0; LONGEST_DATAGRAM];
        for _ in 0..MOST_STRAY {
            match socket.recv(&mut buffer) {
                Ok(length) => {
                    if let Some(answer) = question.read(&buffer[..length]) {
                        return Some(Ok(answer));
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return None,
                // Nobody listens there, or there is no way to it.
                Err(error) => return Some(Err(error)),
            }
        }
        None
    }
}

/// One question on its way around the servers.
struct Inquiry {
    question: Question,
    peers: Vec<Peer>,
    addresses: Vec<IpAddr>,
    has_route: bool,
    found_at: Option<Instant>,
    /// When a server said for the first time that there is nothing to find.
    denied_at: Option<Instant>,
    /// When the verdicts of the servers were enough to end it.
    refused_at: Option<Instant>,
    /// Whom to ask next, and when; `None` if there is no reason to ask anybody.
    next: usize,
    due: Option<Instant>,
}

impl Inquiry {
    fn new(question: Question, servers: &[SocketAddr], now: Instant) -> Self {
        let peer = |server: &SocketAddr| Peer { server: *server, socket: None, verdict: None };
        Self {
            question,
            peers: servers.iter().map(peer).collect(),
            addresses: Vec::new(),
            has_route: false,
            found_at: None,
            denied_at: None,
            refused_at: None,
            next: 0,
            due: Some(now),
        }
    }

    /// When this question is not worth waiting for any longer; `None` if that is not known yet.
    fn end(&self) -> Option<Instant> {
        let patient = self.denied_at.map(|denied_at| denied_at + PATIENCE);
        self.found_at.or(self.refused_at).or(patient)
    }

    /// Why it has found nothing.
    fn reason(&self) -> Unresolved {
        let verdicts: Vec<_> = self.peers.iter().map(|peer| peer.verdict).collect();
        if verdicts.contains(&Some(Verdict::Denied)) {
            Unresolved::NotFound
        } else if verdicts.contains(&None) {
            Unresolved::Silence
        } else if verdicts.contains(&Some(Verdict::Failed)) {
            Unresolved::ServersFail
        } else {
            Unresolved::NoServer
        }
    }

    fn is_silent(&self, server: SocketAddr) -> bool {
        let is_it = |peer: &&Peer| peer.server == server && peer.socket.is_some();
        self.peers.iter().find(is_it).is_some_and(|peer| peer.verdict.is_none())
    }

    /// Asks the next of the servers that have not decided; those that cannot be reached are known
    /// at once.
    fn send_if_due(&mut self, now: Instant) {
        while self.due.is_some_and(|due| due <= now) {
            let count = self.peers.len();
            let open = (self.next..self.next + count).map(|place| place % count);
            let mut open = open.filter(|place| self.peers[*place].verdict.is_none());
            let Some(place) = open.next() else { break };
            self.next = place + 1;
            match self.peers[place].send(&self.question) {
                Ok(()) => self.due = Some(now + STEP),
                Err(_) => self.judge(place, Verdict::Unreachable, now),
            }
        }
    }

    /// Takes what has come from any server.
    fn receive(&mut self, deadline: Instant) {
        for place in 0..self.peers.len() {
            let peer = &self.peers[place];
            let Some(received) = peer.receive(&self.question) else { continue };
            let answer = match received {
                Ok(Answer::Truncated(part)) => Ok(self.whole(peer.server, part, deadline)),
                other => other,
            };
            let now = Instant::now();
            let verdict = match answer {
                Ok(Answer::Addresses(addresses)) => return self.found(addresses, now),
                Ok(Answer::Denied) => Verdict::Denied,
                Ok(Answer::Failed | Answer::Truncated(_)) => Verdict::Failed,
                Err(_) => Verdict::Unreachable,
            };
            self.judge(place, verdict, now);
        }
    }

    /// The same question over TCP. A part of the addresses is better than none.
    fn whole(&self, server: SocketAddr, part: Vec<IpAddr>, deadline: Instant) -> Answer {
        let deadline = deadline.min(Instant::now() + PATIENCE);
        match ask_over_tcp(server, &self.question, deadline) {
            Some(whole @ Answer::Addresses(_)) => whole,
            _ if !part.is_empty() => Answer::Addresses(part),
            other => other.unwrap_or(Answer::Failed),
        }
    }

    fn found(&mut self, addresses: Vec<IpAddr>, now: Instant) {
        self.has_route = addresses.iter().any(|it| has_route(SocketAddr::new(*it, HTTPS)));
        self.addresses = addresses;
        (self.found_at, self.due) = (Some(now), None);
        self.peers.iter_mut().for_each(|peer| peer.socket = None);
    }

    fn judge(&mut self, place: usize, verdict: Verdict, now: Instant) {
        let peer = &mut self.peers[place];
        (peer.verdict, peer.socket) = (Some(verdict), None);
        if verdict == Verdict::Denied {
            self.denied_at.get_or_insert(now);
        } else {
            // The next server need not wait for its turn.
            self.due = Some(now);
        }
        // The first server that neither fails nor is unreachable decides.
        let decides = |peer: &&Peer| matches!(peer.verdict, None | Some(Verdict::Denied));
        let first = self.peers.iter().find(decides);
        if first.is_none_or(|peer| peer.verdict.is_some()) {
            (self.refused_at, self.due) = (Some(now), None);
        }
    }
}

/// The answer as a stream, which has no limit of length. `None` if it does not come in time.
fn ask_over_tcp(server: SocketAddr, question: &Question, deadline: Instant) -> Option<Answer> {
    let left = || {
        let left = deadline.saturating_duration_since(Instant::now());
        (!left.is_zero()).then_some(left)
    };
    let mut stream = TcpStream::connect_timeout(&server, left()?).ok()?;
    stream.set_write_timeout(left()).ok()?;
    let length = u16::try_from(question.bytes.len()).ok()?;
    stream.write_all(&[&length.to_be_bytes(), &*question.bytes].concat()).ok()?;
    let (mut bytes, mut buffer) = (Vec::new(), [0; LONGEST_DATAGRAM]);
    loop {
        if let Some((length, message)) = bytes.split_first_chunk()
            && let Some(message) = message.get(..u16::from_be_bytes(*length).into())
        {
            return question.read(message);
        }
        stream.set_read_timeout(Some(left()?)).ok()?;
        match stream.read(&mut buffer).ok()? {
            0 => return None,
            count => bytes.extend_from_slice(&buffer[..count]),
        }
    }
}
