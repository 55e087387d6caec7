//! Repositories behind the real `git http-backend`. Owns the bare repositories and the CGI that
//! serves them; refuses to check anybody's token: whoever gets here was let in.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use super::git::Git;
use super::http::{Answer, Exchange};
use super::ran::Ran;

/// One commit on `main`, as `git fast-import` reads it.
const FIRST_COMMIT: &str = "\
commit refs/heads/main
committer Town Founder <founder@town.example> 1700000000 +0000
data 13
First commit

M 100644 inline README.md
data 7
# Town

";

pub struct Backend {
    root: PathBuf,
    git: Git,
}

impl Backend {
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned(), git: Git::newest() }
    }

    /// Makes `<owner>/<name>` with one commit on `main`.
    pub fn create_repository(&self, name: &str) {
        let mut init = self.git();
        init.args(["init", "--quiet", "--bare", "--initial-branch=main"]).arg(self.path_of(name));
        Ran::run(init, b"").assert_ok();
        self.run_in(name, &["fast-import", "--quiet"], FIRST_COMMIT).assert_ok();
    }

    /// Lets everybody fetch and nobody push, whatever the token.
    pub fn forbid_pushes(&self, name: &str) {
        self.run_in(name, &["config", "http.receivepack", "false"], "").assert_ok();
    }

    /// The refs of a repository, a line for each.
    pub fn refs(&self, name: &str) -> String {
        self.run_in(name, &["for-each-ref"], "").assert_ok().stdout.clone()
    }

    /// The commit that a branch stands at.
    pub fn commit_at(&self, name: &str, branch: &str) -> Option<String> {
        let branch = format!("refs/heads/{branch}");
        let ran = self.run_in(name, &["rev-parse", "--quiet", "--verify", &branch], "");
        (ran.code == 0).then(|| ran.stdout.trim().to_owned())
    }

    fn run_in(&self, name: &str, arguments: &[&str], stdin: &str) -> Ran {
        let mut git = self.git();
        git.arg("-C").arg(self.path_of(name)).args(arguments);
        Ran::run(git, stdin.as_bytes())
    }

    pub fn answer(&self, exchange: &mut Exchange, user: &str) -> Answer {
        let body = exchange.body().unwrap_or_default();
        let mut backend = self.git();
        backend.arg("http-backend");
        backend.env("GIT_PROJECT_ROOT", &self.root).env("GIT_HTTP_EXPORT_ALL", "1");
        // With a known user http-backend permits pushes, without any setting in the repository.
        backend.env("REMOTE_USER", user).env("REMOTE_ADDR", "127.0.0.1");
        backend.env("REQUEST_METHOD", &exchange.method).env("PATH_INFO", exchange.path());
        backend.env("QUERY_STRING", exchange.query());
        backend.env("CONTENT_LENGTH", body.len().to_string());
        for (header, variable) in [
            ("content-type", "CONTENT_TYPE"),
            ("content-encoding", "HTTP_CONTENT_ENCODING"),
            ("git-protocol", "GIT_PROTOCOL"),
        ] {
            if let Some(value) = exchange.header(header) {
                backend.env(variable, value);
            }
        }
        answer_of(backend, &body)
    }

    /// Git with nothing of the test's environment: a `GIT_DIR` out there must not reach in here.
    fn git(&self) -> Command {
        let mut git = Command::new(&self.git.path);
        git.env_clear().env("HOME", &self.root).env("GIT_CONFIG_NOSYSTEM", "1");
        git
    }

    fn path_of(&self, name: &str) -> PathBuf {
        self.root.join(format!("{name}.git"))
    }
}

/// Runs a CGI program (RFC 3875) and turns what it says into an answer.
fn answer_of(mut program: Command, body: &[u8]) -> Answer {
    program.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = program.spawn().expect("git can be started");
    let mut stdin = child.stdin.take().expect("stdin is a pipe");
    let output = thread::scope(|scope| {
        scope.spawn(move || drop(stdin.write_all(body)));
        child.wait_with_output().expect("pipes can be read")
    });
    let end_of_head = output.stdout.windows(4).position(|bytes| bytes == b"\r\n\r\n");
    let Some(end_of_head) = end_of_head else {
        return Answer::new(500, "git http-backend said nothing");
    };
    let head = String::from_utf8_lossy(&output.stdout[..end_of_head]);
    let mut answer = Answer::new(200, &output.stdout[end_of_head + 4..]);
    for (name, value) in head.lines().filter_map(|line| line.split_once(": ")) {
        if name == "Status" {
            let code = value.split(' ').next().and_then(|code| code.parse().ok());
            answer.status = code.expect("a status begins with its number");
        } else {
            answer = answer.header(name, value);
        }
    }
    answer
}
