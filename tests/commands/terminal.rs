//! At a terminal: no token is shown by accident, and colour is for terminals only.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::process::{Command, Stdio};
use std::thread;

use rustix::fs::OFlags;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use super::*;

/// Both ends of a terminal.
fn terminal() -> (File, File) {
    let person = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
    grantpt(&person).expect("a terminal");
    unlockpt(&person).expect("a terminal");
    let path = ptsname(&person, Vec::new()).expect("a terminal");
    let path = path.to_str().expect("a path in UTF-8");
    let mut options = File::options();
    // It must not become the terminal of the tests themselves.
    options.read(true).write(true).custom_flags(OFlags::NOCTTY.bits().cast_signed());
    let program = options.open(path).expect("a terminal");
    (File::from(person), program)
}

/// Runs with stdout at a terminal: the exit code, what the terminal shows, stderr.
fn shown(mut command: Command) -> (i32, String, String) {
    let (mut person, program) = terminal();
    command.stdin(Stdio::null()).stdout(program).stderr(Stdio::piped());
    let child = command.spawn().expect("the program under test can be started");
    // It holds the program's end, and reading goes on until nobody does.
    drop(command);
    let reader = thread::spawn(move || {
        let mut bytes = Vec::new();
        // Ends with an error once the program has ended.
        let _ = person.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    });
    let output = child.wait_with_output().expect("pipes can be read");
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code().unwrap_or(-1), reader.join().expect("it ends"), stderr)
}

#[test]
fn a_token_is_shown_only_to_who_insists() {
    let scene = Scene::new();
    for arguments in [&["token"][..], &["token", "--json"]] {
        let (code, screen, stderr) = shown(scene.command(arguments));
        assert_eq!((code, &*screen), (1, ""), "{stderr}");
        assert!(stderr.contains("add --reveal"), "{stderr}");
    }
    assert_eq!(scene.calls(), 0);
    let (code, screen, stderr) = shown(scene.command(&["token", "--reveal"]));
    let token = scene.current();
    assert_eq!((code, screen.trim_end(), &*stderr), (0, &*token, ""));
}

#[test]
fn whoever_types_get_is_told_what_to_type() {
    let scene = Scene::new();
    let (mut person, program) = terminal();
    let mut command = scene.command(&["get"]);
    command.stdin(program).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    let request = format!("protocol=http\nhost={}\n\n", scene.github.host());
    person.write_all(request.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(stderr.contains("git credential-gastown get https://"), "{stderr}");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), scene.get().stdout);
}

#[test]
fn a_mistyped_word_is_corrected_for_people_and_ignored_for_git() {
    let scene = Scene::new();
    let typed = |words: &[&str]| {
        let (_person, program) = terminal();
        let mut command = scene.command(words);
        let output = command.stdin(program).output().expect("it can be started");
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{stderr}");
        stderr
    };
    assert!(typed(&["docter"]).contains("'doctor'"));
    assert!(typed(&["docter", "--json"]).contains("'doctor'"));
    assert!(typed(&["xyzzy"]).contains("'xyzzy'"));
    let with_token = typed(&["https://me:ghp_mine@github.com"]);
    assert!(with_token.contains("@github.com'") && !with_token.contains("ghp_"), "{with_token}");
    let of_git = scene.helper(&["docter"]);
    assert_eq!((of_git.code, &*of_git.stdout, &*of_git.stderr), (0, "", ""), "{of_git:?}");
}

#[test]
fn help_fits_a_narrow_terminal_and_begins_with_what_is_for_people() {
    let scene = Scene::new();
    for command in ["", "setup", "doctor", "status", "token", "exec", "refresh", "get"] {
        let words: Vec<_> = [command, "--help"].into_iter().filter(|it| !it.is_empty()).collect();
        let help = scene.helper(&words).assert_ok().stdout.clone();
        assert!(help.lines().all(|line| line.len() <= 80), "{help}");
        let at = |text: &str| help.find(text).unwrap_or_else(|| panic!("no {text}: {help}"));
        assert!(at("\nOptions:\n") < at("\nSettings of every command:\n"), "{help}");
        if command.is_empty() {
            assert!(at("\n  setup ") < at("\n  get "), "{help}");
        }
    }
}

#[test]
fn statuses_are_in_colour_unless_that_is_not_wanted() {
    let mut scene = Scene::new();
    scene.get().assert_ok();
    scene.home.set("TERM", "xterm");
    let (_, screen, _) = shown(scene.command(&["status"]));
    assert!(screen.contains("\x1b[32mFRESH\x1b[0m"), "{screen:?}");
    let (_, screen, _) = shown(scene.command(&["doctor", "--offline"]));
    assert!(screen.contains("\x1b[32mok  \x1b[0m  "), "{screen:?}");
    for command in [&["status"][..], &["doctor", "--offline"]] {
        assert!(!scene.helper(command).stdout.contains('\x1b'));
    }
    scene.home.set("NO_COLOR", "1");
    let (_, screen, _) = shown(scene.command(&["status"]));
    assert!(screen.contains("FRESH") && !screen.contains('\x1b'), "{screen:?}");
    scene.home.unset("NO_COLOR").set("TERM", "dumb");
    let (_, screen, _) = shown(scene.command(&["status"]));
    assert!(!screen.contains('\x1b'), "{screen:?}");
}

#[test]
fn a_token_typed_as_an_argument_does_not_come_back() {
    let scene = Scene::new();
    for arguments in [
        &["token", "--min-life", "ghp_sentinel"][..],
        &["--on-failure", "ghp_sentinel", "status"],
        &["status", "ghp_sentinel"],
        &["status", "--ghp_sentinel"],
    ] {
        let ran = scene.helper(arguments);
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{ran:?}");
        assert!(ran.stderr.starts_with("error: ") && !ran.stderr.contains("sentinel"), "{ran:?}");
    }
}
