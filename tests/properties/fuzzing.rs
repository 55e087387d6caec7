//! A short run of the fuzz targets' checks without a fuzzer: their seeds, each of them mutated a
//! few hundred times with a fixed seed, and plain random bytes.

use std::fs;
use std::path::Path;

use proptest::prelude::{any, prop};
use proptest::proptest;

use super::{config, hostile_text};
use checks::{record, reply, request};

#[allow(unreachable_pub, reason = "shared with the fuzz targets")]
#[path = "../../fuzz/checks/mod.rs"]
mod checks;

const MUTATIONS: usize = 500;

type Check = fn(&[u8]);

const TARGETS: [(&str, Check); 3] =
    [("record", record::check), ("reply", reply::check), ("request", request::check)];

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut files: Vec<_> = fs::read_dir(directory).expect("a corpus").flatten().collect();
    files.sort_by_key(fs::DirEntry::path);
    files.iter().map(|file| fs::read(file.path()).expect("readable")).collect()
}

/// One to four changes: a byte, a piece gone, a piece twice, or a piece of another seed.
fn mutated(seeds: &[Vec<u8>], random: &mut fastrand::Rng) -> Vec<u8> {
    let mut bytes = random.choice(seeds).expect("a corpus is not empty").clone();
    for _ in 0..random.usize(1..=4) {
        let at = random.usize(0..=bytes.len());
        let end = random.usize(at..=bytes.len());
        match random.u8(0..4) {
            0 => bytes.insert(at, random.u8(..)),
            1 => drop(bytes.drain(at..end)),
            2 => drop(bytes.splice(at..at, bytes[at..end].to_vec())),
            _ => {
                let other = random.choice(seeds).expect("as above");
                let from = random.usize(0..=other.len());
                bytes.splice(at..end, other[from..].iter().copied());
            }
        }
    }
    bytes
}

#[test]
fn the_seeds_of_every_fuzz_target_and_their_mutations_pass() {
    for (target, check) in TARGETS {
        let seeds = seeds(target);
        assert!(seeds.len() > 10, "{target} has a corpus");
        seeds.iter().for_each(|seed| check(seed));
        let mut random = fastrand::Rng::with_seed(6);
        for _ in 0..MUTATIONS {
            check(&mutated(&seeds, &mut random));
        }
    }
}

#[test]
fn every_fuzz_target_is_run_here() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/fuzz_targets");
    let files = fs::read_dir(directory).expect("the targets").flatten();
    let mut names: Vec<_> = files.map(|it| it.file_name().into_string().expect("text")).collect();
    names.sort();
    assert_eq!(names, TARGETS.map(|(name, _)| format!("{name}.rs")));
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn no_bytes_make_a_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        for (_, check) in TARGETS {
            check(&bytes);
        }
    }

    #[test]
    fn no_words_of_a_worker_reach_a_person_unmasked(
        status in 200_u16..600,
        header in hostile_text(),
        said in hostile_text(),
    ) {
        let header = header.replace('\n', "");
        let body = serde_json::json!({ "success": false, "error": said, "data": { "token": said } });
        reply::check(format!("{status}\n{header}\n{header}\n{header}\n{body}").as_bytes());
    }
}
