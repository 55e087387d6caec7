//! The table of promises names the test that proves each, and a test that was renamed or removed
//! takes its promise with it.

use std::fs;
use std::path::Path;

const TABLE: &str = include_str!("../../docs/reliability.md");

#[test]
fn every_promise_is_proved_by_a_test_that_exists() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let quoted = TABLE.split('`').skip(1).step_by(2);
    let names: Vec<_> = quoted.filter(|quoted| quoted.contains("::")).collect();
    assert!(names.len() > 50, "the table is not read as it should be: {names:?}");
    for name in names {
        let (module, test) = name.rsplit_once("::").expect("it has a module");
        let file = tests.join(module.replace("::", "/")).with_extension("rs");
        let text = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(text.contains(&format!("#[test]\nfn {test}() {{")), "there is no test {name}");
    }
}

#[test]
fn every_promise_has_a_proof_and_every_proof_a_promise() {
    for line in TABLE.lines().filter_map(|line| line.strip_prefix("| ")) {
        let cells: Vec<_> = line.split(" |").filter(|cell| !cell.is_empty()).collect();
        let is_promise = cells.len() < 3 && cells != ["promise", " proof"];
        assert!(!is_promise || line.contains("::"), "no proof: {line}");
    }
    let modules = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faults");
    for file in fs::read_dir(modules).expect("they are next to this one") {
        let file = file.expect("readable").path();
        let module = file.file_stem().expect("a name").to_string_lossy().into_owned();
        let text = fs::read_to_string(&file).expect("a source is text");
        let tests = text.split("#[test]\nfn ").skip(1).filter_map(|it| Some(it.split_once('(')?.0));
        for test in tests.filter(|_| module != "promises") {
            let name = format!("`faults::{module}::{test}`");
            assert!(TABLE.contains(&name), "no promise for {name}");
        }
    }
}
