//! The documents name the test that proves each promise: so each must exist, and a test that was
//! renamed or removed takes its promise with it. The table of faults also has every test of a fault.

use std::fs;
use std::path::Path;

const FAULTS: &str = include_str!("../docs/reliability.md");
const SECURITY: [&str; 2] = [include_str!("../docs/security.md"), include_str!("../SECURITY.md")];

/// The tests of all files below a directory, as `module::test`. A file of tests that belongs to
/// another, `x/tests.rs`, goes by that one's name.
fn tests_below(directory: &str, module: &str, found: &mut Vec<String>) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for entry in fs::read_dir(root.join(directory)).expect("a directory").flatten() {
        let name = entry.file_name().into_string().expect("text");
        let path = format!("{directory}/{name}");
        if entry.path().is_dir() {
            tests_below(&path, &format!("{module}{name}::"), found);
        } else if let Some(stem) = name.strip_suffix(".rs") {
            let text = fs::read_to_string(entry.path()).expect("text");
            // One behind `#[ignore]` proves nothing.
            let tests = text.split("#[test]\n").skip(1);
            let tests =
                tests.filter_map(|it| it.trim_start().strip_prefix("fn ")?.split('(').next());
            let own = if stem == "tests" { String::new() } else { format!("{stem}::") };
            found.extend(tests.map(|test| format!("::{module}{own}{test}")));
        }
    }
}

fn tests() -> Vec<String> {
    let mut found = Vec::new();
    tests_below("tests", "", &mut found);
    tests_below("src", "", &mut found);
    found
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
