//! A token reaches the hosts that are listed, and no other: whoever is not exactly on the list gets
//! silence, and causes no call and no file. Plain http is for this machine only.

use crate::town::{Git, Home, Ran, Town};
use crate::transcript::*;

/// An agent whose git hosts are those of everybody: `github.com` and `gist.github.com`.
fn on_github() -> (Town, Home) {
    let town = Town::start();
    let mut home = agent(&town);
    home.unset("GASTOWN_GIT_HOSTS");
    (town, home)
}

fn ask(home: &Home, flags: &[&str], protocol: &str, host: &str) -> Ran {
    let request = format!("protocol={protocol}\nhost={host}\n\n");
    home.helper(&[&["get"], flags].concat(), &request)
}

#[test]
fn the_listed_hosts_are_served_however_they_are_spelled() {
    let (town, home) = on_github();
    for host in ["github.com", "gist.github.com", "github.com:443", "GitHub.com", "GITHUB.COM:443"]
    {
        token(&ask(&home, &[], "https", host));
    }
    assert_eq!(calls(&town), (1, 0), "one token for all hosts, under whatever spelling");
}

#[test]
fn a_foreign_host_gets_nothing_and_leaves_nothing() {
    let (town, home) = on_github();
    let before = home.everything();
    for host in [
        "evil.example",
        "gitlab.com",
        "github.com.evil.example",
        "evil-github.com",
        "evilgithub.com",
        "github.comm",
        "github.co",
        "com",
        "api.github.com",
        "www.github.com",
        "x.gist.github.com",
        "github.com.",
        ".github.com",
        "github..com",
        "github.com:8443",
        "github.com:80",
        "github.com:4430",
        "github.com:443x",
        "github.com:+443",
        "github.com:65979",
        "github.com:443:443",
        "github.com:",
        "alice@github.com",
        "github.com@evil.example",
        "github.com:443@evil.example",
        "evil.example#github.com",
        "evil.example/github.com",
        "github.com/",
        "github.com/evil",
        "github.com?x",
        "github.com\\evil.example",
        " github.com",
        "github.com ",
        "%67ithub.com",
        "g\u{131}thub.com",
        "github\u{3002}com",
        "[github.com]",
        "[::1]",
        "127.0.0.1",
        "localhost",
    ] {
        assert_silently(&ask(&home, &[], "https", host), "");
    }
    for protocol in ["http", "ssh", "git", "ftp", "file", "cert", "HTTPS", "https:", "httpss"] {
        assert_silently(&ask(&home, &[], protocol, "github.com"), "");
    }
    assert_eq!((town.worker.calls().len(), home.everything()), (0, before));
}

#[test]
fn a_foreign_host_gets_nothing_whatever_the_operation_and_the_tokens_at_hand() {
    let (town, mut home) = on_github();
    home.set("GITHUB_CLI_PAT", "ghp_mine").set("GITLAB_TOKEN", "glpat-mine");
    home.set("GIT_TOKEN", "ghs_mine").set("GITHUB_TOKEN", "github_pat_mine");
    let before = home.everything();
    let request = "protocol=https\nhost=evil.example\nusername=x-access-token\npassword=ghs_mine\n";
    for operation in ["get", "store", "erase"] {
        assert_silently(&home.helper(&[operation], request), "");
    }
    assert_eq!((town.worker.calls().len(), home.everything()), (0, before));
}

#[test]
fn git_is_left_alone_with_a_foreign_host() {
    for git in Git::all() {
        let (town, foreign) = (Town::start(), Town::start());
        foreign.github.create_repository(REPOSITORY);
        let home = configured(&town, &git);
        home.git(&["config", "--global", "credential.helper", HELPER]).assert_ok();
        let ran = home.git(&["clone", "--quiet", &foreign.github.url(REPOSITORY)]);
        assert!(ran.assert_fails().stderr.contains("could not read Username"), "{ran:?}");
        assert_eq!((warnings(&ran).len(), town.worker.calls().len()), (0, 0), "{ran:?}");
        assert!(foreign.github.requests().iter().all(|request| request.token.is_none()));
        assert!(home.cache_files().is_empty());
    }
}

#[test]
fn a_list_replaces_the_default() {
    let (town, mut home) = on_github();
    home.set("GASTOWN_GIT_HOSTS", "git.example:8443, https://code.example,http://localhost:8080");
    for (protocol, host) in
        [("https", "git.example:8443"), ("https", "code.example"), ("http", "localhost:8080")]
    {
        token(&ask(&home, &[], protocol, host));
    }
    assert_eq!(calls(&town), (1, 0));
    for (protocol, host) in [
        ("https", "github.com"),
        ("https", "gist.github.com"),
        ("https", "git.example"),
        ("https", "code.example:8443"),
        ("https", "localhost:8080"),
        ("http", "localhost"),
        ("http", "code.example"),
    ] {
        assert_silently(&ask(&home, &[], protocol, host), "");
    }
    assert_eq!(calls(&town), (1, 0));
}

#[test]
fn a_flag_replaces_the_list() {
    let (_town, mut home) = on_github();
    home.set("GASTOWN_GIT_HOSTS", "git.example");
    let flags = ["--host", "one.example", "--host", "two.example:8443"];
    token(&ask(&home, &flags, "https", "one.example"));
    token(&ask(&home, &flags, "https", "two.example:8443"));
    assert_silently(&ask(&home, &flags, "https", "git.example"), "");
    assert_silently(&ask(&home, &flags, "https", "github.com"), "");
}

#[test]
fn an_empty_list_counts_as_unset() {
    let (_town, mut home) = on_github();
    home.set("GASTOWN_GIT_HOSTS", "");
    token(&ask(&home, &[], "https", "github.com"));
}

#[test]
fn plain_http_is_served_on_this_machine_only() {
    let (town, mut home) = on_github();
    for host in ["localhost:1", "127.0.0.1:1", "127.9.9.9:1", "[::1]:1"] {
        home.set("GASTOWN_GIT_HOSTS", &format!("http://{host}"));
        token(&ask(&home, &[], "http", host));
    }
    town.worker.forget_calls();
    for host in ["github.com", "10.0.0.1", "0.0.0.0", "localhost.example", "127.0.0.1.example"] {
        home.set("GASTOWN_GIT_HOSTS", &format!("http://{host},github.com"));
        assert_silently(&ask(&home, &[], "http", host), "");
        // The entry is not listed, and a person who asks for the others is told so.
        let ran = ask(&home, &[], "https", "github.com");
        token(&ran);
        assert_warns(&ran, &["warning: ", host, "loopback"]);
    }
    assert_eq!(calls(&town), (0, 0));
}

#[test]
fn an_entry_that_is_no_host_is_ignored_with_a_warning() {
    let (_town, mut home) = on_github();
    for (entry, shown) in [
        ("*", "`*`"),
        ("*.example", "`*.example`"),
        ("ssh://git.example", "`git.example`"),
        ("alice@git.example", "`git.example`"),
        ("git.example/alice", "`git.example`"),
        ("git.example:alice", "`git.example`"),
        ("https://bob:alice/@git.example/x", "`git.example`"),
        ("x.example?private_token=alice", "`x.example`"),
        ("x.example?private_token=bob@alice", "`…`"),
    ] {
        home.set("GASTOWN_GIT_HOSTS", &format!("{entry},github.com"));
        assert_silently(&ask(&home, &[], "https", "git.example"), "");
        let ran = ask(&home, &[], "https", "github.com");
        token(&ran);
        assert_warns(&ran, &["warning: ", shown]);
        assert!(!ran.stderr.contains("alice"), "it may be a secret");
    }
}
