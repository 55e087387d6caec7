//! The texts of the program, taken apart: what a help text says, and what stands below it.

use clap::builder::PossibleValue;
use clap::{Arg, Command, CommandFactory as _};
use git_credential_gastown::helper_line::COMMAND;

use crate::cli::Cli;
use crate::key::Key;

/// A setting, with the flag that has its help.
pub(crate) struct Setting {
    pub(crate) flag: Option<String>,
    pub(crate) variable: &'static str,
    pub(crate) file: &'static str,
    pub(crate) help: Help,
}

/// A help text without what its brackets say.
pub(crate) struct Help {
    pub(crate) paragraphs: Vec<String>,
    pub(crate) default: Option<String>,
}

/// All settings. What flags and the table of settings say of each other has to agree.
pub(crate) fn settings() -> Vec<Setting> {
    let command = with_plain_help(Cli::command());
    let setting = |(key, meaning): (Key, &str)| {
        let Key { flag, variable, file, .. } = key;
        if flag.is_empty() {
            return Setting { flag: None, variable, file, help: Help::new(meaning) };
        }
        let arg = command.get_arguments().find(|arg| is_flag(arg, flag));
        let arg = arg.unwrap_or_else(|| panic!("no flag {flag}"));
        let help = arg.get_long_help().expect("every flag has one now").to_string();
        let env = format!(" [env: {variable}]");
        assert!(help.contains(&env), "the help of {flag} has to say{env}");
        Setting { flag: Some(head(arg)), variable, file, help: Help::new(&help.replace(&env, "")) }
    };
    let settings: Vec<_> = Key::ALL.into_iter().map(setting).collect();
    for arg in command.get_arguments() {
        let is_there = settings.iter().any(|it| it.flag.as_ref() == Some(&head(arg)));
        assert!(is_there, "no setting of src/config/key.rs has the flag {}", head(arg));
    }
    settings
}

fn is_flag(arg: &Arg, flag: &str) -> bool {
    arg.get_long().is_some_and(|long| flag.strip_prefix("--") == Some(long))
}

impl Help {
    pub(crate) fn new(text: &str) -> Self {
        let mut text = text.to_owned();
        let default = text.find("[default: ").map(|start| {
            let end = start + text[start..].find(']').expect("a bracket is closed");
            let default = text[start + "[default: ".len()..end].to_owned();
            text.replace_range(start.saturating_sub(1)..=end, "");
            default
        });
        Self { paragraphs: paragraphs(&text), default }
    }
}

/// The paragraphs of a text, each one a sentence or more.
pub(crate) fn paragraphs(text: &str) -> Vec<String> {
    let sentence = |text: &str| match text.ends_with(['.', ':']) || text.is_empty() {
        true => text.to_owned(),
        false => format!("{text}."),
    };
    text.split("\n\n").map(|paragraph| sentence(paragraph.trim())).collect()
}

/// The long help of an argument, each paragraph in one line, with the values that it may have.
pub(crate) fn help_of(arg: &Arg) -> String {
    let help = arg.get_long_help().or(arg.get_help()).expect("every argument has a help text");
    let help = help.to_string().replace("{n}", " ");
    let values = arg.get_possible_values();
    if values.is_empty() || !arg.get_action().takes_values() {
        return help;
    }
    let value = |value: &PossibleValue| match value.get_help() {
        Some(help) => format!("`{}`: {help}.", value.get_name()),
        None => format!("`{}`", value.get_name()),
    };
    let is_explained = values.iter().any(|value| value.get_help().is_some());
    let values: Vec<_> = values.iter().map(value).collect();
    match is_explained {
        true => format!("{help}\n\n{}", values.join(" ")),
        false => format!("{help}: {}", values.join(", ")),
    }
}

/// The command with help texts as they are read, for clap_mangen takes them as they are written; and
/// with what the table of settings adds.
pub(crate) fn with_plain_help(command: Command) -> Command {
    command.mut_args(|arg| {
        let mut help = help_of(&arg);
        let key = Key::ALL.into_iter().find(|(key, _)| is_flag(&arg, key.flag));
        if let Some((_, more)) = key.filter(|(_, more)| !more.is_empty()) {
            help += &format!("\n\n{more}");
        }
        let has_values = arg.get_action().takes_values();
        arg.help(help.clone()).long_help(help).hide_possible_values(has_values)
    })
}

/// An argument as it is typed.
pub(crate) fn head(arg: &Arg) -> String {
    let takes_values = arg.get_action().takes_values();
    let values: Vec<_> = arg.get_value_names().unwrap_or_default().iter().collect();
    let value = values.first().filter(|_| takes_values).map(|value| format!("<{value}>"));
    let short = arg.get_short().map(|short| format!("-{short}, "));
    match (arg.get_long(), value) {
        (None, value) => value.unwrap_or_else(|| arg.get_id().to_string().to_uppercase()),
        (Some(long), None) => format!("{}--{long}", short.unwrap_or_default()),
        (Some(long), Some(value)) => format!("{}--{long} {value}", short.unwrap_or_default()),
    }
}

/// The commands by themselves, without the settings.
pub(crate) fn commands() -> Vec<Command> {
    let own = |command: &Command| {
        let name = format!("{COMMAND} {}", command.get_name());
        command.clone().bin_name(name).disable_help_flag(true)
    };
    Cli::command().get_subcommands().map(own).collect()
}

/// How a command is typed, as its help says.
pub(crate) fn usage(command: &Command) -> String {
    let mut root = Cli::command();
    root.build();
    let usage = match root.find_subcommand_mut(command.get_name()) {
        Some(command) => command.render_usage(),
        None => root.render_usage(),
    };
    usage.to_string().trim_start_matches("Usage: ").to_owned()
}

/// What the command does, the short text before the long one.
pub(crate) fn about(command: &Command) -> Vec<String> {
    let about = command.get_long_about().or(command.get_about()).expect("it says what it does");
    paragraphs(&about.to_string())
}

/// What stands below a heading at the end of a command's help.
pub(crate) fn block(command: &Command, heading: &str) -> Option<String> {
    let help = command.get_after_help()?.to_string();
    let block = help.split("\n\n").find_map(|block| block.strip_prefix(heading))?;
    let (_, lines) = block.split_once(":\n")?;
    Some(lines.lines().map(|line| format!("{}\n", line.trim_start())).collect())
}
