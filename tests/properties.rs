//! What holds for any input, on the pure core: drawn at random, and shrunk when it does not hold.
//! The checks that the fuzz targets make run here too, on their seeds and on mutations of them.

use proptest::prelude::{ProptestConfig, Strategy, any, prop};

mod fuzzing;
mod policy;
mod texts;

/// Fewer cases than usual, as the suite has many; and no file with past failures, because a
/// failure prints the input that it needs.
fn config() -> ProptestConfig {
    ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() }
}

/// What fools readers: of lines, of URLs, of terminals, of JSON.
const PIECES: [&str; 28] = [
    "github.com",
    "evil.example",
    ".",
    ":443",
    "@",
    "/",
    "%0a",
    "=",
    "\n",
    "\r",
    "\r\n",
    "\0",
    "\u{1b}[31m",
    "\u{7f}",
    "\u{85}",
    "\u{9b}",
    "\u{2028}",
    "\u{2029}",
    "\u{202e}",
    "ghs_",
    "ghp_abc",
    "eyJ",
    "github_pat_",
    "\\",
    "\"",
    " ",
    "\t",
    "é",
];

/// Text with everything in it that has ever fooled a reader of lines.
fn hostile_text() -> impl Strategy<Value = String> {
    let piece = piece_of_text();
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

fn piece_of_text() -> impl Strategy<Value = String> {
    proptest::prop_oneof![
        3 => prop::sample::select(&PIECES[..]).prop_map(str::to_owned),
        1 => any::<String>(),
    ]
}
