use super::*;

fn asked(protocol: &str, host: &str) -> Option<String> {
    Host::requested(protocol.as_bytes(), host.as_bytes()).map(|host| host.to_string())
}

#[test]
fn spellings_of_one_host_are_one() {
    for host in ["github.com", "GitHub.COM", "github.com:443"] {
        assert_eq!(asked("https", host).as_deref(), Some("https://github.com"), "{host}");
    }
    assert_eq!(asked("https", "github.com:8443").as_deref(), Some("https://github.com:8443"));
    assert_eq!(asked("http", "127.0.0.1:80").as_deref(), Some("http://127.0.0.1"));
    assert_eq!(asked("http", "[::1]:8080").as_deref(), Some("http://[::1]:8080"));
}

#[test]
fn what_merely_looks_like_a_host_is_not_that_host() {
    for host in [
        "github.com.",
        "user@github.com",
        "github.com@evil.example",
        "github.com:",
        "github.com:0",
        "github.com:+443",
        "github.com:44300000",
        "github.com:443:443",
        "github.com/",
        "github.com%2eevil",
        ".github.com",
        "github..com",
        "github.com ",
        "gıthub.com",
        "[github.com]",
        "",
    ] {
        assert_eq!(asked("https", host), None, "{host:?}");
    }
    assert_ne!(asked("https", "github.com.evil.example"), asked("https", "github.com"));
    assert_ne!(asked("https", "notgithub.com"), asked("https", "github.com"));
}

#[test]
fn only_https_and_loopback_http_count() {
    assert_eq!(asked("http", "github.com"), None);
    assert_eq!(asked("http", "127.evil.example"), None);
    assert_eq!(asked("ssh", "github.com"), None);
    assert_eq!(asked("HTTPS", "github.com"), None);
}

#[test]
fn entries_of_the_list_are_checked() {
    let listed = |entry| Host::listed(entry).map(|host| host.to_string());
    assert_eq!(listed("Git.Example:8443").unwrap(), "https://git.example:8443");
    assert_eq!(listed("https://github.com/").unwrap(), "https://github.com");
    assert_eq!(listed("http://localhost:8080").unwrap(), "http://localhost:8080");
    assert_eq!(listed("http://git.example"), Err("http is for loopback only"));
    assert_eq!(listed("ssh://git.example"), Err("neither https nor http"));
    assert_eq!(listed("*.github.com"), Err("not a host name"));
    assert_eq!(listed("github.com/path"), Err("not a host name"));
    assert_eq!(listed(""), Err("not a host name"));
}

#[test]
fn ids_that_could_steer_a_path_are_refused() {
    for text in ["rig-1", "R2.d2_x", "00000000-0000-4000-8000-000000000000"] {
        assert!(Id::parse(text).is_some(), "{text}");
    }
    let long = "x".repeat(129);
    for text in ["", ".", "..", ".rig", "a/b", "a\\b", "a b", "a\nb", "é", "a?b", "a#b", &long] {
        assert!(Id::parse(text).is_none(), "{text:?}");
    }
}

#[test]
fn the_worker_is_https_or_loopback() {
    for text in ["https://worker.example", "http://127.0.0.1:8787", "http://[::1]:1/api/"] {
        assert!(ApiUrl::parse(text).is_ok(), "{text}");
    }
    assert_eq!(ApiUrl::parse("https://worker.example/base/").unwrap().as_str().len(), 27);
    for text in [
        "http://worker.example",
        "https://user:secret@worker.example",
        "https://user@worker.example",
        "ftp://worker.example",
        "worker.example",
        "/path",
        "https://worker.example/?a=b",
        "https://worker.example/#a",
        "https://",
        "",
        "https://worker.example/a b",
        "http://localhost.evil.example",
        "http://127.0.0.1@evil.example",
    ] {
        assert!(ApiUrl::parse(text).is_err(), "{text}");
    }
}

#[test]
fn the_directory_names_the_rig_but_never_the_mayor() {
    let rig = |directory: &str| {
        rig_of_directory(Path::new("/workspace/rigs"), Path::new(directory))
            .map(|id| id.to_string())
    };
    assert_eq!(rig("/workspace/rigs/rig-1/browse/src").as_deref(), Some("rig-1"));
    assert_eq!(rig("/workspace/rigs/rig-1").as_deref(), Some("rig-1"));
    assert_eq!(rig("/workspace/rigs"), None);
    assert_eq!(rig("/workspace/rigs-2/rig-1"), None);
    assert_eq!(rig("/workspace/rigs/mayor-town-1/x"), None);
    assert_eq!(rig("/workspace/rigs/../rig-1"), None);
    assert_eq!(rig("/elsewhere"), None);
}

#[test]
fn keys_that_differ_anywhere_have_names_that_differ() {
    let key = |api: &str, town: &str, rig: &str| {
        CacheKey { api: api.into(), town: town.into(), rig: rig.into() }.file_stem()
    };
    let names = [key("a", "t", "r"), key("a", "tr", ""), key("at", "", "r")];
    assert_ne!(names[0], names[1]);
    assert_ne!(names[0], names[2]);
    assert_ne!(names[1], names[2]);
    assert!(names.iter().all(|name| name.len() == 32));
}

#[test]
fn no_proxy_names_hosts_and_domains() {
    for list in ["worker.example", "a, Worker.Example", "example", ".example", "*.example", "*"] {
        assert!(bypasses_proxy(list, "worker.example"), "{list}");
    }
    for list in ["", "orker.example", "worker.example.org", "worker", ",", "a b"] {
        assert!(!bypasses_proxy(list, "worker.example"), "{list}");
    }
}

#[test]
fn a_gitlab_host_is_never_of_githubs_kind() {
    let host = |text: &str| Host::listed(text).unwrap();
    let kind = |text: &str, gitlab: &str| host(text).kind(&host(gitlab));
    assert_eq!(kind("gitlab.com", "gitlab.com"), Kind::GitLab);
    assert_eq!(kind("git.example", "git.example"), Kind::GitLab);
    assert_eq!(
        kind("gitlab.example", "gitlab.com"),
        Kind::GitLab,
        "even if it is not the instance"
    );
    assert_eq!(kind("git.example:8443", "git.example"), Kind::GitLab);
    assert_eq!(kind("http://127.0.0.1:1", "http://127.0.0.1:2"), Kind::GitHub);
    assert_eq!(kind("github.com", "gitlab.com"), Kind::GitHub);
}

#[test]
fn a_port_is_a_port_or_the_address_is_refused() {
    for port in ["99999", "65616", "", "0", "80x", "-1"] {
        let url = format!("http://127.0.0.1:{port}");
        assert!(ApiUrl::parse(&url).is_err(), "{url}");
        assert!(ApiUrl::parse(&format!("{url}/api")).is_err(), "{url}/api");
    }
    for url in ["http://127.0.0.1:1", "https://worker.example", "https://[::1]:65535/x"] {
        assert!(ApiUrl::parse(url).is_ok(), "{url}");
    }
}
