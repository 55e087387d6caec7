//! An agent and its home: a directory of its own, an environment of its own, and the git that was
//! chosen for it. Owns everything that an agent's commands can see; refuses to pass on anything of
//! the machine but that git and the system's own commands.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use rustix::fs::Mode;
use rustix::process::umask;
use serde_json::Value;
use tempfile::TempDir;

use super::clock::millis;
use super::git::Git;
use super::ran::Ran;
use super::{RIG, TOWN, Town};

pub struct Home {
    directory: TempDir,
    helper: PathBuf,
    variables: BTreeMap<String, OsString>,
}

impl Home {
    /// `helper` is the program under test, by its absolute path.
    pub fn new(helper: &Path, git: &Git) -> Self {
        // With the usual umask of some systems the group could write every file that a test makes,
        // and the helper believes no such configuration file.
        umask(Mode::from_raw_mode(0o022));
        let directory = tempfile::tempdir().expect("a temporary directory");
        let (home, tmp) = (directory.path().join("home"), directory.path().join("tmp"));
        for path in [&home, &tmp] {
            fs::create_dir(path).expect("a temporary directory is writable");
        }
        let git_directory = git.path.parent().expect("git lies in a directory").display();
        let helper_directory = helper.parent().expect("it lies in a directory").display();
        let mut agent = Self { directory, helper: helper.to_owned(), variables: BTreeMap::new() };
        agent
            // The chosen git before the system's; git-lfs is wherever the system has it. The helper
            // is installed, so that advice is the same wherever the tests run.
            .set("PATH", format!("{git_directory}:/usr/bin:/bin:{helper_directory}"))
            // Git's configuration and the helper's cache are the agent's own.
            .set("HOME", &home)
            // The helper's last resort for its cache, and git's temporary files, stay inside.
            .set("TMPDIR", &tmp)
            // Messages are compared, so they must not be translated.
            .set("LC_ALL", "C.UTF-8")
            // The machine's own configuration may name other helpers.
            .set("GIT_CONFIG_NOSYSTEM", "1")
            // A question would wait for an answer until the time limit.
            .set("GIT_TERMINAL_PROMPT", "0");
        for role in ["AUTHOR", "COMMITTER"] {
            // Without them git would make up an identity from the machine's name, or refuse.
            agent.set(&format!("GIT_{role}_NAME"), "Agent");
            agent.set(&format!("GIT_{role}_EMAIL"), "agent@town.example");
        }
        agent
    }

    /// Adds what the container gives an agent: the snapshot taken when it was dispatched.
    pub fn as_agent(&mut self, town: &Town) -> &mut Self {
        self.set("GASTOWN_API_URL", town.worker.url())
            .set("GASTOWN_TOWN_ID", TOWN)
            .set("GASTOWN_RIG_ID", RIG)
            .set("GASTOWN_AGENT_ID", "agent-1")
            .set("GASTOWN_AGENT_ROLE", "polecat")
            .set("GASTOWN_CONTAINER_TOKEN", town.worker.container_token())
            // The stand-in GitHub is not `github.com`, which is ours by default.
            .set("GASTOWN_GIT_HOSTS", format!("http://{}", town.github.host()))
    }

    pub fn set(&mut self, name: &str, value: impl AsRef<OsStr>) -> &mut Self {
        self.variables.insert(name.to_owned(), value.as_ref().to_owned());
        self
    }

    pub fn unset(&mut self, name: &str) -> &mut Self {
        self.variables.remove(name);
        self
    }

    /// Makes the commands in a directory win over all others.
    pub fn put_on_path(&mut self, directory: &Path) -> &mut Self {
        let path = [directory.as_os_str(), &self.variables["PATH"]].join(OsStr::new(":"));
        self.set("PATH", path)
    }

    pub fn path(&self) -> PathBuf {
        PathBuf::from(&self.variables["HOME"])
    }

    /// A command in this home with this environment and no other.
    pub fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        command.env_clear().envs(&self.variables).current_dir(self.path());
        command
    }

    pub fn git(&self, arguments: &[&str]) -> Ran {
        self.git_in(".", arguments)
    }

    /// In a directory below the home.
    pub fn git_in(&self, directory: impl AsRef<Path>, arguments: &[&str]) -> Ran {
        self.run_in(directory, "git", arguments, "")
    }

    pub fn run(&self, program: impl AsRef<Path>, arguments: &[&str], stdin: &str) -> Ran {
        self.run_in("", program, arguments, stdin)
    }

    pub fn run_in(
        &self,
        directory: impl AsRef<Path>,
        program: impl AsRef<Path>,
        arguments: &[&str],
        stdin: &str,
    ) -> Ran {
        let mut command = self.command(program);
        command.args(arguments).current_dir(self.path().join(directory));
        Ran::run(command, stdin.as_bytes())
    }

    pub fn helper(&self, arguments: &[&str], stdin: &str) -> Ran {
        self.run(&self.helper, arguments, stdin)
    }

    /// The same, called by what looks like git's own transport. Elsewhere the caller is this test,
    /// a program that is not git.
    pub fn helper_of_transport(&self, arguments: &[&str], stdin: &str) -> Ran {
        let transport = self.directory.path().join("git-remote-https");
        if !transport.exists() {
            std::os::unix::fs::symlink("/bin/sh", &transport).expect("the directory is ours");
        }
        let mut command = self.command(transport);
        // Not the last command, or the shell would become it.
        command.args(["-c", "\"$0\" \"$@\"; exit $?"]).arg(&self.helper).args(arguments);
        Ran::run(command, stdin.as_bytes())
    }

    /// The same with these arguments, and with this fault at those of its system calls that are
    /// named: `error=EIO`, `signal=KILL:when=2`. It is for strace to make it happen; no child has it.
    pub fn with_fault(&self, calls: &str, fault: &str, arguments: &[&str]) -> Command {
        let mut strace = self.command("strace");
        let (trace, inject) = (format!("trace={calls}"), format!("inject={calls}:{fault}"));
        strace.args(["-qq", "-o", "/dev/null", "-e", &trace, "-e", &inject]);
        strace.arg(&self.helper).args(arguments);
        strace
    }

    /// Commits a file to a repository below the home.
    pub fn commit(&self, repository: &str, file: &str, content: &[u8]) {
        fs::write(self.path().join(repository).join(file), content).expect("the clone is writable");
        self.git_in(repository, &["add", file]).assert_ok();
        self.git_in(repository, &["commit", "--quiet", "--message", file]).assert_ok();
    }

    /// Makes the program under test git's only helper for the stand-in GitHub.
    pub fn configure_helper(&self, town: &Town) {
        let key = format!("credential.http://{}.helper", town.github.host());
        let helper = self.helper.to_str().expect("a path in UTF-8");
        self.git(&["config", "--global", &key, ""]).assert_ok();
        self.git(&["config", "--global", "--add", &key, helper]).assert_ok();
    }

    /// Today's way: a file with a snapshot of the token.
    pub fn use_credential_store(&self, town: &Town, token: &str) {
        let file = self.path().join(".git-credentials-snapshot");
        let line = format!("http://x-access-token:{token}@{}\n", town.github.host());
        fs::write(&file, line).expect("the home is writable");
        let helper = format!("store --file={}", file.display());
        self.git(&["config", "--global", "credential.helper", &helper]).assert_ok();
    }

    /// Where the helper's cache is, once it is there.
    pub fn cache(&self) -> PathBuf {
        self.path().join(".cache/gastown")
    }

    /// The private place of the cache among the temporary files, for when no other can be used.
    pub fn last_place(&self) -> PathBuf {
        let user = rustix::process::geteuid().as_raw();
        self.path().with_file_name("tmp").join(format!("gastown-{user}"))
    }

    /// Every file of the helper's cache.
    pub fn cache_files(&self) -> Vec<PathBuf> {
        let everything = below(&self.cache()).into_iter();
        everything.filter(|path| !path.is_dir()).collect()
    }

    /// Every file and directory that an agent's commands can have made here.
    pub fn everything(&self) -> Vec<PathBuf> {
        below(self.directory.path())
    }

    /// Makes the cache as if that long had passed: every moment in it moves back, and so does the
    /// time of the last change. Nothing else does, and the mode stays.
    pub fn age_cache(&self, age: Duration) {
        age_cache(&self.cache(), age);
    }
}

/// The same for the cache in that directory, which commands may be using.
pub fn age_cache(cache: &Path, age: Duration) {
    let is_json = |path: &PathBuf| path.extension().is_some_and(|it| it == "json");
    for path in below(cache).into_iter().filter(|path| !path.is_dir() && is_json(path)) {
        let text = fs::read_to_string(&path).expect("cache files are text");
        let before = fs::metadata(&path).expect("the cache is ours");
        let modified = before.modified().expect("files have a time");
        // By rename, so that no command reads half a file.
        let new = path.with_extension("aged");
        fs::write(&new, aged(&text, millis(age))).expect("the cache is ours");
        fs::set_permissions(&new, before.permissions()).expect("the cache is ours");
        let file = fs::File::options().write(true).open(&new).expect("the cache is ours");
        file.set_modified(modified - age).expect("the cache is ours");
        fs::rename(&new, &path).expect("the cache is ours");
    }
}

/// Has a file look as if it was last changed so long ago.
pub fn make_older(path: &Path, age: Duration) {
    let file = fs::File::options().write(true).open(path).expect("it is ours");
    file.set_modified(SystemTime::now() - age).expect("it is ours");
}

/// Files and directories, sorted; links are not followed.
fn below(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|it| it.expect("readable").path()).collect();
    paths.sort();
    let is_directory = |path: &Path| path.is_dir() && !path.is_symlink();
    let expand = |path: PathBuf| {
        let inside = if is_directory(&path) { below(&path) } else { Vec::new() };
        std::iter::once(path).chain(inside)
    };
    paths.into_iter().flat_map(expand).collect()
}

/// A record with every moment in it, in milliseconds, that much earlier; damage stays as it is.
pub fn aged(record: &str, age: i64) -> String {
    let Ok(mut value) = serde_json::from_str(record) else { return record.to_owned() };
    move_back(&mut value, age);
    value.to_string()
}

fn move_back(value: &mut Value, age: i64) {
    const SMALLEST_MOMENT: i64 = 1_000_000_000_000;
    match value {
        Value::Object(fields) => fields.values_mut().for_each(|it| move_back(it, age)),
        Value::Array(items) => items.iter_mut().for_each(|it| move_back(it, age)),
        _ => {
            if let Some(moment) = value.as_i64().filter(|it| *it > SMALLEST_MOMENT) {
                *value = (moment - age).into();
            }
        }
    }
}
