//! `docs/reference`.

use std::fmt::Write as _;

use clap::{Arg, CommandFactory as _};
use git_credential_gastown::failure::Name;

use crate::cli::Cli;
use crate::text::{self, Help, Setting};

const GENERATED: &str = "<!-- Written by `cargo run --example reference`. -->\n";

pub(crate) fn commands() -> String {
    let mut page = format!(
        "# Commands and flags\n\n{GENERATED}\n\
         `git credential-gastown COMMAND` and `git-credential-gastown COMMAND` are the same. What \
         each prints, with more examples: [commands](../commands.md). The flags of every command \
         are [settings](settings.md).\n\n",
    );
    let root = Cli::command();
    let examples = text::block(&root, "Example").expect("the program has examples");
    let _ = writeln!(page, "```sh\n{examples}```");
    for command in text::commands() {
        let _ = writeln!(page, "\n## {}\n", command.get_name());
        let _ = writeln!(page, "{}\n", text::about(&command).join("\n\n"));
        let _ = writeln!(page, "```text\n{}\n```", text::usage(&command));
        let arguments: Vec<_> = command.get_arguments().collect();
        if !arguments.is_empty() {
            let _ = writeln!(page, "\n| argument | |\n|---|---|");
        }
        for argument in arguments {
            let _ = writeln!(page, "| `{}` | {} |", text::head(argument), help(argument));
        }
        if let Some(examples) = text::block(&command, "Example") {
            let _ = writeln!(page, "\n```sh\n{examples}```");
        }
    }
    let codes = text::block(&root, "Exit codes").expect("the program has exit codes");
    let _ = writeln!(page, "\n## Exit codes\n\n```text\n{codes}```");
    page
}

fn help(argument: &Arg) -> String {
    text::paragraphs(&text::help_of(argument)).join(" ")
}

pub(crate) fn settings() -> String {
    let mut page = format!(
        "# Settings\n\n{GENERATED}\n\
         A flag wins over a flag in git's configuration, that over the environment, that over the \
         user's config file, that over `/etc/gastown/config.json`. A variable that is set but empty \
         counts as unset.\n\n\
         Flags may stand before or after the command. `setup` writes those that it is given into \
         git's configuration, as `helper = … --rig my-rig`. There they count for every command that \
         is about that host.\n\n\
         A config file is one JSON object:\n\n\
         ```json\n{{ \"api_url\": \"https://gastown.example\", \"town_id\": \"my-town\" }}\n```\n\n\
         It is used if you or root own it and nobody else can write to it; the one in `/etc`, which \
         an image can bring, if root owns it.\n\n\
         | flag | environment | config file | default |\n|---|---|---|---|\n",
    );
    let code = |text: &str| if text.is_empty() { "–".to_owned() } else { format!("`{text}`") };
    let settings = text::settings();
    for Setting { flag, variable, file, help } in &settings {
        let flag = code(flag.as_deref().unwrap_or_default());
        let is_below = help.paragraphs.iter().any(|text| text.contains("The default is "));
        let otherwise = if is_below { "see below" } else { "–" };
        let default = help.default.as_deref().unwrap_or(otherwise);
        let _ = writeln!(page, "| {flag} | `{variable}` | {} | {default} |", code(file));
    }
    let _ = writeln!(page);
    for Setting { flag, variable, help: Help { paragraphs, .. }, .. } in &settings {
        let name = flag.as_deref().unwrap_or(variable);
        let _ = writeln!(page, "- `{name}`: {}", paragraphs.join(" "));
    }
    page
}

pub(crate) fn errors() -> String {
    let mut page = format!(
        "# Errors\n\n{GENERATED}\n\
         An error is one line on stderr: what failed, what to do, and its name in brackets. [How to \
         read it](../troubleshooting.md); [exit codes](commands.md#exit-codes).\n",
    );
    for name in Name::ALL {
        let (meaning, fix) = (name.meaning(), name.fix());
        let _ = write!(page, "\n## {name}\n\n{meaning}\n\n**Fix:** {fix}\n");
    }
    page
}
