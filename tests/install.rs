//! What `install.sh` installs and removes, and what it builds on which machine: a directory of
//! stand-ins for `cargo`, `rustc` and `rustup`. The program that is "built" is the one under test.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::town::Ran;
use crate::transcript::HELPER;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
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
    /// With `rustup`, the `musl` library, both or none beside this Rust.
    fn new(triple: &'static str, version: &'static str, has: &str) -> Self {
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
        if has.contains("rustup") {
            machine.command("rustup", RUSTUP);
        }
        if has.contains("musl") {
            fs::write(machine.library(MUSL).join("libstd-0123.rlib"), "").expect("it is ours");
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

    fn install(&self, arguments: &[&str]) -> Ran {
        self.install_from(Path::new(ROOT), arguments)
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
}

#[test]
fn musl_is_built_for_where_rust_can_and_else_glibc_with_a_word_on_the_quicker_one() {
    const ALPINE: &str = "x86_64-alpine-linux-musl";
    for (triple, version, has, asked, target, words) in [
        (GLIBC, "1.93.0", "musl", "", MUSL, ""),
        (GLIBC, "1.95.0", "rustup", "", GLIBC, "sh install.sh --musl --prefix "),
        (GLIBC, "1.95.0", "rustup", "--musl", MUSL, ""),
        (GLIBC, "1.95.0", "rustup, musl", "--musl", MUSL, ""),
        (GLIBC, "1.95.0", "", "", GLIBC, "a Rust from https://rustup.rs"),
        (GLIBC, "1.95.0", "musl", "--glibc", GLIBC, ""),
        (GLIBC, "1.92.1", "musl", "", GLIBC, "rustc 1.93 or newer"),
        (ALPINE, "1.91.0", "", "", ALPINE, ""),
        (ALPINE, "1.91.0", "", "--musl", ALPINE, ""),
        (MUSL, "1.91.0", "", "", MUSL, ""),
        (MUSL, "1.91.0", "", "--musl", MUSL, ""),
    ] {
        let machine = Machine::new(triple, version, has);
        let ran = machine.install(&asked.split_whitespace().collect::<Vec<_>>());
        let log = machine.log();
        assert!(ran.assert_ok().stdout.contains(words), "{ran:?}");
        let said = format!("building git-credential-gastown for {target} ...\n");
        ran.tells(&said).tells(&format!(", {target})\n"));
        assert!(log.contains(&format!("--target {target} ")), "{log}\n{ran:?}");
        assert!(log.contains("flags  -C target-feature=+crt-static -C relocation-model=static"));
        assert!(machine.path("installed/bin/git-credential-gastown").exists());
        // Without the library's own compiler, that of the machine does.
        if (triple, target) == (GLIBC, MUSL) {
            assert!(log.contains("compiler cc  -U_FORTIFY_SOURCE\n"), "{log}");
        }
        // The toolchain is changed when asked to, and if that is not done already.
        let adds = (has, asked) == ("rustup", "--musl");
        assert_eq!(log.contains(&format!("rustup target add {MUSL}\n")), adds, "{log}");
        assert_eq!(log.contains("rustup"), adds, "{log}");
    }
}

#[test]
fn what_cannot_be_built_is_refused_before_anything_is_built_with_what_to_do() {
    let too_old = ["rustc 1.91 or newer", "rustc 1.85.0", "rustup update", "rustc-web cargo-web"];
    for (triple, version, has, asked, words) in [
        (GLIBC, "1.85.0", "musl", &[][..], &too_old[..]),
        (GLIBC, "1.92.1", "musl", &["--musl"], &["1.93", "rustup update"]),
        (GLIBC, "1.95.0", "", &["--musl"], &["there is no rustup", "https://rustup.rs", MUSL]),
        (MUSL, "1.91.0", "", &["--glibc"], &["glibc", MUSL]),
        (GLIBC, "1.95.0", "", &["--musl", "--glibc"], &["exclude each other"]),
        (GLIBC, "1.95.0", "", &["--musl", "--binary", HELPER], &["exclude each other"]),
    ] {
        let machine = Machine::new(triple, version, has);
        let ran = machine.install(asked);
        for words in words {
            ran.mentions(words);
        }
        // The last two are usage errors.
        assert_eq!(ran.code, if asked.len() > 1 { 2 } else { 1 }, "{ran:?}");
        assert_eq!(machine.log(), "", "{ran:?}");
        assert!(!machine.path("installed").exists());
    }
}

#[test]
fn an_unpacked_archive_has_a_program_and_nothing_to_build_it_from() {
    let machine = Machine::new(GLIBC, "1.95.0", "");
    let root = machine.directory.path();
    fs::create_dir(root.join("man")).expect("it is ours");
    for file in ["install.sh", "man/git-credential-gastown.1"] {
        fs::copy(Path::new(ROOT).join(file), root.join(file)).expect("it is there");
    }
    let (script, program) = (root.join("install.sh"), root.join("git-credential-gastown"));
    fs::copy(HELPER, &program).expect("it is built");
    let ran = machine.install_from(root, &[]);
    let advice = format!("run: sh {} --binary {}\n", script.display(), program.display());
    assert!(ran.stderr.ends_with(&advice) && ran.code == 1, "{ran:?}");
    machine.install_from(root, &["--binary", "git-credential-gastown"]).assert_ok();
}

#[test]
fn release_archive_is_named_as_cargo_binstall_expects() {
    let read =
        |name| fs::read_to_string(Path::new(ROOT).join(name)).expect("it is part of the project");
    let (script, manifest) = (read(".ci/dist"), read("Cargo.toml"));
    let archive = script.lines().find_map(|line| line.strip_prefix("archive=")).expect("a name");
    let archive = archive.replace("$NAME", "{ name }").replace("$tag", "v{ version }");
    let archive = archive.replace("$(uname -m)", "{ target-arch }");
    let url = format!("pkg-url = \"{{ repo }}/releases/download/v{{ version }}/{archive}.tar.gz\"");
    let program = format!("bin-dir = \"{archive}/{{ bin }}\"");
    assert!(manifest.contains(&url) && manifest.contains(&program), "{url}\n{program}");
}

#[test]
fn what_install_sh_installs_it_removes() {
    let machine = Machine::new(GLIBC, "1.95.0", "");
    let (prefix, there) = (machine.path("o' prefix"), ["--prefix", "o' prefix"]);
    let install = |words: &[&str]| machine.install(&[&there, words].concat());
    install(&["--binary", HELPER, "--setup"]).assert_ok();
    let program = prefix.join("bin/git-credential-gastown");
    let page = prefix.join("share/man/man1/git-credential-gastown.1");
    assert_eq!(fs::read(&program).unwrap(), fs::read(HELPER).unwrap());
    assert_eq!(
        fs::read(page).unwrap(),
        fs::read(Path::new(ROOT).join("man/git-credential-gastown.1")).unwrap()
    );
    assert!(machine.path(".gitconfig").exists());

    install(&["--uninstall"]).assert_fails().mentions("setup --undo --global");
    let home = machine.directory.path();
    let undone = Command::new(&program).args(["setup", "--undo"]).env("HOME", home).output();
    assert!(undone.unwrap().status.success());
    install(&["--uninstall"]).assert_ok();
    assert!(!prefix.exists() && !machine.path(".gitconfig").exists());
}

#[test]
fn install_sh_takes_nothing_but_this_program() {
    let machine = Machine::new(GLIBC, "1.95.0", "");
    fs::write(machine.path("text"), "touch run\n").unwrap();
    for stranger in ["text", "/bin/ls", "absent"] {
        machine.install(&["--binary", stranger]).assert_fails();
        assert!(!machine.path("run").exists());
        assert!(!machine.path("installed/bin/git-credential-gastown").exists());
    }
}
