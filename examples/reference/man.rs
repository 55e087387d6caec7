//! The man page: clap_mangen writes what the command line says, the tables of settings and errors
//! the rest.

use clap::{Arg, Command, CommandFactory as _};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};
use git_credential_gastown::failure::Name;

use crate::cli::Cli;
use crate::text;

/// With the keys of the config file below the first.
const FILES: [(&str, &str); 4] = [
    (
        "/etc/gastown/config.json",
        "The config file of the machine, for what no other says. It is used if root owns it and \
         nobody else can write to it.",
    ),
    (
        "$XDG_RUNTIME_DIR/gastown, ~/.cache/gastown",
        "The cache: the first directory that can be used, else a private one in $TMPDIR.",
    ),
    ("~/.gitconfig", "Where `setup` configures git, unless it is told otherwise."),
    ("~/.config/gastown/setup/", "What `setup --undo` needs."),
];

pub(crate) fn page() -> String {
    let command = text::with_plain_help(Cli::command());
    // The date is empty, so that a release is the same on every day.
    let man = Man::new(command.clone()).title("GIT-CREDENTIAL-GASTOWN").manual("Git Manual");
    let man = man.date("\"\"");
    let mut page = Page::default();
    page.add(&man, Man::render_title);
    // Lines are not stretched to one length, and words are not broken.
    page.lines(|roff| roff.control("ad", ["l"]).control("nh", []));
    page.add(&man, Man::render_name_section);
    page.section("SYNOPSIS");
    page.lines(|roff| roff.text([bold(text::usage(&command))]));
    page.section("DESCRIPTION");
    page.paragraphs(&text::about(&command)[1..]);
    page.section("COMMANDS");
    for command in text::commands() {
        page.command(text::with_plain_help(command));
    }
    page.add(&man, Man::render_options_section);
    page.section("ENVIRONMENT");
    page.environment();
    page.section("FILES");
    page.files();
    page.section("EXIT STATUS");
    page.block(&command, "Exit codes");
    page.section("ERRORS");
    page.paragraphs(&["An error is one line on stderr, with its name in brackets.".to_owned()]);
    for name in Name::ALL {
        page.item(name.as_str(), &format!("{}\n\n{}", name.meaning(), name.fix()));
    }
    page.section("EXAMPLES");
    page.block(&command, "Example");
    page.section("SEE ALSO");
    let pages = [("gitcredentials", "(7),"), ("git-credential", "(1),"), ("gh", "(1)")];
    for (name, section) in pages {
        page.lines(|roff| roff.text([bold(name), roman(section)]));
    }
    page.finished()
}

/// The source of the page; what is written twice or too long is corrected at the end.
#[derive(Default)]
struct Page(String);

impl Page {
    fn lines(&mut self, write: impl FnOnce(&mut Roff) -> &mut Roff) {
        let mut roff = Roff::new();
        self.0.push_str(&write(&mut roff).render());
    }

    fn add(&mut self, man: &Man, part: fn(&Man, &mut dyn std::io::Write) -> std::io::Result<()>) {
        self.0.push_str(&rendered(man, part));
    }

    fn section(&mut self, heading: &str) {
        self.lines(|roff| roff.control("SH", [heading]));
    }

    fn paragraphs(&mut self, texts: &[String]) {
        self.lines(|roff| roff.text([roman(texts.join("\n\n"))]));
    }

    fn item(&mut self, head: &str, body: &str) {
        self.lines(|roff| roff.control("TP", []).text([bold(head)]).text([roman(body)]));
    }

    /// Lines that stay as they are.
    fn block(&mut self, command: &Command, heading: &str) {
        let Some(block) = text::block(command, heading) else { return };
        self.lines(|roff| {
            roff.control("nf", []);
            block.lines().for_each(|line| {
                roff.text([roman(line)]);
            });
            roff.control("fi", [])
        });
    }

    fn command(&mut self, command: Command) {
        let usage = text::usage(&command);
        self.lines(|roff| roff.control("SS", [command.get_name()]).text([bold(usage)]));
        self.lines(|roff| roff.control("PP", []));
        self.paragraphs(&text::about(&command));
        let options = rendered(&Man::new(command.clone()), Man::render_options_section);
        for line in options.lines().filter(|line| *line != ".SH OPTIONS") {
            if line.starts_with(".SH") {
                // The second part of the options of `setup`, the only command that has two.
                let heading = command.get_arguments().find_map(Arg::get_help_heading);
                let heading = format!("{}:", heading.expect("it stands there"));
                self.lines(|roff| roff.control("PP", []).text([roman(heading)]));
            } else {
                self.0 += &format!("{line}\n");
            }
        }
        if text::block(&command, "Example").is_some() {
            self.lines(|roff| roff.control("PP", []));
            self.block(&command, "Example");
        }
    }

    /// The variables without a flag: the options have the names of theirs.
    fn environment(&mut self) {
        self.paragraphs(&["A flag wins over a flag in git's configuration, that over the variable \
            that its help names, that over the config files. A variable that is set but empty counts \
            as unset.".to_owned()]);
        for setting in text::settings().iter().filter(|setting| setting.flag.is_none()) {
            let mut says = setting.help.paragraphs.join(" ");
            if let Some(default) = &setting.help.default {
                says += &format!(" The default is {default}.");
            }
            self.item(setting.variable, &says);
        }
    }

    fn files(&mut self) {
        let settings = text::settings();
        let keys = settings.iter().filter(|setting| !setting.file.is_empty());
        let keys = keys.map(|setting| format!("{} ({})", setting.file, setting.variable));
        let keys = keys.collect::<Vec<_>>().join(", ");
        let says = format!(
            "The config file. It is used if you or root own it and nobody else can write to it. It \
             is a JSON object with these keys, which mean what the variables do: {keys}."
        );
        self.item("~/.config/gastown/config.json", &says);
        FILES.iter().for_each(|(path, what)| self.item(path, what));
    }

    fn finished(self) -> String {
        let preamble = Roff::new().render();
        let text = self.0.replace(&preamble, "");
        let mut page = format!(".\\\" Written by `cargo run --example reference`.\n{preamble}");
        let mut is_block = false;
        for line in text.lines() {
            is_block = line == ".nf" || is_block && line != ".fi";
            match line {
                "" => page += ".sp\n",
                line if line.starts_with('.') || is_block => page += &format!("{line}\n"),
                line => page += &wrapped(&with_bold_code(line)),
            }
        }
        page
    }
}

fn rendered(man: &Man, part: fn(&Man, &mut dyn std::io::Write) -> std::io::Result<()>) -> String {
    let mut bytes = Vec::new();
    part(man, &mut bytes).expect("memory can be written to");
    String::from_utf8(bytes).expect("roff is text")
}

/// Words between backticks in bold.
fn with_bold_code(line: &str) -> String {
    let parts = line.split('`').enumerate();
    parts
        .map(|(at, part)| if at % 2 == 1 { format!("\\fB{part}\\fR") } else { part.into() })
        .collect()
}

/// In lines that are not too long, none of which begins like a request.
fn wrapped(line: &str) -> String {
    const WIDTH: usize = 80;
    let mut text = String::new();
    let mut length = 0;
    for word in line.split(' ') {
        let fits = length + 1 + word.len() <= WIDTH || word.starts_with(['.', '\'']);
        if length > 0 {
            text.push(if fits { ' ' } else { '\n' });
        }
        length = if fits { length + 1 } else { 0 } + word.len();
        text += word;
    }
    text + "\n"
}
