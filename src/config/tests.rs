use std::fs::{Permissions, set_permissions, write};
use std::os::unix::fs::{PermissionsExt as _, chown};

use super::*;

/// Settings from these files alone.
fn load(user_config: &Path, system_config: &Path) -> Settings {
    let flags = Flags { config: Some(user_config.to_owned()), ..Flags::default() };
    Settings::of(&mut Sources::open([&flags, &Flags::default()], &[], &|_| None, system_config))
}

#[test]
fn the_machines_config_file_is_below_the_users_and_has_to_be_roots() {
    let directory = tempfile::tempdir().unwrap();
    let (user, system) = (directory.path().join("user"), directory.path().join("system"));
    write(&user, r#"{"town_id": "of-user"}"#).unwrap();
    write(&system, r#"{"town_id": "of-system", "api_url": "https://w.example"}"#).unwrap();
    for path in [&user, &system] {
        set_permissions(path, Permissions::from_mode(0o644)).unwrap();
    }
    // Only root can make it root's.
    if chown(&system, Some(0), None).is_ok() {
        let settings = load(&user, &system);
        assert_eq!(settings.town.to_string(), "of-user (from `town_id` in the config file)");
        let api_url = "https://w.example (from `api_url` in /etc/gastown/config.json)";
        assert_eq!(settings.api_url.to_string(), api_url);
        assert_eq!(settings.warnings, [""; 0]);
        chown(&system, Some(1), None).unwrap();
    }
    let settings = load(&user, &system);
    assert!(settings.api_url.is_unset());
    assert!(settings.warnings[0].contains("belongs to another user"), "{:?}", settings.warnings);
}
