//! What `install.sh` builds on which machine: for musl where Rust can, and for glibc with a word on
//! how to have the quicker one. The machine is a directory of stand-ins for `cargo`, `rustc` and
//! `rustup`, which note how they are called; the program that is "built" is the one under test.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::town::Ran;
use crate::transcript::HELPER;

const GLIBC: &str = "x86_64-unknown-linux-gnu";
const MUSL: &str = "x86_64-unknown-linux-musl";

const RUSTC: &str = r#"#!/bin/sh
case $* in
    --version) echo "rustc $VERSION (0123456 2026-01-01)" ;;
    -vV) printf 'rustc %s\nhost: %s\n' "$VERSION" "$TRIPLE" ;;
    "--print target-libdir --target "*) echo "$LIBRARIES/$4" ;;
    *) exit 1 ;;
esac
"#;

const CARGO: &str = r#"#!/bin/sh
echo "cargo $*" >>"$LOG"
echo "flags $RUSTFLAGS" >>"$LOG"
echo "compiler $CC_x86_64_unknown_linux_musl $CFLAGS_x86_64_unknown_linux_musl" >>"$LOG"
echo "{\"reason\":\"compiler-artifact\",\"executable\":\"$BUILT\"}"
"#;

const RUSTUP: &str = r#"#!/bin/sh
echo "rustup $*" >>"$LOG"
mkdir -p "$LIBRARIES/$3"
: >"$LIBRARIES/$3/libstd-0123.rlib"
"#;

/// What `install.sh` calls. The system's directories may have a `rustup`, as Debian 13's can.
const TOOLS: &str = "cat chmod cp dirname git grep id mkdir mv od rm rmdir sed sh tail tr";

struct Machine {
    directory: TempDir,
    triple: &'static str,
    version: &'static str,
}

impl Machine {
    fn new(triple: &'static str, version: &'static str) -> Self {
        let machine =
            Self { directory: tempfile::tempdir().expect("a directory"), triple, version };
        // Named by `rustc` whether anything is in it or not.
        fs::create_dir_all(machine.library(MUSL)).expect("it is ours");
        fs::create_dir(machine.path("bin")).expect("it is ours");
        machine.command("rustc", RUSTC).command("cargo", CARGO).command("cc", "#!/bin/sh\n");
        for tool in TOOLS.split(' ') {
            let places = [Path::new("/usr/bin").join(tool), Path::new("/bin").join(tool)];
            if let Some(place) = places.iter().find(|place| place.exists()) {
                symlink(place, machine.path("bin").join(tool)).expect("it is ours");
            }
        }
        machine
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn library(&self, target: &str) -> PathBuf {
        self.path("lib").join(target)
    }

    fn command(&self, name: &str, script: &str) -> &Self {
        let path = self.path("bin").join(name);
        fs::write(&path, script).expect("it is ours");
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("it is ours");
        self
    }

    fn has_musl(&self) -> &Self {
        fs::write(self.library(MUSL).join("libstd-0123.rlib"), "").expect("it is ours");
        self
    }

    fn install(&self, arguments: &[&str]) -> Ran {
        self.install_from(Path::new(env!("CARGO_MANIFEST_DIR")), arguments)
    }

    fn install_from(&self, root: &Path, arguments: &[&str]) -> Ran {
        let mut command = Command::new("sh");
        command.arg(root.join("install.sh")).args(["--prefix", "installed"]).args(arguments);
        command.current_dir(self.directory.path()).env_clear().env("PATH", self.path("bin"));
        command.env("HOME", self.directory.path()).env("GIT_CONFIG_NOSYSTEM", "1");
        command.env("TRIPLE", self.triple).env("VERSION", self.version).env("BUILT", HELPER);
        command.env("LIBRARIES", self.path("lib")).env("LOG", self.path("log"));
        Ran::run(command, b"")
    }

    fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// Asserts that this target was built, and what else is said about it.
    #[track_caller]
    fn builds(&self, arguments: &[&str], target: &str, words: &str) {
        let ran = self.install(arguments);
        ran.assert_ok();
        let log = self.log();
        assert!(log.contains(&format!("--target {target} ")), "{log}\n{ran:?}");
        assert!(log.contains("flags  -C target-feature=+crt-static -C relocation-model=static"));
        let said = format!("building git-credential-gastown for {target} ...\n");
        assert!(ran.stdout.contains(&said) && ran.stdout.contains(words), "{ran:?}");
        assert!(ran.stdout.contains(&format!(", {target})\n")), "{ran:?}");
        assert!(self.path("installed/bin/git-credential-gastown").exists());
    }

    /// Asserts that nothing was built, and why.
    #[track_caller]
    fn refuses(&self, arguments: &[&str], words: &[&str]) {
        let ran = self.install(arguments);
        ran.assert_fails();
        for words in words {
            assert!(ran.stderr.contains(words), "`{words}` is missing\n{ran:?}");
        }
        assert_eq!(self.log(), "", "{ran:?}");
        assert!(!self.path("installed").exists());
    }
}

#[test]
fn rust_with_the_musl_library_builds_for_musl_with_the_compiler_of_the_machine() {
    let machine = Machine::new(GLIBC, "1.93.0");
    machine.has_musl().builds(&[], MUSL, "");
    assert!(machine.log().contains("compiler cc  -U_FORTIFY_SOURCE\n"), "{}", machine.log());
}

#[test]
fn rust_without_the_musl_library_builds_for_glibc_and_says_how_to_have_the_quicker_one() {
    let machine = Machine::new(GLIBC, "1.95.0");
    machine.command("rustup", RUSTUP).builds(&[], GLIBC, "sh install.sh --musl --prefix ");
    assert!(!machine.log().contains("rustup"), "the toolchain is not changed unasked");
}

#[test]
fn the_musl_library_is_added_when_asked_for() {
    let machine = Machine::new(GLIBC, "1.95.0");
    machine.command("rustup", RUSTUP).builds(&["--musl"], MUSL, "");
    assert!(machine.log().starts_with(&format!("rustup target add {MUSL}\n")), "{}", machine.log());
}

#[test]
fn the_musl_library_that_is_there_is_not_added_again() {
    let machine = Machine::new(GLIBC, "1.95.0");
    machine.command("rustup", RUSTUP).has_musl().builds(&["--musl"], MUSL, "");
    assert!(!machine.log().contains("rustup"));
}

#[test]
fn glibc_is_built_for_when_asked_for() {
    Machine::new(GLIBC, "1.95.0").has_musl().builds(&["--glibc"], GLIBC, "");
}

#[test]
fn a_rust_whose_musl_is_old_builds_for_glibc() {
    let machine = Machine::new(GLIBC, "1.92.1");
    machine.has_musl().builds(&[], GLIBC, "rustc 1.93 or newer");
    let machine = Machine::new(GLIBC, "1.92.1");
    machine.has_musl().refuses(&["--musl"], &["1.93", "rustup update"]);
}

#[test]
fn a_machine_with_musl_builds_for_itself() {
    for triple in ["x86_64-alpine-linux-musl", MUSL] {
        Machine::new(triple, "1.91.0").builds(&[], triple, "");
        Machine::new(triple, "1.91.0").builds(&["--musl"], triple, "");
        Machine::new(triple, "1.91.0").refuses(&["--glibc"], &["glibc", triple]);
    }
}

#[test]
fn a_rust_that_is_too_old_is_named_before_anything_is_built() {
    let machine = Machine::new(GLIBC, "1.85.0");
    let advice = ["rustc 1.91 or newer", "rustc 1.85.0", "rustup update", "rustc-web cargo-web"];
    machine.has_musl().refuses(&[], &advice);
}

#[test]
fn an_unpacked_archive_has_a_program_and_nothing_to_build_it_from() {
    let machine = Machine::new(GLIBC, "1.95.0");
    let root = machine.directory.path();
    let source = Path::new(env!("CARGO_MANIFEST_DIR"));
    for file in ["install.sh", "man/git-credential-gastown.1"] {
        fs::create_dir_all(root.join("man")).expect("it is ours");
        fs::copy(source.join(file), root.join(file)).expect("it is there");
    }
    fs::copy(HELPER, root.join("git-credential-gastown")).expect("it is built");
    let ran = machine.install_from(root, &[]);
    ran.assert_fails();
    let script = root.join("install.sh");
    let program = root.join("git-credential-gastown");
    let advice = format!("run: sh {} --binary {}\n", script.display(), program.display());
    assert!(ran.stderr.ends_with(&advice) && ran.code == 1, "{ran:?}");
    machine.install_from(root, &["--binary", "git-credential-gastown"]).assert_ok();
}

#[test]
fn without_rustup_the_musl_library_cannot_be_added() {
    Machine::new(GLIBC, "1.95.0").builds(&[], GLIBC, "a Rust from https://rustup.rs");
    let machine = Machine::new(GLIBC, "1.95.0");
    machine.refuses(&["--musl"], &["there is no rustup", "https://rustup.rs", MUSL]);
}

#[test]
fn options_that_exclude_each_other_are_a_usage_error() {
    for arguments in [&["--musl", "--glibc"][..], &["--musl", "--binary", HELPER]] {
        let ran = Machine::new(GLIBC, "1.95.0").install(arguments);
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(ran.stderr.contains("exclude each other"), "{ran:?}");
    }
}

#[test]
fn release_archive_is_named_as_cargo_binstall_expects() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |name| fs::read_to_string(root.join(name)).expect("it is part of the project");
    let (script, manifest) = (read(".ci/dist"), read("Cargo.toml"));
    let archive = script.lines().find_map(|line| line.strip_prefix("archive=")).expect("a name");
    let archive = archive.replace("$NAME", "{ name }").replace("$tag", "v{ version }");
    let archive = archive.replace("$(uname -m)", "{ target-arch }");
    let url = format!("pkg-url = \"{{ repo }}/releases/download/v{{ version }}/{archive}.tar.gz\"");
    let program = format!("bin-dir = \"{archive}/{{ bin }}\"");
    assert!(manifest.contains(&url) && manifest.contains(&program), "{url}\n{program}");
}
