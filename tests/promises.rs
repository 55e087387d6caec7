//! The documents on security name the test that proves each promise: so each must exist.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

fn root(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// The tests of all files below a directory, as `file::test`. A file of tests that belongs to
/// another, `x/tests.rs`, goes by that one's name.
fn tests_below(directory: &Path, found: &mut BTreeMap<String, PathBuf>) {
    for entry in fs::read_dir(directory).expect("a directory").flatten() {
        let path = entry.path();
        if path.is_dir() {
            tests_below(&path, found);
        } else if path.extension().is_some_and(|it| it == "rs") {
            let stem = match path.file_stem().expect("it has a name").to_string_lossy() {
                stem if stem == "tests" => {
                    directory.file_name().expect("as above").to_string_lossy()
                }
                stem => stem,
            };
            for name in tests_in(&fs::read_to_string(&path).expect("text")) {
                found.insert(format!("{stem}::{name}"), path.clone());
            }
        }
    }
}

/// The functions behind `#[test]`, ignored ones excepted: they prove nothing.
fn tests_in<'a>(text: &'a str) -> Vec<&'a str> {
    let tests = text.split("#[test]\n").skip(1);
    let name = |test: &'a str| test.trim_start().strip_prefix("fn ")?.split('(').next();
    tests.filter_map(name).collect()
}

fn named_in(document: &str) -> Vec<String> {
    let text = fs::read_to_string(root(document)).expect("a document");
    let words = text.split('`').skip(1).step_by(2);
    words.filter(|word| word.contains("::") && !word.contains(' ')).map(str::to_owned).collect()
}

#[test]
fn every_named_test_exists() {
    let mut tests = BTreeMap::new();
    tests_below(&root("tests"), &mut tests);
    tests_below(&root("src"), &mut tests);
    let named = [named_in("docs/security.md"), named_in("SECURITY.md")].concat();
    assert!(named.len() > 30, "the documents name tests");
    let missing: Vec<_> = named.iter().filter(|name| !tests.contains_key(*name)).collect();
    assert!(missing.is_empty(), "no such test: {missing:#?}");
}
