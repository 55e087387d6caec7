//! What undo restores, to the byte.

use super::*;

const MINE: &str = "# mine\n[credential]\n\thelper = cache ; note\n[user]\n\tname = x";

#[test]
fn undoing_restores_the_file_to_the_byte_with_its_mode() {
    for scene in Scene::each_git_alone() {
        scene.write(".gitconfig", MINE);
        set_mode(scene.path(".gitconfig"), 0o600);
        let before = scene.snapshot();
        scene.setup(&[]).assert_ok();
        scene.setup(&["--rig", "rig-1"]).assert_ok();
        scene.setup(&["--undo"]).assert_ok();
        assert_eq!(scene.snapshot(), before);
        assert_eq!(mode(scene.path(".gitconfig")), 0o600);
        scene.setup(&["--undo"]).assert_ok().tells("nothing to undo");
    }
}

#[test]
fn after_others_changed_the_file_only_our_lines_go() {
    for scene in Scene::each_git_alone() {
        let other = "[credential]\n\thelper = cache ; note\n";
        let own = format!("[credential \"{}\"]\n\thelper = \n\thelper = cache\n", scene.host);
        let user = "[user]\n\tname = x\n\temail = x\n";
        for (mine, has_note) in [(other, true), (&own, true), ("", false)] {
            scene.write(".gitconfig", format!("{mine}[user]\n\tname = x\n"));
            scene.setup(&[]).assert_ok();
            if !has_note {
                fs::remove_dir_all(scene.path(".config/gastown/setup")).unwrap();
            }
            scene.home.git(&["config", "--global", "user.email", "x"]).assert_ok();
            scene.setup(&["--undo"]).assert_ok().tells("took the lines of this helper");
            assert_eq!(scene.read(".gitconfig"), format!("{mine}{user}"));
        }
    }
}

#[test]
fn what_others_change_in_our_section_stays_and_our_lines_go() {
    let scene = Scene::alone();
    let head = format!("[credential \"{}\"]\n", scene.host);
    let theirs = format!("{head}\thelper = \n\thelper = \"!gh auth\" # gh\n[user]\n\tname = x\n");
    let ours = scene.added();
    let cases = [
        (format!("{ours}\tusername = bob\n"), format!("{head}\tusername = bob\n")),
        (format!("{ours}\thelper = cache\n"), format!("{head}\thelper = cache\n")),
        (ours.replacen('\n', "\n\n", 1), format!("{head}\n")),
        (ours.replace('\n', "\r\n"), String::new()),
        (ours.replace('\t', "    "), String::new()),
        (ours.replace("helper = ", "Helper="), String::new()),
        (format!("{}; ours\n", ours.trim_end()), String::new()),
        (format!("{}\n\t\n[a]\n", ours.trim_end()), format!("{head}\t\n[a]\n")),
        (
            format!("{}{head}\thelper = \n", ours.replacen(" = \n", " = \n\t# x\n", 1)),
            format!("{head}\t# x\n{head}\thelper = \n"),
        ),
    ];
    for (changed, left) in cases {
        scene.write(".gitconfig", &theirs);
        scene.setup(&[]).assert_ok();
        assert_eq!(scene.read(".gitconfig"), format!("{theirs}{ours}"));
        scene.write(".gitconfig", format!("{theirs}{changed}"));
        scene.setup(&["--undo"]).assert_ok();
        assert_eq!(scene.read(".gitconfig"), format!("{theirs}{left}"), "{changed}");
    }
}

#[test]
fn without_a_place_named_every_place_is_undone_and_a_dry_run_undoes_none() {
    let scene = Scene::alone();
    let before = scene.snapshot();
    scene.setup(&["--file", "one"]).assert_ok();
    scene.setup(&["--file", "two"]).assert_ok();
    scene.setup(&[]).assert_ok();
    let after = scene.snapshot();
    scene.setup(&["--undo", "--dry-run"]).assert_ok();
    assert_eq!(scene.snapshot(), after);
    scene.setup(&["--undo"]).assert_ok();
    assert_eq!(scene.snapshot(), before);
}

#[test]
fn damaged_note_is_an_error_that_says_how_to_go_on() {
    let scene = Scene::alone();
    scene.write(".gitconfig", MINE);
    scene.setup(&[]).assert_ok();
    let directory = scene.path(".config/gastown/setup");
    let note = fs::read_dir(&directory).unwrap().next().unwrap().unwrap().path();
    let text = fs::read_to_string(&note).unwrap();
    let after = scene.read(".gitconfig");
    for (wrong, is_undo_all) in [
        (String::new(), true),
        ("{}".to_owned(), false),
        (text.replace("\"pieces\":[", "\"pieces\":[99999999999,"), true),
        (text.replace("\"pieces\":[", "\"pieces\":[\"AAAA\","), true),
        (text.replace(".gitconfig", "other"), false),
    ] {
        fs::write(&note, wrong).unwrap();
        let arguments: &[&str] = if is_undo_all { &["--undo"] } else { &["--undo", "--global"] };
        let refused = scene.setup(arguments);
        let said = refused.assert_fails().stdout.clone() + &refused.stderr;
        assert!(said.contains("damaged") && said.contains("[setup-failed]"), "{refused:?}");
        assert!(!said.contains("internal error"), "{refused:?}");
        assert_eq!(scene.read(".gitconfig"), after);
    }
    fs::write(&note, "{").unwrap();
    let refused = scene.setup(&["--undo"]);
    let (_, advice) = refused.stdout.split_once("run this again: ").expect("advice");
    scene.paste(advice.lines().next().unwrap()).assert_ok();
    scene.setup(&["--undo"]).assert_ok();
    assert!(!scene.read(".gitconfig").contains(HELPER));
}

#[test]
fn note_that_others_can_write_is_not_used() {
    for place in [&[][..], &["--global"]] {
        let scene = Scene::alone();
        scene.write(".gitconfig", MINE);
        scene.setup(place).assert_ok();
        set_mode(scene.path(".config/gastown/setup"), 0o777);
        scene.setup(&[&["--undo"], place].concat()).assert_ok().mentions("others can write to");
        // git ends the last line, which only the note knows was not ended.
        assert_eq!(scene.read(".gitconfig"), MINE.to_owned() + "\n");
    }
}

#[test]
fn without_a_home_the_note_is_where_a_variable_says() {
    let scene = Scene::alone();
    let before = scene.snapshot();
    let script =
        "export GIT_CONFIG_GLOBAL=\"$HOME/config\" XDG_CONFIG_HOME=\"$HOME/xdg\"; unset HOME
        \"$HELPER\" setup && test -e \"$GIT_CONFIG_GLOBAL\" && \"$HELPER\" setup --undo";
    assert_eq!(scene.shell(script).assert_ok().stderr, "");
    assert_eq!(scene.snapshot(), before);
}

#[test]
fn occupied_gh_changes_nothing_and_what_was_set_up_before_can_be_undone() {
    let scene = Scene::alone();
    scene.write(".gitconfig", MINE);
    fs::create_dir(scene.path("bin")).unwrap();
    scene.write("bin/gh", "the real one");
    let before = scene.snapshot();
    scene.setup(&["--gh-shim", "bin"]).assert_fails();
    assert_eq!(scene.snapshot(), before);
    scene.setup(&[]).assert_ok();
    scene.setup(&["--rig", "rig-1", "--gh-shim", "bin"]).assert_fails();
    scene.setup(&["--undo"]).assert_ok();
    assert_eq!(scene.snapshot(), before);
}

#[test]
fn note_is_private_and_holds_no_secret_of_the_file() {
    let mut scene = Scene::alone();
    scene.home.set("GASTOWN_GIT_HOSTS", "one.example,two.example");
    let mine = "[credential \"https://one.example\"]\n\tusername = x\n[http]\n\textraHeader = \
                c2VudGluZWw\n[credential \"https://two.example\"]\n\tusername = x\n";
    scene.write(".gitconfig", mine);
    scene.setup(&[]).assert_ok();
    let note = fs::read_dir(scene.path(".config/gastown/setup")).unwrap().next().unwrap().unwrap();
    let text = fs::read_to_string(note.path()).unwrap();
    for secret in ["c2VudGluZWw", "YzJWdWRHbHVaV3c"] {
        assert!(!text.contains(secret), "{text}");
    }
    assert!(text.len() < 2500, "{text}");
    assert_eq!(mode(note.path()), 0o600);
    scene.setup(&["--undo"]).assert_ok();
    assert_eq!(scene.read(".gitconfig"), mine);
}
