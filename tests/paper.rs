//! The documents against the program and each other, and `install.sh` with what it installs. What a
//! table can say of the program is generated: `examples/reference`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::transcript::HELPER;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files with this ending below a directory of the repository, with their text.
fn files_below(directory: &Path, ending: &str) -> Vec<(PathBuf, String)> {
    let entries = fs::read_dir(directory).expect("a directory of the repository");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let files = paths.flat_map(|path| match path.is_dir() {
        true => files_below(&path, ending),
        false if path.to_string_lossy().ends_with(ending) => vec![with_text(path)],
        false => Vec::new(),
    });
    files.collect()
}

fn with_text(path: PathBuf) -> (PathBuf, String) {
    let text = fs::read_to_string(&path).expect("a file of the repository");
    (path, text)
}

/// The documents in the root of the repository and all of `docs/`.
fn documents() -> Vec<(PathBuf, String)> {
    let names = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"];
    let in_root = names.into_iter().map(|name| with_text(root().join(name)));
    in_root.chain(files_below(&root().join("docs"), ".md")).collect()
}

/// The variables of ours that a text names.
fn variables(text: &str) -> BTreeSet<&str> {
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    words.filter(|word| word.starts_with("GASTOWN_") && *word != "GASTOWN_").collect()
}

#[test]
fn every_variable_of_the_program_is_in_the_table_and_no_other_in_a_document() {
    let sources = files_below(&root().join("src"), ".rs");
    let known: BTreeSet<_> = sources.iter().flat_map(|(_, text)| variables(text)).collect();
    let documents = documents();
    let described = documents.iter().find(|(path, _)| path.ends_with("reference/settings.md"));
    assert_eq!(variables(&described.expect("the table of settings").1), known);
    for (path, text) in &documents {
        let unknown: Vec<_> = variables(text).difference(&known).copied().collect();
        assert!(unknown.is_empty(), "{path:?}: {unknown:?}");
    }
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
    assert_eq!(
        fs::read(page).unwrap(),
        fs::read(root().join("man/git-credential-gastown.1")).unwrap()
    );
    assert!(home.join(".gitconfig").exists());

    let refused = install_sh(home, &["--uninstall", "--prefix", "o' prefix"]);
    let told = String::from_utf8(refused.stderr).unwrap();
    assert!(!refused.status.success() && told.contains("setup --undo --global"), "{told}");
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
