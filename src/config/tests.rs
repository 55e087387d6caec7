use std::fs::{Permissions, set_permissions, write};
use std::os::unix::fs::{PermissionsExt as _, chown};

use super::*;

/// Settings from these files alone.
fn load(user_config: &Path, system_config: &Path) -> Settings {
    Settings::load(&Given {
        flags: &Flags { config: Some(user_config.to_owned()), ..Flags::default() },
        helper: &HelperLines::default(),
        variable: &|_| None,
        directory: Some(Path::new("/")),
        system_config,
    })
}

#[test]
fn the_machines_config_file_is_below_the_users_and_has_to_be_roots() {
    let directory = tempfile::tempdir().unwrap();
    let (user, system) = (directory.path().join("user"), directory.path().join("system"));
    write(&user, r#"{"town_id": "of-user"}"#).unwrap();
    write(&system, r#"{"town_id": "of-system", "rig_id": "rig-1"}"#).unwrap();
    for path in [&user, &system] {
        set_permissions(path, Permissions::from_mode(0o644)).unwrap();
    }
    // Only root can make it root's.
    if chown(&system, Some(0), None).is_ok() {
        let settings = load(&user, &system);
        assert_eq!(settings.town.to_string(), "of-user (from `town_id` in the config file)");
        let rig = "rig-1 (from `rig_id` in /etc/gastown/config.json)";
        assert_eq!(settings.rig.to_string(), rig);
        assert_eq!(settings.warnings, [""; 0]);
        chown(&system, Some(1), None).unwrap();
    }
    let settings = load(&user, &system);
    assert!(settings.rig.is_unset());
    assert!(settings.warnings[0].contains("belongs to another user"), "{:?}", settings.warnings);
}
