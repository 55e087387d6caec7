//! The man page. clap_mangen writes what the command line says; the rest comes from the tables.

use clap::{Command, CommandFactory as _};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};
use git_credential_gastown::failure::Name;

use crate::cli::Cli;
use crate::text::{self, Setting};

const FILES: [(&str, &str); 5] = [
    (
        "~/.config/gastown/config.json",
        "The config file: a JSON object. It is used if you or root own it and nobody else can write to it.",
    ),
    (
        "/etc/gastown/config.json",
        "The config file of the machine, used for what no other says, if root owns it.",
    ),
    (
        "$XDG_RUNTIME_DIR/gastown, ~/.cache/gastown",
        "The cache: the first directory that can be used, else a private one in $TMPDIR.",
    ),
    ("~/.config/gastown/setup/", "What `setup --undo` needs."),
    ("~/.gitconfig", "Where `setup` configures git, unless it is told otherwise."),
];

pub(crate) fn page() -> String {
    let command = with_plain_help(Cli::command());
    let man = Man::new(command.clone()).title("GIT-CREDENTIAL-GASTOWN").manual("Git Manual");
    let write =
        |part: fn(&Man, &mut dyn std::io::Write) -> std::io::Result<()>| written(&man, part);
    let mut page = Page::default();
    page.add(write(Man::render_title));
    // No spaces to fill lines, no broken words.
    page.lines(|roff| roff.control("ad", ["l"]).control("nh", []));
    page.add(write(Man::render_name_section));
    page.section("SYNOPSIS");
    page.lines(|roff| roff.text([bold(text::usage(&mut command.clone()))]));
    page.add(write(Man::render_description_section));
    page.section("COMMANDS");
    for command in text::commands() {
        page.command(with_plain_help(command));
    }
    page.add(write(Man::render_options_section));
    page.environment();
    page.section("FILES");
    FILES.iter().for_each(|(path, what)| page.item(path, what));
    page.section("EXIT STATUS");
    page.block(&command, "Exit codes");
    page.section("ERRORS");
    page.paragraph("An error is one line on stderr, with its name in brackets.");
    for name in Name::ALL {
        page.item(name.as_str(), &format!("{}\n\n{}", name.meaning(), name.fix()));
    }
    page.section("EXAMPLES");
    page.block(&command, "Example");
    page.section("SEE ALSO");
    page.lines(|roff| {
        roff.text([bold("gitcredentials"), roman("(7), "), bold("git-credential"), roman("(1), ")])
            .text([bold("gh"), roman("(1)")])
    });
    page.finished()
}

/// clap_mangen takes help texts as they are written in the source.
fn with_plain_help(command: Command) -> Command {
    command.mut_args(|arg| {
        let help = text::help_of(&arg);
        arg.help(help.clone()).long_help(help)
    })
}

fn written(man: &Man, part: fn(&Man, &mut dyn std::io::Write) -> std::io::Result<()>) -> String {
    let mut bytes = Vec::new();
    part(man, &mut bytes).expect("memory can be written to");
    String::from_utf8(bytes).expect("roff is text")
}

#[derive(Default)]
struct Page(String);

impl Page {
    fn lines(&mut self, write: impl FnOnce(&mut Roff) -> &mut Roff) {
        let mut roff = Roff::new();
        write(&mut roff);
        self.add(roff.render());
    }

    fn add(&mut self, part: String) {
        self.0.push_str(&part);
    }

    fn section(&mut self, heading: &str) {
        self.lines(|roff| roff.control("SH", [heading]));
    }

    fn paragraph(&mut self, text: &str) {
        self.lines(|roff| roff.control("PP", []).text([roman(text)]));
    }

    fn item(&mut self, head: &str, body: &str) {
        self.lines(|roff| roff.control("TP", []).text([bold(head)]).text([roman(body)]));
    }

    /// Lines as they are.
    fn block(&mut self, command: &Command, heading: &str) {
        let Some(block) = text::block(command, heading) else { return };
        self.lines(|roff| {
            roff.control("PP", []).control("RS", ["4"]).control("nf", []);
            block.lines().for_each(|line| {
                roff.text([roman(line)]);
            });
            roff.control("fi", []).control("RE", [])
        });
    }

    fn command(&mut self, mut command: Command) {
        let usage = text::usage(&mut command);
        self.lines(|roff| roff.control("SS", [command.get_name()]).text([bold(usage)]));
        text::about(&command).iter().for_each(|paragraph| self.paragraph(paragraph));
        let options = written(&Man::new(command.clone()), Man::render_options_section);
        let headless = options.lines().filter(|line| !line.starts_with(".SH"));
        self.add(headless.map(|line| format!("{line}\n")).collect());
        self.block(&command, "Example");
    }

    fn environment(&mut self) {
        self.section("ENVIRONMENT");
        self.paragraph(
            "A flag wins over a flag in git's configuration, that over the environment, that over \
             the config files. A variable that is set but empty counts as unset.",
        );
        for Setting { flag, variable, file, help } in text::settings() {
            let mut says = match flag {
                Some(flag) => format!("As {flag}."),
                None => help.paragraphs.join(" "),
            };
            if let (Some(default), true) = (&help.default, says == help.paragraphs.join(" ")) {
                says.push_str(&format!(" The default is {default}."));
            }
            if !file.is_empty() {
                says.push_str(&format!(" In the config file: {file}."));
            }
            self.item(variable, &says);
        }
    }

    fn finished(self) -> String {
        self.0
    }
}
