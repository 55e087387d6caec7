use std::collections::HashMap;
use std::ffi::OsStr;

use super::*;

/// Settings from these variables alone, run in `directory`.
fn settings(flags: &Flags, variables: &[(&str, &str)], directory: &str) -> Settings {
    let variables: HashMap<_, _> = variables.iter().copied().collect();
    // No config file of whoever runs the tests.
    let config = [("GASTOWN_CONFIG", "/dev/null/none")];
    let lookup = |name: &str| {
        let value =
            variables.get(name).copied().or(config.iter().find(|c| c.0 == name).map(|c| c.1));
        value.map(|value| OsStr::new(value).to_owned())
    };
    Settings::load(&Given {
        flags,
        helper: &HelperLines::default(),
        variable: &lookup,
        directory: Some(Path::new(directory)),
        system_config: Path::new("/dev/null/none"),
    })
}

fn rig(flag: Option<&str>, variables: &[(&str, &str)], directory: &str) -> String {
    let flags = Flags { rig: flag.map(str::to_owned), ..Flags::default() };
    match settings(&flags, variables, directory).rig {
        Setting::Set { value, origin } => format!("{value} from {origin}"),
        Setting::Unset => "unset".to_owned(),
        Setting::Wrong { origin, why } => format!("{origin}: {why}"),
    }
}

#[test]
fn the_rig_is_told_by_flag_then_directory_then_environment() {
    let mayor = [("GASTOWN_RIG_ID", "mayor-town-1")];
    let worktree = "/workspace/rigs/rig-2/browse";
    assert_eq!(rig(Some("rig-3"), &mayor, worktree), "rig-3 from --rig");
    assert_eq!(rig(None, &mayor, worktree), "rig-2 from the working directory");
    assert_eq!(rig(None, &mayor, "/tmp"), "mayor-town-1 from GASTOWN_RIG_ID");
    assert_eq!(rig(None, &[], "/tmp"), "unset");
    assert_eq!(rig(None, &[("GASTOWN_RIG_ID", "")], "/tmp"), "unset");
    assert!(rig(None, &[("GASTOWN_RIG_ID", "../x")], "/tmp").starts_with("GASTOWN_RIG_ID: not an"));
}

#[test]
fn what_is_missing_is_named_all_at_once() {
    let settings = settings(&Flags::default(), &[("GASTOWN_API_URL", "http://x.example")], "/");
    let failure = settings.place().err().unwrap();
    assert_eq!(failure.name, Name::ConfigMissing);
    assert_eq!(
        failure.what,
        "GASTOWN_API_URL is http, which is for loopback only; use https; GASTOWN_TOWN_ID and \
         GASTOWN_RIG_ID are unset"
    );
}

#[test]
fn a_variable_that_is_set_but_empty_counts_as_unset_and_says_so() {
    let settings = settings(&Flags::default(), &[("GITHUB_CLI_PAT", ""), ("GIT_TOKEN", "")], "/");
    assert_eq!(settings.first_tokens().count(), 1);
    assert!(matches!(settings.static_tokens[0].token, Setting::Unset));
    assert!(settings.notes.contains(&"GITHUB_CLI_PAT is set but empty: counted as unset".into()));
}

#[test]
fn only_long_lived_tokens_answer_first() {
    let variables = [("GITHUB_CLI_PAT", "any"), ("GIT_TOKEN", "ghs_a"), ("GITHUB_TOKEN", "ghp_b")];
    let settings = settings(&Flags::default(), &variables, "/");
    let names = |tokens: &mut dyn Iterator<Item = &StaticToken>| {
        tokens.map(|token| token.name).collect::<Vec<_>>()
    };
    assert_eq!(names(&mut settings.first_tokens()), ["GITHUB_CLI_PAT", "GITHUB_TOKEN"]);
    assert_eq!(names(&mut settings.last_tokens()), ["GIT_TOKEN"]);
}

#[test]
fn the_list_of_hosts_is_replaced_not_extended() {
    let shown = |variables: &[(&str, &str)]| {
        let settings = settings(&Flags::default(), variables, "/");
        settings.hosts.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(shown(&[]), ["https://github.com", "https://gist.github.com"]);
    assert_eq!(
        shown(&[("GASTOWN_GIT_HOSTS", "ghe.example:8443, b")]),
        ["https://ghe.example:8443", "https://b"]
    );
    assert!(shown(&[("GASTOWN_GIT_HOSTS", "http://ghe.example")]).is_empty());
}

#[test]
fn a_gitlab_token_makes_its_instance_ours_and_no_other() {
    let serves = |variables: &[(&str, &str)], host: &str| {
        settings(&Flags::default(), variables, "/").serves(&Host::listed(host).unwrap())
    };
    let token = ("GITLAB_TOKEN", "glpat-a");
    assert!(serves(&[token], "gitlab.com"));
    assert!(!serves(&[], "gitlab.com"));
    let instance = ("GITLAB_INSTANCE_URL", "https://git.example/group");
    assert!(serves(&[token, instance], "git.example"));
    assert!(!serves(&[token, instance], "gitlab.com"));
    assert!(!serves(&[instance], "git.example"));
}

#[test]
fn the_machines_config_file_is_below_the_users() {
    use std::os::unix::fs::{PermissionsExt as _, chown};
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    std::fs::write(at("user"), r#"{"town_id": "of-user"}"#).unwrap();
    std::fs::write(at("system"), r#"{"town_id": "of-system", "rig_id": "rig-1"}"#).unwrap();
    for name in ["user", "system"] {
        std::fs::set_permissions(at(name), std::fs::Permissions::from_mode(0o644)).unwrap();
    }
    let flags = Flags { config: Some(at("user")), ..Flags::default() };
    let load = || {
        Settings::load(&Given {
            flags: &flags,
            helper: &HelperLines::default(),
            variable: &|_| None,
            directory: None,
            system_config: &at("system"),
        })
    };
    // Only root can make it root's, which it has to be.
    if chown(at("system"), Some(0), None).is_ok() {
        let settings = load();
        assert_eq!(settings.town.to_string(), "of-user (from `town_id` in the config file)");
        let rig = "rig-1 (from `rig_id` in /etc/gastown/config.json)";
        assert_eq!(settings.rig.to_string(), rig);
        assert_eq!(settings.warnings, [""; 0]);
        chown(at("system"), Some(1), None).unwrap();
    }
    let settings = load();
    assert!(settings.rig.is_unset());
    assert!(settings.warnings[0].contains("belongs to another user"), "{:?}", settings.warnings);
}
