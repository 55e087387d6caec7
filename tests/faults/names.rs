//! Name servers that are wrong in one way each. Each row has a network, an `/etc/resolv.conf` and
//! an `/etc/hosts` of its own: the test starts itself again in new namespaces. The program built
//! with the tests is run, and those of `INSTALLED_HELPERS`, a list like `PATH`.

use std::env;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::Duration;

use super::network::{Authority, behind_tls};
use crate::scene::*;
use crate::town::name_server::Reply::{Addresses, Code, Silence, Truncated};
use crate::town::name_server::{Asked, here, name_server};
use crate::town::server::Server;
use crate::town::{Ran, lock, skip};

/// Set in the new namespaces.
const INSIDE: &str = "TEST_IN_NAMESPACES";
/// Where name servers are in these networks.
const FIRST: &str = "127.0.0.53";
const OTHER: &str = "127.0.0.54";
const THIRD: &str = "127.0.0.55";
const NO_SUCH_NAME: u8 = 3;
const SERVER_FAILURE: u8 = 2;
const REFUSED: u8 = 5;
/// No row but that of silence takes the time of an attempt, which is 4 s, to look up the name.
const SOON_ENOUGH: Duration = Duration::from_secs(3);

/// Runs the test that this thread is named after in a network of its own.
fn in_own_network(check: fn(&mut Network)) {
    if env::var_os(INSIDE).is_some() {
        return check(&mut Network::new());
    }
    let Some(mut command) = namespaces() else {
        return skip(
            "only who may make network namespaces, and has `ip`, can play the name server",
        );
    };
    let thread = thread::current();
    let name = thread.name().expect("a test's thread has its name");
    let binary = env::current_exe().expect("this is one");
    command.arg(binary).args(["--exact", name, "--nocapture"]).env(INSIDE, "1");
    let ran = Ran::run(command, b"");
    assert!(ran.code == 0 && ran.stdout.contains("1 passed"), "{ran:?}");
}

/// `unshare` in the way that works for this user, with a command still to come.
fn namespaces() -> Option<Command> {
    let command = |as_root: &[&str]| {
        let mut command = Command::new("unshare");
        command.args(["--net", "--mount"]).args(as_root);
        command
    };
    // The same steps as in `Network::new`.
    let script = "ip link set lo up && mount --bind /etc/hosts /etc/resolv.conf";
    let works = |as_root: &&[&str]| {
        let tried = command(as_root).args(["sh", "-c", script]).output();
        tried.is_ok_and(|output| output.status.success())
    };
    let ways: [&[&str]; 2] = [&[], &["--map-root-user"]];
    ways.iter().find(|way| works(way)).map(|way| command(way))
}

fn run(program: &str, arguments: &[&str]) {
    let mut command = Command::new(program);
    command.args(arguments);
    Ran::run(command, b"").assert_ok();
}

/// A network with nothing in it but a worker behind TLS, which has many names.
struct Network {
    scene: Scene,
    server: Server,
}

impl Network {
    fn new() -> Self {
        run("ip", &["link", "set", "lo", "up"]);
        let mut scene = Scene::new();
        let authority = Authority::new(&mut scene);
        let names = ["worker.example", "worker.inner", "worker"];
        let (server, _) = behind_tls(&mut scene, authority.vouches_for(&names, 4000));
        let network = Self { scene, server };
        for file in ["hosts", "resolv.conf"] {
            let own = network.path(file);
            fs::write(&own, "").expect("the home is writable");
            let path = fs::canonicalize(format!("/etc/{file}")).expect("there is one");
            run("mount", &["--bind", &own.to_string_lossy(), &path.to_string_lossy()]);
        }
        network
    }

    fn path(&self, file: &str) -> PathBuf {
        self.scene.path(file)
    }

    /// The content of `/etc/resolv.conf` or `/etc/hosts`.
    fn write(&self, file: &str, text: &str) {
        fs::write(self.path(file), text).expect("the home is writable");
    }

    /// These name servers, in this order, and what else is said in `/etc/resolv.conf`.
    fn set_servers(&self, servers: &[&str], rest: &str) {
        let servers: Vec<_> = servers.iter().map(|it| format!("nameserver {it}\n")).collect();
        self.write("resolv.conf", &format!("{}{rest}\n", servers.concat()));
    }

    /// A cold `get` from the worker by this name, by every program in turn.
    fn get(&mut self, name: &str) -> Vec<Ran> {
        let Self { scene, server } = self;
        scene.home.set("GASTOWN_API_URL", format!("https://{name}:{}", server.port()));
        let installed = env::var_os("INSTALLED_HELPERS").unwrap_or_default();
        let installed = env::split_paths(&installed).filter(|path| path.is_absolute());
        let programs = [PathBuf::from(HELPER)].into_iter().chain(installed);
        let seen = programs.map(|program| {
            let _ = fs::remove_dir_all(scene.cache());
            scene.home.run(program, &["get"], &scene.request())
        });
        seen.collect()
    }

    /// Asserts that every program finds the worker by this name.
    #[track_caller]
    fn finds(&mut self, name: &str) {
        let token = self.scene.current();
        for ran in self.get(name) {
            ran.answers(&token).within(..SOON_ENOUGH);
        }
    }

    #[track_caller]
    fn fails(&mut self, name: &str, words: &str) {
        for ran in self.get(name) {
            ran.quits("worker-unreachable").mentions(words).within(..SOON_ENOUGH);
        }
    }
}

#[test]
fn a_failing_ipv6_lookup_does_not_hide_ipv4() {
    in_own_network(|network| {
        let without_a_route = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
        for (number, reply) in [
            Code(NO_SUCH_NAME),
            Code(SERVER_FAILURE),
            Silence,
            Addresses(vec![without_a_route.into()]),
        ]
        .into_iter()
        .enumerate()
        {
            let server = format!("127.0.0.6{number}");
            name_server(&server, move |asked| if asked.is_v6 { reply.clone() } else { here() });
            network.set_servers(&[&server], "");
            network.finds("worker.example");
        }
    });
}

#[test]
fn an_ipv4_question_that_is_dropped_or_denied_does_not_hide_ipv6() {
    in_own_network(|network| {
        // The worker's listener, as IPv6 has it.
        let mapped = Addresses(vec![Ipv4Addr::LOCALHOST.to_ipv6_mapped().into()]);
        let also = mapped.clone();
        name_server(FIRST, move |asked| if asked.is_v6 { mapped.clone() } else { Silence });
        let denied = Code(NO_SUCH_NAME);
        let reply = move |asked: &Asked<'_>| if asked.is_v6 { &also } else { &denied }.clone();
        name_server(OTHER, reply);
        for server in [FIRST, OTHER] {
            network.set_servers(&[server], "");
            network.finds("worker.example");
        }
    });
}

#[test]
fn a_name_with_a_dot_is_found_below_a_search_domain() {
    in_own_network(|network| {
        let questions = name_server(FIRST, |asked| match asked.name {
            "worker.inner.town.example" => here(),
            _ => Code(NO_SUCH_NAME),
        });
        network.set_servers(&[FIRST], "search town.example\noptions ndots:1");
        network.finds("worker.inner");
        let asked = lock(&questions)[0].clone();
        assert!(asked.starts_with("worker.inner A"), "as it is, first: {asked}");
    });
}

#[test]
fn a_search_domain_that_fails_or_is_never_answered_does_not_hide_the_next() {
    in_own_network(|network| {
        let failures = [Code(SERVER_FAILURE), Code(REFUSED), Code(NO_SUCH_NAME), Silence];
        for (number, failure) in failures.into_iter().enumerate() {
            let server = format!("127.0.0.6{number}");
            name_server(&server, move |asked| match asked.name {
                "worker.second.example" => here(),
                _ => failure.clone(),
            });
            network.set_servers(&[&server], "search first.example second.example");
            network.finds("worker");
        }
    });
}

#[test]
fn a_second_server_that_denies_does_not_overrule_the_first() {
    in_own_network(|network| {
        name_server(FIRST, |_| {
            // Long enough for the second to be asked.
            thread::sleep(Duration::from_millis(600));
            here()
        });
        let denials = name_server(OTHER, |_| Code(NO_SUCH_NAME));
        network.set_servers(&[FIRST, OTHER], "");
        network.finds("worker.example");
        assert!(!lock(&denials).is_empty(), "it was asked");
    });
}

#[test]
fn a_first_server_that_is_dead_or_fails_does_not_hide_the_second() {
    in_own_network(|network| {
        name_server(FIRST, |_| Silence);
        name_server(OTHER, |_| Code(SERVER_FAILURE));
        name_server(THIRD, |_| here());
        let closed = "127.0.0.99";
        let unreachable = "192.0.2.1";
        for first in [FIRST, OTHER, closed, unreachable] {
            network.set_servers(&[first, THIRD], "");
            network.finds("worker.example");
        }
        network.set_servers(&[FIRST, unreachable, THIRD], "search a.example b.example");
        network.finds("worker");
    });
}

#[test]
fn a_name_that_cannot_be_found_fails_at_once_and_with_the_reason() {
    in_own_network(|network| {
        for servers in [&[][..], &["127.0.0.99"], &["192.0.2.1", "2001:db8::1"]] {
            network.set_servers(servers, "search town.example");
            network.fails("worker.example", "no name server can be reached");
        }
        name_server(FIRST, |_| Code(SERVER_FAILURE));
        name_server(OTHER, |_| Code(REFUSED));
        network.set_servers(&[FIRST, OTHER], "");
        network.fails("worker.example", "the name servers answer with errors");
        // That there is no IPv6 says nothing of IPv4.
        name_server("127.0.0.57", |asked| match asked.is_v6 {
            true => Addresses(Vec::new()),
            false => Code(SERVER_FAILURE),
        });
        network.set_servers(&["127.0.0.57"], "");
        network.fails("worker.example", "the name servers answer with errors");
        name_server(THIRD, |_| Code(NO_SUCH_NAME));
        name_server("127.0.0.56", |_| Addresses(Vec::new()));
        for server in [THIRD, "127.0.0.56"] {
            network.set_servers(&[server], "search town.example");
            network.fails("worker.example", "not found");
        }
    });
}

#[test]
fn a_name_server_that_says_nothing_is_not_waited_for_without_end() {
    in_own_network(|network| {
        name_server(FIRST, |_| Silence);
        network.set_servers(&[FIRST], "");
        for ran in network.get("worker.example") {
            ran.quits("timeout").mentions("looking up its name").within(6 * SECOND..20 * SECOND);
        }
    });
}

#[test]
fn a_name_in_the_hosts_file_needs_no_server() {
    in_own_network(|network| {
        network
            .write("hosts", "127.0.0.1 localhost\n::1 worker.example\n127.0.0.1 worker.example\n");
        network.finds("worker.example");
        let questions = name_server(FIRST, |_| Code(NO_SUCH_NAME));
        network.set_servers(&[FIRST], "");
        network.finds("worker.example");
        assert_eq!(*lock(&questions), [""; 0], "it was not asked");
    });
}

#[test]
fn an_answer_that_does_not_fit_is_asked_for_again_over_tcp() {
    in_own_network(|network| {
        // Two that lead nowhere, and the worker.
        let many = [[127, 0, 0, 98], [127, 0, 0, 97], [127, 0, 0, 1]].map(IpAddr::from);
        name_server(FIRST, move |asked| match asked.is_tcp {
            true => Addresses(many.to_vec()),
            false => Truncated,
        });
        network.set_servers(&[FIRST], "");
        network.finds("worker.example");
    });
}
