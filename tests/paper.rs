//! README, man page and `docs/` against the program: what it knows is written down, and what is
//! written down it knows.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use git_credential_gastown::failure::Name;

use crate::transcript::HELPER;

const MAN_PAGE: &str = "man/git-credential-gastown.1";
const COMMANDS: &str = "docs/commands.md";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn man_page() -> String {
    read(MAN_PAGE).replace(r"\-", "-").replace(r"\fB", "").replace(r"\fI", "").replace(r"\fR", "")
}

/// What somebody who looks for a word would read, by name.
fn pages() -> [(&'static str, String); 2] {
    let reference = [COMMANDS, "docs/settings.md", "docs/troubleshooting.md"].map(read).concat();
    [("docs/", reference), (MAN_PAGE, man_page())]
}

fn files_below(directory: &str, ending: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join(directory)).expect("a directory of the repository");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let nested = paths.flat_map(|path| match path.is_dir() {
        true => files_below(&path.to_string_lossy(), ending),
        false => vec![path],
    });
    nested.filter(|path| path.to_string_lossy().ends_with(ending)).collect()
}

/// README and all of `docs/`, by path.
fn documents() -> Vec<(PathBuf, String)> {
    let mut paths = files_below("docs", ".md");
    paths.extend(
        ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"]
            .map(|name| root().join(name)),
    );
    let text = |path: &PathBuf| fs::read_to_string(path).expect("a document");
    paths.into_iter().map(|path| (path.clone(), text(&path))).collect()
}

/// The words of a text that are made of letters, digits, `_` and `-`.
fn words(text: &str) -> BTreeSet<&str> {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || "_-".contains(letter);
    text.split(|letter| !is_part(letter)).filter(|word| !word.is_empty()).collect()
}

fn help(arguments: &[&str]) -> String {
    let output = Command::new(HELPER).args(arguments).arg("--help").output().expect("it runs");
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).expect("help is text")
}

/// The commands that `--help` lists.
fn commands() -> Vec<String> {
    let help = help(&[]);
    let (_, list) = help.split_once("\nCommands:\n").expect("a list of commands");
    let lines = list.lines().take_while(|line| !line.is_empty());
    let name = |line: &str| line.split_whitespace().next().map(str::to_owned);
    let names: Vec<_> = lines.filter(|line| !line.starts_with("   ")).filter_map(name).collect();
    assert!(names.len() > 10, "{names:?}");
    names
}

/// The flags that any `--help` lists. `gh --help` is gh's own.
fn flags() -> BTreeSet<String> {
    let commands = commands();
    let ours = commands.iter().filter(|name| *name != "gh").map(|name| help(&[name]));
    let texts: Vec<_> = ours.chain([help(&[])]).collect();
    let lines = texts.iter().flat_map(|text| text.lines());
    let heads = lines.map(str::trim_start).filter(|line| line.starts_with('-'));
    let flags = heads.flat_map(|line| words(line).into_iter().take_while(|it| it.starts_with('-')));
    let flags: BTreeSet<_> = flags.filter(|it| it.len() > 1).map(str::to_owned).collect();
    assert!(flags.len() > 20, "{flags:?}");
    flags
}

/// The variables of ours that the program knows.
fn variables() -> BTreeSet<String> {
    let sources = files_below("src", ".rs");
    let texts = sources.iter().map(|path| fs::read_to_string(path).expect("a source file"));
    let variables: BTreeSet<_> = texts.flat_map(|text| ours(&text)).collect();
    assert!(variables.len() > 10, "{variables:?}");
    variables
}

fn ours(text: &str) -> Vec<String> {
    let is_ours = |word: &&str| word.starts_with("GASTOWN_") && word.len() > "GASTOWN_".len();
    words(text).into_iter().filter(is_ours).map(str::to_owned).collect()
}

fn assert_known<'a>(what: impl IntoIterator<Item = &'a str>) {
    let what: Vec<_> = what.into_iter().collect();
    for (page, text) in pages() {
        let words = words(&text);
        let missing: Vec<_> = what.iter().filter(|word| !words.contains(**word)).collect();
        assert!(missing.is_empty(), "not in {page}: {missing:?}");
    }
}

#[test]
fn every_command_is_described() {
    let commands = commands();
    assert_known(commands.iter().map(String::as_str));
    let page = man_page();
    let described = |name: &&String| page.contains(&format!("\n.TP\n{name}"));
    let missing: Vec<_> = commands.iter().filter(|name| !described(name)).collect();
    assert!(missing.is_empty(), "no paragraph in {MAN_PAGE}: {missing:?}");
}

#[test]
fn every_flag_is_described_and_no_other() {
    let flags = flags();
    assert_known(flags.iter().map(String::as_str));
    for (page, text) in [(COMMANDS, read(COMMANDS)), (MAN_PAGE, man_page())] {
        let is_flag = |word: &&str| word.starts_with("--") && !word.trim_matches('-').is_empty();
        let unknown: Vec<_> = words(&text)
            .into_iter()
            .filter(is_flag)
            .filter(|flag| !flags.contains(*flag))
            .collect();
        assert!(unknown.is_empty(), "{page} tells of flags that do not exist: {unknown:?}");
    }
}

#[test]
fn every_variable_is_described_and_no_other() {
    let variables = variables();
    assert_known(variables.iter().map(String::as_str));
    let pages = documents().into_iter().chain([(MAN_PAGE.into(), man_page())]);
    for (page, text) in pages {
        let unknown: Vec<_> =
            ours(&text).into_iter().filter(|name| !variables.contains(name)).collect();
        assert!(unknown.is_empty(), "{page:?} tells of variables that do not exist: {unknown:?}");
    }
}

#[test]
fn every_error_is_described_and_no_other() {
    let names = Name::ALL.map(Name::as_str);
    assert_known(names);
    let text = read("docs/troubleshooting.md");
    let headings: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("### ")).collect();
    assert_eq!(headings, names, "the headings of docs/troubleshooting.md");
}

#[test]
fn the_man_page_is_of_this_version() {
    let version = env!("CARGO_PKG_VERSION");
    assert!(man_page().contains(&format!("\"git-credential-gastown {version}\"")));
}

#[test]
fn every_link_leads_to_a_file() {
    for (page, text) in documents() {
        let directory = page.parent().expect("a file is in a directory");
        let links = text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next());
        let local = links.filter(|link| !link.is_empty() && !link.contains("://"));
        let broken: Vec<_> = local.filter(|link| !directory.join(link).exists()).collect();
        assert!(broken.is_empty(), "{page:?}: {broken:?}");
    }
}

/// In a home of its own, where git is not configured.
fn install_sh(home: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new("sh");
    command.arg(root().join("install.sh")).args(arguments).current_dir(home);
    command.env("HOME", home).env("GIT_CONFIG_NOSYSTEM", "1").env_remove("XDG_CONFIG_HOME");
    command.output().expect("there is a shell")
}

#[test]
fn what_install_sh_installs_it_removes() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let home = home.path();
    let prefix = home.join("o' prefix");
    let installed = install_sh(home, &["--prefix", "o' prefix", "--binary", HELPER, "--setup"]);
    assert!(installed.status.success(), "{installed:?}");
    let program = prefix.join("bin/git-credential-gastown");
    let page = prefix.join("share/man/man1/git-credential-gastown.1");
    assert_eq!(fs::read(&program).unwrap(), fs::read(HELPER).unwrap());
    assert_eq!(fs::read(page).unwrap(), fs::read(root().join(MAN_PAGE)).unwrap());
    assert!(home.join(".gitconfig").exists());

    let refused = install_sh(home, &["--uninstall", "--prefix", "o' prefix"]);
    let told = String::from_utf8(refused.stderr).unwrap();
    assert!(!refused.status.success() && told.contains("setup --undo"), "{told}");
    let undone = Command::new(&program).args(["setup", "--undo"]).env("HOME", home).output();
    assert!(undone.unwrap().status.success());
    let removed = install_sh(home, &["--uninstall", "--prefix", "o' prefix"]);
    assert!(removed.status.success(), "{removed:?}");
    assert!(!prefix.exists() && !home.join(".gitconfig").exists());
}

#[test]
fn install_sh_takes_nothing_but_this_program() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let home = home.path();
    fs::write(home.join("text"), "touch run\n").unwrap();
    for stranger in ["text", "/bin/ls", "absent"] {
        let refused = install_sh(home, &["--prefix", "p", "--binary", stranger]);
        assert!(!refused.status.success(), "{stranger}: {refused:?}");
        assert!(!home.join("run").exists() && !home.join("p/bin/git-credential-gastown").exists());
    }
}
