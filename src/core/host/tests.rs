use super::*;

#[test]
fn entries_of_the_list_are_checked() {
    let listed = |entry| Host::listed(entry).map(|host| host.to_string());
    assert_eq!(listed("Git.Example:8443").unwrap(), "https://git.example:8443");
    assert_eq!(listed("https://github.com/").unwrap(), "https://github.com");
    assert_eq!(listed("http://[::1]:80").unwrap(), "http://[::1]");
    assert_eq!(listed("http://git.example"), Err("http is for loopback only"));
    assert_eq!(listed("ssh://git.example"), Err("neither https nor http"));
    for entry in ["*.github.com", "github.com/path", "[github.com]", ""] {
        assert_eq!(listed(entry), Err("not a host name"), "{entry}");
    }
    for entry in ["github.com:", "github.com:0", "github.com:+443", "github.com:44300000"] {
        assert_eq!(listed(entry), Err("not a port"), "{entry}");
    }
}

#[test]
fn the_directory_names_the_rig_but_never_the_mayor() {
    let rig = |directory: &str| {
        let rig = rig_of_directory(Path::new("/w"), Path::new(directory));
        rig.map(|id| id.to_string())
    };
    assert_eq!(["/w/rig-1/a/b", "/w/rig-1"].map(rig), ["rig-1", "rig-1"].map(|id| Some(id.into())));
    for directory in ["/w", "/w-2/rig-1", "/w/mayor-town-1/x", "/w/../rig-1", "/elsewhere"] {
        assert_eq!(rig(directory), None, "{directory}");
    }
}

#[test]
fn parts_of_a_file_name_do_not_run_into_each_other() {
    assert_ne!(stem(&["ab", ""]), stem(&["a", "b"]));
}

#[test]
fn no_proxy_names_hosts_and_domains() {
    let api = ApiUrl::parse("https://worker.example:8443/api").unwrap();
    let named = [
        "worker.example",
        "a, Worker.Example",
        "example",
        ".example",
        "*.example",
        "*",
        "worker.example:8443",
        ".example:8443",
    ];
    let others = [
        "",
        "orker.example",
        "worker.example.org",
        "worker",
        ",",
        "a b",
        "worker.example:443",
        "8443",
    ];
    for (lists, expected) in [(&named[..], true), (&others, false)] {
        for list in lists {
            assert_eq!(bypasses_proxy(list, &api), expected, "{list}");
        }
    }
}

#[test]
fn a_gitlab_host_is_never_of_githubs_kind() {
    let host = |text: &str| Host::listed(text).unwrap();
    let kind = |text: &str, gitlab: &str| host(text).kind(&host(gitlab));
    assert_eq!(kind("gitlab.com", "gitlab.com"), Kind::GitLab);
    assert_eq!(kind("git.example", "git.example"), Kind::GitLab);
    // Even if it is not the instance.
    assert_eq!(kind("gitlab.example", "gitlab.com"), Kind::GitLab);
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
        assert_eq!(ApiUrl::parse(&format!("{url}/")).unwrap().as_str(), url);
    }
}
