//! The documents name what exists: the test that proves each promise, so that one that was renamed or
//! removed takes its promise with it, and files. The table of faults has every test of a fault.

use std::fs;
use std::path::Path;

const FAULTS: &str = include_str!("../docs/reliability.md");
const SECURITY: [&str; 2] = [include_str!("../docs/security.md"), include_str!("../SECURITY.md")];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn with_text(path: String) -> (String, String) {
    let text = fs::read_to_string(root().join(&path)).expect("a file of the repository");
    (path, text)
}

/// The files with this ending below a directory of the repository, with their text.
fn files_below(directory: &str, ending: &str) -> Vec<(String, String)> {
    let entries = fs::read_dir(root().join(directory)).expect("a directory of the repository");
    let paths = entries.flatten().map(|it| (it.path().is_dir(), it.file_name()));
    let paths = paths.map(|(is_dir, name)| (is_dir, format!("{directory}/{}", name.display())));
    let files = paths.flat_map(|(is_dir, path)| match is_dir {
        true => files_below(&path, ending),
        false => Some(path).filter(|it| it.ends_with(ending)).map(with_text).into_iter().collect(),
    });
    files.collect()
}

/// The tests of all files, as `::module::test`. A file of tests that belongs to another,
/// `x/tests.rs`, goes by that one's name.
fn tests() -> Vec<String> {
    let files = ["tests", "src"].into_iter().flat_map(|it| files_below(it, ".rs"));
    let tests = files.flat_map(|(path, text)| {
        let module = path.trim_end_matches(".rs").trim_end_matches("/tests");
        let module = module.split_once('/').expect("below a directory").1.replace('/', "::");
        // One behind `#[ignore]` proves nothing.
        let tests = text.split("#[test]\n").skip(1);
        let tests = tests.filter_map(|it| it.trim_start().strip_prefix("fn ")?.split('(').next());
        tests.map(|test| format!("::{module}::{test}")).collect::<Vec<_>>()
    });
    tests.collect()
}

fn named_in(document: &str) -> impl Iterator<Item = &str> {
    let words = document.split('`').skip(1).step_by(2);
    words.filter(|word| word.contains("::") && !word.contains(' '))
}

#[test]
fn every_named_test_exists() {
    let tests = tests();
    for document in SECURITY.into_iter().chain([FAULTS]) {
        let is_missing =
            |name: &&str| !tests.iter().any(|test| test.ends_with(&format!("::{name}")));
        let missing: Vec<_> = named_in(document).filter(is_missing).collect();
        assert!(missing.is_empty(), "no such test: {missing:#?}");
    }
    assert!(SECURITY.into_iter().chain([FAULTS]).flat_map(named_in).count() > 150);
}

#[test]
fn every_fault_has_a_proof_and_every_test_of_one_its_place_in_the_table() {
    for line in FAULTS.lines().filter_map(|line| line.strip_prefix("| ")) {
        let cells: Vec<_> = line.split(" |").filter(|cell| !cell.is_empty()).collect();
        let is_promise = cells.len() < 3 && cells != ["promise", " proof"];
        assert!(!is_promise || line.contains("::"), "no proof: {line}");
    }
    for test in tests().iter().filter_map(|test| test.strip_prefix("::faults::")) {
        assert!(FAULTS.contains(&format!("`faults::{test}`")), "not in the table: {test}");
    }
}

#[test]
fn every_link_leads_to_a_file() {
    let in_root = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"];
    let in_root = in_root.map(|name| with_text(name.to_owned()));
    for (page, text) in in_root.into_iter().chain(files_below("docs", ".md")) {
        let directory = root().join(&page).with_file_name("");
        let links = text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next());
        let local = links.filter(|link| !link.is_empty() && !link.contains("://"));
        let broken: Vec<_> = local.filter(|link| !directory.join(link).exists()).collect();
        assert!(broken.is_empty(), "{page}: {broken:?}");
    }
}
