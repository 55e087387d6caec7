//! `cargo run --example demo`: the story of a fresh token, told with real git against the stand-in
//! town. Also a check: the exit code is 1 unless every step went as expected.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "the demo is the world around the program: it runs commands, waits and prints"
)]

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};
use std::{env, thread};

#[path = "../../tests/town/mod.rs"]
mod town;

use town::{Git, Home, Options, Ran, Town};

const REPOSITORY: &str = "town/app";
const AGENTS: usize = 16;
/// As long as a token of the fast town lives.
const HOUR: Duration = Duration::from_secs(10);
/// As much of git's output as tells how it went.
const LINES_SHOWN: usize = 3;

const INTRODUCTION: &str = "\
A stand-in town on this machine: a worker that hands out tokens and a git server that
refuses dead ones. git is real, and so is the waiting. A token lives an hour; here an
hour goes by in ten seconds.";

const CONFIGURATION: &str = "
To have it for real, install it (sh install.sh), and then:

  git credential-gastown setup
  git credential-gastown setup --migrate DIR
  git credential-gastown doctor

The second line takes tokens out of the URLs of the repositories below DIR: git would use
them and ask nobody. In a Gastown container nothing else is needed.";

fn main() -> ExitCode {
    let helper = built_helper();
    let git = Git::newest();
    let started = Instant::now();
    println!("{INTRODUCTION}");
    let mut story = Story::new();
    story.tell(&helper, &git);
    println!("{CONFIGURATION}\n");
    story.end(started.elapsed())
}

/// The program itself, in the profile that this demo was built with.
fn built_helper() -> PathBuf {
    let demo = env::current_exe().expect("the system knows the path of a running program");
    let profile = demo.ancestors().nth(2).expect("an example lies in <target>/<profile>/examples");
    let target = profile.parent().expect("a profile lies in the target directory");
    let name = match profile.file_name() {
        Some(name) if name != "debug" => name,
        _ => "dev".as_ref(),
    };
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // Not quietly: this may take minutes the first time.
    cargo.args(["build", "--bin", "git-credential-gastown", "--profile"]).arg(name);
    cargo.arg("--target-dir").arg(target).current_dir(env!("CARGO_MANIFEST_DIR"));
    // What `cargo run` tells about this demo, a dependency would take for a change of its own.
    for (variable, _) in env::vars_os() {
        let text = variable.to_string_lossy();
        if text == "OUT_DIR"
            || text.starts_with("CARGO_PKG_")
            || text.starts_with("CARGO_MANIFEST_")
        {
            cargo.env_remove(&variable);
        }
    }
    let built = cargo.status().is_ok_and(|status| status.success());
    assert!(built, "cargo could not build the program");
    profile.join("git-credential-gastown")
}

/// What a step is told to lead to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Works,
    Fails,
}

/// Prints what happens, and counts what did not go as expected.
struct Story {
    in_colour: bool,
    chapters: usize,
    surprises: usize,
}

impl Story {
    fn new() -> Self {
        let in_colour = std::io::stdout().is_terminal() && env::var_os("NO_COLOR").is_none();
        Self { in_colour, chapters: 0, surprises: 0 }
    }

    fn tell(&mut self, helper: &Path, git: &Git) {
        let town = Town::start_with(Options::fast());
        town.github.create_repository(REPOSITORY);
        let mut agent = Home::new(helper, git);
        agent.as_agent(&town);
        agent.configure_helper(&town);
        self.clone_and_push(&town, &agent);

        let today = Home::new(helper, git);
        today.use_credential_store(&town, &town.worker.token_for(town::RIG));
        today.git(&["clone", "--quiet", &town.github.url(REPOSITORY), "app"]).assert_ok();
        self.let_pass(HOUR, "an hour goes by");
        self.push_after_an_hour(&town, &today, &agent);

        prepare_worktrees(&agent);
        self.let_pass(HOUR, "an hour goes by");
        self.wake_all_agents(&town, &agent);
        self.push_with_a_revoked_token(&town, &agent, git);
        self.push_without_a_worker(&town, &agent);
    }

    fn clone_and_push(&mut self, town: &Town, agent: &Home) {
        self.chapter("An agent clones and pushes");
        let url = town.github.url(REPOSITORY);
        self.git(town, agent, ".", &["clone", &url, "app"], (Outcome::Works, 1));
        agent.commit("app", "first.txt", b"1");
        self.git(town, agent, "app", &["push"], (Outcome::Works, 0));
    }

    fn push_after_an_hour(&mut self, town: &Town, today: &Home, agent: &Home) {
        self.chapter("The same push as it is done today: with a token in a file");
        self.note("the agent got the file, and cloned with it, when it was dispatched");
        self.typed("git config credential.helper", "");
        self.said(&today.git(&["config", "credential.helper"]).stdout);
        today.commit("app", "today.txt", b"1");
        self.git(town, today, "app", &["push"], (Outcome::Fails, 0));

        self.chapter("And with the helper");
        agent.commit("app", "second.txt", b"2");
        self.git(town, agent, "app", &["push"], (Outcome::Works, 1));
    }

    fn wake_all_agents(&mut self, town: &Town, agent: &Home) {
        self.chapter("Sixteen agents wake up together, and all of them push");
        self.typed("git push origin HEAD", "in each of sixteen worktrees, at once");
        town.worker.forget_calls();
        let ran: Vec<Ran> = thread::scope(|scope| {
            let push = |worktree| move || agent.git_in(worktree, &["push", "origin", "HEAD"]);
            let pushes: Vec<_> =
                (1..=AGENTS).map(|number| scope.spawn(push(worktree(number)))).collect();
            pushes.into_iter().map(|push| push.join().expect("git runs")).collect()
        });
        let worked = ran.iter().filter(|ran| ran.code == 0).count();
        self.said(&format!("{worked} of {AGENTS} pushes arrived"));
        if let Some(failed) = ran.iter().find(|ran| ran.code != 0) {
            self.said(&failed.stderr);
        }
        let outcome = if worked == AGENTS { Outcome::Works } else { Outcome::Fails };
        self.judge(outcome, town.worker.calls().len(), (Outcome::Works, 1));
    }

    fn push_with_a_revoked_token(&mut self, town: &Town, agent: &Home, git: &Git) {
        // A token refused as soon as it is minted may merely not be known everywhere yet.
        self.let_pass(HOUR / 6, "ten minutes go by");
        self.chapter("Somebody revokes the token before its time");
        town.github.revoke_all();
        town.github.forget_requests();
        agent.commit("app", "third.txt", b"3");
        if git.heals() {
            self.git(town, agent, "app", &["push"], (Outcome::Works, 1));
            let refused = town.github.refused_tokens();
            self.note(&format!("the server refused {refused} token; git asked again and pushed"));
        } else {
            self.note(&format!("git {} cannot ask twice in one command; 2.46 can", git.version));
            self.git(town, agent, "app", &["push"], (Outcome::Fails, 0));
            self.git(town, agent, "app", &["push"], (Outcome::Works, 1));
        }
    }

    fn push_without_a_worker(&mut self, town: &Town, agent: &Home) {
        self.chapter("The worker is down, but the token still lives");
        town.worker.go_down();
        agent.commit("app", "fourth.txt", b"4");
        self.git(town, agent, "app", &["push"], (Outcome::Works, 0));
    }

    /// Runs git, tells what it said, and compares with what it is told to lead to.
    fn git(
        &mut self,
        town: &Town,
        agent: &Home,
        directory: &str,
        arguments: &[&str],
        told: (Outcome, usize),
    ) {
        self.typed(&format!("git {}", arguments.join(" ")), "");
        town.worker.forget_calls();
        let ran = agent.git_in(directory, arguments);
        self.said(&ran.stderr);
        let outcome = if ran.code == 0 { Outcome::Works } else { Outcome::Fails };
        self.judge(outcome, town.worker.calls().len(), told);
    }

    fn judge(&mut self, outcome: Outcome, calls: usize, told: (Outcome, usize)) {
        let (mark, verb) = match outcome {
            Outcome::Works => ("32", "worked"),
            Outcome::Fails => ("31", "failed"),
        };
        let calls_spoken = match calls {
            0 => "no worker call".to_owned(),
            1 => "1 worker call".to_owned(),
            more => format!("{more} worker calls"),
        };
        println!("  {}, {calls_spoken}", self.painted(mark, verb));
        if (outcome, calls) != told {
            self.surprises += 1;
            println!("  {}", self.painted("1;31", "THIS IS NOT WHAT WAS TO BE SHOWN"));
        }
    }

    fn let_pass(&self, time: Duration, spoken: &str) {
        println!("\n{}", self.painted("2", &format!("... {spoken} ...")));
        thread::sleep(time);
    }

    fn chapter(&mut self, title: &str) {
        self.chapters += 1;
        println!("\n{}", self.painted("1", &format!("{}. {title}", self.chapters)));
    }

    fn typed(&self, command: &str, remark: &str) {
        match remark {
            "" => println!("  $ {command}"),
            remark => println!("  $ {command}   {}", self.painted("2", &format!("# {remark}"))),
        }
    }

    /// The last lines are those that count.
    fn said(&self, text: &str) {
        let lines: Vec<_> = text.lines().filter(|line| !line.trim().is_empty()).collect();
        for line in &lines[lines.len().saturating_sub(LINES_SHOWN)..] {
            println!("  {}", self.painted("2", &format!("| {}", line.trim())));
        }
    }

    fn note(&self, text: &str) {
        println!("  ({text})");
    }

    fn painted(&self, colour: &str, text: &str) -> String {
        if self.in_colour { format!("\x1b[{colour}m{text}\x1b[0m") } else { text.to_owned() }
    }

    fn end(self, took: Duration) -> ExitCode {
        match self.surprises {
            0 => {
                println!("All went as expected, in {} s.", took.as_secs());
                ExitCode::SUCCESS
            }
            surprises => {
                println!("{surprises} thing(s) did not go as expected.");
                ExitCode::FAILURE
            }
        }
    }
}

fn worktree(number: usize) -> String {
    format!("agent-{number}")
}

fn prepare_worktrees(agent: &Home) {
    for number in 1..=AGENTS {
        let branch = worktree(number);
        let path = format!("../{branch}");
        agent.git_in("app", &["worktree", "add", "--quiet", "-b", &branch, &path]).assert_ok();
    }
}
