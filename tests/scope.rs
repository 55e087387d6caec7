//! A token reaches the hosts that are listed; any other gets silence, and causes no call and no
//! file.

use crate::scene::*;
use crate::town::Ran;

/// Whose git hosts are those of everybody: `github.com` and `gist.github.com`.
fn on_github() -> Scene {
    let mut scene = Scene::new();
    // An empty list counts as unset.
    scene.home.set("GASTOWN_GIT_HOSTS", "");
    scene
}

fn ask(scene: &Scene, flags: &[&str], protocol: &str, host: &str) -> Ran {
    let request = format!("capability[]=authtype\nprotocol={protocol}\nhost={host}\n\n");
    scene.home.helper(&[&["get"], flags].concat(), &request)
}

#[test]
fn the_listed_hosts_are_served_however_they_are_spelled() {
    let scene = on_github();
    for host in ["github.com", "gist.github.com", "github.com:443", "GitHub.com", "GITHUB.COM:443"]
    {
        ask(&scene, &[], "https", host).token();
    }
    assert_eq!(scene.both_calls(), (1, 0), "one token for all hosts, under whatever spelling");
}

const FOREIGN: &str = "evil.example|gitlab.com|github.com.evil.example|evil-github.com|evilgithub.com|\
    github.comm|github.co|com|api.github.com|www.github.com|x.gist.github.com|github.com.|\
    .github.com|github..com|github.com:8443|github.com:80|github.com:4430|github.com:443x|\
    github.com:+443|github.com:65979|github.com:443:443|github.com:|alice@github.com|\
    github.com@evil.example|github.com:443@evil.example|evil.example#github.com|\
    evil.example/github.com|github.com/|github.com/evil|github.com?x|\
    github.com\\evil.example| github.com|github.com |%67ithub.com|g\u{131}thub.com|\
    github\u{3002}com|[github.com]|[::1]|127.0.0.1|localhost|x.github.com|github.example";

/// CVE-2024-53858 and 53859: every host that was not the known one counted as an "enterprise" host
/// and got a token.
#[test]
fn a_foreign_host_gets_nothing_whatever_the_operation_and_the_tokens_at_hand() {
    let mut scene = on_github();
    let before = scene.home.everything();
    for host in FOREIGN.split('|') {
        ask(&scene, &[], "https", host).prints("");
    }
    for protocol in ["http", "ssh", "git", "ftp", "file", "cert", "HTTPS", "https:", "httpss"] {
        ask(&scene, &[], protocol, "github.com").prints("");
    }
    for (name, value) in [
        ("CODESPACES", "true"),
        ("GH_ENTERPRISE_TOKEN", "ghs_enterprise"),
        ("GITHUB_ENTERPRISE_TOKEN", "ghs_enterprise"),
        ("GITHUB_TOKEN", "github_pat_mine"),
        ("GIT_TOKEN", "ghs_mine"),
        ("GITHUB_CLI_PAT", "ghp_mine"),
    ] {
        scene.home.set(name, value);
    }
    for host in FOREIGN.split('|') {
        let request = format!("protocol=https\nhost={host}\npassword=ghs_mine\n\n");
        for operation in ["get", "store", "erase"] {
            scene.ask(operation, &request).prints("");
        }
    }
    assert_eq!((scene.worker.calls().len(), scene.home.everything()), (0, before));
}

#[test]
fn a_list_replaces_the_default_and_flags_the_list() {
    let mut scene = on_github();
    scene
        .home
        .set("GASTOWN_GIT_HOSTS", "git.example:8443, https://code.example,http://localhost:8080");
    for (protocol, host) in
        [("https", "git.example:8443"), ("https", "code.example"), ("http", "localhost:8080")]
    {
        ask(&scene, &[], protocol, host).token();
    }
    assert_eq!(scene.both_calls(), (1, 0));
    for (protocol, host) in [
        ("https", "github.com"),
        ("https", "gist.github.com"),
        ("https", "git.example"),
        ("https", "code.example:8443"),
        ("https", "localhost:8080"),
        ("http", "localhost"),
        ("http", "code.example"),
    ] {
        ask(&scene, &[], protocol, host).prints("");
    }
    let flags = ["--host", "one.example", "--host", "two.example:8443"];
    for (host, is_served) in
        [("one.example", true), ("two.example:8443", true), ("code.example", false)]
    {
        assert_eq!(ask(&scene, &flags, "https", host).value("password").is_some(), is_served);
    }
    assert_eq!(scene.both_calls(), (1, 0));
}

#[test]
fn plain_http_is_served_on_this_machine_only() {
    let mut scene = on_github();
    for host in ["localhost:1", "127.0.0.1:1", "127.9.9.9:1", "[::1]:1"] {
        scene.home.set("GASTOWN_GIT_HOSTS", format!("http://{host}"));
        ask(&scene, &[], "http", host).token();
    }
    scene.worker.forget_calls();
    for host in ["github.com", "10.0.0.1", "0.0.0.0", "localhost.example", "127.0.0.1.example"] {
        scene.home.set("GASTOWN_GIT_HOSTS", format!("http://{host},github.com"));
        ask(&scene, &[], "http", host).prints("");
        // The entry is not listed, and a person who asks for the others is told so.
        let ran = ask(&scene, &[], "https", "github.com");
        ran.token();
        ran.warned(&["warning: ", host, "loopback"]);
    }
    assert_eq!(scene.both_calls(), (0, 0));
}

/// What is no host is with its reader, in `src/core/host`.
#[test]
fn an_entry_that_is_no_host_is_ignored_with_a_warning() {
    let mut scene = on_github();
    for (entry, shown) in [
        ("*.example", "`*.example`"),
        ("github.com;gitlab.com", "`github.com;gitlab.com`"),
        ("ssh://alice@git.example", "`ssh://git.example`"),
        ("x.example?private_token=bob@alice", "`…`"),
    ] {
        scene.home.set("GASTOWN_GIT_HOSTS", format!("{entry},github.com"));
        ask(&scene, &[], "https", "git.example").prints("");
        let ran = ask(&scene, &[], "https", "github.com");
        ran.token();
        // It may be a secret.
        ran.warned(&["warning: ", shown]).never_says("alice");
        // Alone on the list it leaves git to prompt, and nothing else would say why.
        scene.home.set("GASTOWN_GIT_HOSTS", entry);
        let ran = ask(&scene, &[], "https", "github.com");
        assert_eq!(ran.assert_ok().stdout, "", "{ran:?}");
        ran.warned(&["warning: ", shown]);
    }
}
