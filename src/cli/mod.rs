//! The command line. What stands here as help is also the text of the man page and of
//! docs/reference, which `cargo run --example reference` writes.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::time::Duration;

use clap::builder::Resettable;
use clap::{CommandFactory as _, Parser, Subcommand, ValueHint};
use git_credential_gastown::helper_line::{COMMAND, PROGRAM};

pub(crate) use doctor::Doctor;
pub(crate) use flags::{Flags, OnFailure};
pub(crate) use setup::Setup;

mod doctor;
mod examples;
mod flags;
mod setup;

/// A git credential helper that answers with a token that is still alive
///
/// git asks it for a user name and a password, and gets a token for GitHub that has not expired:
/// from a cache that all agents of the machine share, or from the Gastown worker. There is no
/// daemon and no timer. `setup` configures git once; from then on git runs the helper by itself.
///
/// A word that is no command is ignored in silence, as git asks of helpers, unless stdin is a
/// terminal.
#[derive(Parser)]
#[command(name = PROGRAM, bin_name = COMMAND, version)]
#[command(term_width = 80, after_help = examples::PROGRAM)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub flags: Flags,
    #[command(subcommand)]
    pub operation: Operation,
}

impl Cli {
    /// Reads the command line. Called as `gh`, through a link of that name, every word is gh's.
    pub(crate) fn read(words: impl Iterator<Item = OsString>) -> Result<Self, clap::Error> {
        let words: Vec<_> = words.collect();
        let name = words.first().and_then(|program| Path::new(program).file_name());
        if name == Some(OsStr::new("gh")) {
            let operation = Operation::Gh { arguments: words.into_iter().skip(1).collect() };
            return Ok(Self { flags: Flags::default(), operation });
        }
        match words.as_slice() {
            [_, operation] => {
                Self::plain(operation).map_or_else(|| Self::try_parse_from(&words), Ok)
            }
            _ => Self::try_parse_from(words),
        }
    }

    /// What is wrong with words that name no operation, and which one may be meant.
    pub(crate) fn mistake(words: &[OsString]) -> Option<clap::Error> {
        let command = Self::command().external_subcommand_value_parser(Resettable::Reset);
        let command = command.allow_external_subcommands(false);
        let words = std::iter::once(OsStr::new(PROGRAM)).chain(words.iter().map(AsRef::as_ref));
        command.try_get_matches_from(words).err()
    }

    /// What git runs on every command, without flags, is recognised without clap, which would first
    /// build the help of every command, which takes longer than reading the cache.
    fn plain(operation: &OsStr) -> Option<Self> {
        let operation = match operation.to_str()? {
            "get" => Operation::Get { url: None },
            "store" => Operation::Store,
            "erase" => Operation::Erase,
            _ => return None,
        };
        Some(Self { flags: Flags::default(), operation })
    }
}

#[derive(Subcommand)]
pub(crate) enum Operation {
    Setup(Setup),
    Doctor(Doctor),
    /// Show what is cached and what failed, without network
    ///
    /// Nothing is written, and no secret is shown.
    Status {
        /// Print a JSON object
        #[arg(long)]
        json: bool,
    },
    /// Print a live token
    #[command(after_help = examples::TOKEN)]
    Token {
        /// The host, or a URL on it [default: that of the repository's remote, else the
        /// first one that is served]
        #[arg(value_hint = ValueHint::Url)]
        url: Option<String>,
        /// Print a JSON object: the token, where it came from and until when it lives
        #[arg(long)]
        json: bool,
        /// Print it even to a terminal
        #[arg(long)]
        reveal: bool,
        /// Ask the worker first if the token may expire sooner than this: 90s, 20m or 1h
        #[arg(long, value_name = "TIME", value_parser = time, value_hint = ValueHint::Other)]
        min_life: Option<Duration>,
    },
    /// Ask the worker for a token now, even if the cached one is fresh
    ///
    /// A failure on record does not delay it. It prints no token.
    Refresh {
        /// The host, or a URL on it [default: that of the repository's remote, else the
        /// first one that is served]
        #[arg(value_hint = ValueHint::Url)]
        url: Option<String>,
        /// Print a JSON object
        #[arg(long)]
        json: bool,
    },
    /// Run a command with a live token in its environment
    ///
    /// For github.com and *.ghe.com the token is in GH_TOKEN, GITHUB_TOKEN and GIT_TOKEN; for
    /// another GitHub in GH_ENTERPRISE_TOKEN, GITHUB_ENTERPRISE_TOKEN and GIT_TOKEN; for GitLab in
    /// GITLAB_TOKEN and GIT_TOKEN. GH_HOST or GITLAB_HOST names a host that is not github.com or
    /// gitlab.com. A long-lived GH_TOKEN stays. The rest of the environment stays, too,
    /// GASTOWN_CONTAINER_TOKEN included.
    ///
    /// The token is not renewed while the command runs, and lives an hour at most: start each step
    /// of long work with `exec`.
    ///
    /// The exit code is the command's own; 125 if there is no token, 126 if the command cannot be
    /// executed, 127 if it is not found.
    #[command(after_help = examples::EXEC)]
    Exec {
        /// Set this variable to the token, too; may repeat
        #[arg(long, value_name = "NAME", value_parser = variable_name)]
        #[arg(value_hint = ValueHint::Other)]
        env: Vec<String>,
        /// Ask the worker first if the token may expire sooner than this: 90s, 20m or 1h
        #[arg(long, value_name = "TIME", value_parser = time, value_hint = ValueHint::Other)]
        min_life: Option<Duration>,
        /// The command and its arguments
        #[arg(last = true, required = true, value_name = "COMMAND")]
        #[arg(value_hint = ValueHint::CommandWithArguments)]
        command: Vec<OsString>,
    },
    /// Run GitHub's `gh` with a live token
    ///
    /// Settings stand before `gh` or directly behind it; all that follows is gh's own, `--help`
    /// included. A link to this program named `gh` does the same, but takes no settings;
    /// `setup --gh-shim` makes one.
    ///
    /// The host is the one that --repo, --hostname, a URL, GH_REPO or GH_HOST names, else that of
    /// the repository's remote, else the first. A host that is not ours gets no token. A long-lived
    /// GH_TOKEN stays, and wins over GITHUB_CLI_PAT.
    ///
    /// The exit code is gh's own; 125 if there is no token, 126 if gh cannot be executed, 127 if it
    /// is not found. With --on-failure next, gh runs without a token.
    #[command(disable_help_flag = true, after_help = examples::GH)]
    Gh {
        /// The arguments of gh
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENT")]
        arguments: Vec<OsString>,
    },
    /// Print a shell's completions, for `git credential-gastown` too
    Completions {
        /// The shell to print them for
        shell: clap_complete::Shell,
    },
    /// For git: answer its request on stdin with a credential
    ///
    /// For a host that is not served it prints nothing to stdout.
    Get {
        /// Answer a request for this URL instead, to see what git gets
        #[arg(value_hint = ValueHint::Url)]
        url: Option<String>,
    },
    /// For git: note that a server accepted a token; the token is not kept
    Store,
    /// For git: note that a server refused a token
    Erase,
    /// For git: say what this helper understands beyond user name and password
    Capability,
    /// git's future operations are ignored in silence, as its documentation asks
    #[command(external_subcommand)]
    Unknown(Vec<OsString>),
}

/// What a shell takes for a variable.
fn variable_name(text: &str) -> Result<String, &'static str> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let fits = !text.is_empty() && !text.starts_with(|first: char| first.is_ascii_digit());
    if fits && text.bytes().all(allowed) {
        Ok(text.to_owned())
    } else {
        Err("not the name of a variable")
    }
}

/// Seconds, minutes or hours: `90s`, `20m`, `1h`.
fn time(text: &str) -> Result<Duration, &'static str> {
    let units = [('s', 1), ('m', 60), ('h', 3600)];
    let found = units.iter().find_map(|(unit, seconds)| Some((text.strip_suffix(*unit)?, seconds)));
    let (number, seconds) = found.ok_or("not a time: give it in s, m or h, as 20m")?;
    let number: u64 = number.parse().map_err(|_| "not a time: give a whole number, as 20m")?;
    Ok(Duration::from_secs(number.saturating_mul(*seconds)))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    fn read(line: &str) -> Cli {
        Cli::read(line.split(' ').map(OsString::from)).unwrap_or_else(|usage| panic!("{usage}"))
    }

    #[test]
    fn clap_finds_no_fault_with_it() {
        Cli::command().debug_assert();
    }

    /// Those that are not words for a shell alone.
    #[test]
    fn every_example_is_a_valid_command_line() {
        let mut command = Cli::command();
        command.build();
        let commands = command.get_subcommands().chain([&command]);
        let help: Vec<_> = commands.filter_map(clap::Command::get_after_help).collect();
        let help = help.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        let lines = help.lines().filter_map(|line| line.trim_start().strip_prefix(COMMAND));
        let line = |line: &str| line.split(['#', '|', '>', ')']).next().map(str::to_owned);
        let lines: Vec<_> = lines.filter_map(line).collect();
        assert!(lines.len() > 10, "{lines:?}");
        for line in lines {
            read(format!("x {}", line.trim()).trim_end());
        }
    }

    #[test]
    fn told_at_a_glance_is_what_clap_would_say() {
        for operation in ["get", "store", "erase"] {
            let plain = Cli::plain(OsStr::new(operation)).unwrap();
            let parsed = Cli::try_parse_from(["x", operation]).unwrap_or_else(|it| panic!("{it}"));
            assert_eq!(plain.flags, parsed.flags, "{operation}");
            let which = |cli: &Cli| std::mem::discriminant(&cli.operation);
            assert_eq!(which(&plain), which(&parsed), "{operation}");
        }
        for operation in ["capability", "--help", "", "Get"] {
            assert!(Cli::plain(OsStr::new(operation)).is_none(), "{operation}");
        }
    }

    #[test]
    fn a_time_has_a_unit() {
        let seconds = ["90s", "20m", "1h"].map(|text| time(text).map(|it| it.as_secs()));
        assert_eq!(seconds, [Ok(90), Ok(1200), Ok(3600)]);
        for text in ["", "20", "m", "-1m", "1.5h", "20 m", "\u{e9}"] {
            assert!(time(text).is_err(), "{text}");
        }
    }
}
