//! What is measured against what: the stand-in town as the worker, an agent's home with a cached
//! token, and the peers that this machine has.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Build;
use crate::town::{Git, Home, RIG, TOWN, Town};

/// Beside the entry that is asked for.
pub(crate) const OTHER_ENTRIES: usize = 10_000;

pub(crate) struct Bench {
    /// At least one.
    pub builds: Vec<Build>,
    pub git: Git,
    pub town: Town,
    pub home: Home,
    /// A home whose cache is full of others' entries.
    pub crowded: Home,
    /// git's request, and one about a token that is not ours.
    pub request: PathBuf,
    pub foreign: PathBuf,
    credential_store: PathBuf,
    credentials: PathBuf,
    /// A program that only exits, without any library: the least that a process can take.
    least: Option<PathBuf>,
}

impl Bench {
    pub(crate) fn new(builds: Vec<Build>, place: &Path) -> Result<Self, Box<dyn Error>> {
        let (git, town) = (Git::newest(), Town::start());
        let helper = &builds.first().ok_or("there is no helper to measure")?.helper;
        let (home, crowded) = (agent(helper, &git, &town), agent(helper, &git, &town));
        let host = town.github.host();
        let text = format!(
            "capability[]=authtype\ncapability[]=state\nprotocol=http\nhost={host}\n\
             wwwauth[]=Basic realm=\"GitHub\"\n"
        );
        let (request, foreign) = (place.join("request"), place.join("foreign"));
        fs::write(&request, format!("{text}\n"))?;
        fs::write(&foreign, format!("{text}username=somebody\npassword=foreign\n\n"))?;
        for home in [&home, &crowded] {
            home.helper(&["get"], &format!("{text}\n")).assert_ok();
        }
        crowd(&crowded)?;
        let credentials = place.join("credentials");
        let token = town.worker.token_for(RIG);
        fs::write(&credentials, format!("http://x-access-token:{token}@{host}\n"))?;
        let found = Command::new(&git.path).arg("--exec-path").output()?;
        let credential_store =
            Path::new(String::from_utf8(found.stdout)?.trim()).join("git-credential-store");
        Ok(Self {
            builds,
            git,
            town,
            home,
            crowded,
            request,
            foreign,
            credential_store,
            credentials,
            least: least(place),
        })
    }

    pub(crate) fn helper(&self, build: &Build, operation: &str) -> Command {
        self.helper_in(&self.home, build, operation)
    }

    pub(crate) fn helper_in(&self, home: &Home, build: &Build, operation: &str) -> Command {
        self.with(home, &build.helper, &[operation])
    }

    pub(crate) fn store(&self) -> Command {
        let file = format!("--file={}", self.credentials.display());
        self.with(&self.home, &self.credential_store, &[&file, "get"])
    }

    pub(crate) fn nothing(&self) -> Command {
        self.with(&self.home, Path::new("/bin/true"), &[])
    }

    pub(crate) fn least(&self) -> Option<Command> {
        Some(self.with(&self.home, self.least.as_deref()?, &[]))
    }

    /// `git credential fill` with one helper and no other.
    pub(crate) fn fill(&self, helper: &str) -> Command {
        let helper = format!("credential.helper={helper}");
        let arguments = ["-c", "credential.helper=", "-c", &helper, "credential", "fill"];
        self.with(&self.home, &self.git.path, &arguments)
    }

    pub(crate) fn fill_from_store(&self) -> Command {
        self.fill(&format!("store --file={}", self.credentials.display()))
    }

    /// The helper by its path, as git runs it from a configuration that names it so.
    pub(crate) fn fill_from_helper(&self, build: &Build) -> Command {
        self.fill(&build.helper.display().to_string())
    }

    pub(crate) fn curl(&self) -> Command {
        let url = self.town.worker.url();
        let url = format!("{url}/api/towns/{TOWN}/rigs/{RIG}/refresh-git-token");
        let bearer = format!("Authorization: Bearer {}", self.town.worker.container_token());
        self.with(
            &self.home,
            Path::new("curl"),
            &["--silent", "--fail", "--request", "POST", "--header", &bearer, &url],
        )
    }

    pub(crate) fn gh(&self) -> Command {
        let mut gh = self.with(&self.home, Path::new("gh"), &["auth", "git-credential", "get"]);
        gh.env("GH_TOKEN", "ghs_any");
        gh
    }

    pub(crate) fn has(&self, command: &str) -> bool {
        self.with(&self.home, Path::new(command), &["--version"]).output().is_ok()
    }

    pub(crate) fn forget_cache(&self) {
        for file in self.home.cache_files() {
            fs::remove_file(file).expect("the cache is ours");
        }
    }

    fn with(&self, home: &Home, program: &Path, arguments: &[&str]) -> Command {
        let mut command = home.command(program);
        command.args(arguments);
        command
    }
}

/// Where there is a C compiler, for this processor.
fn least(place: &Path) -> Option<PathBuf> {
    const EXIT: &str = "_start: mov $60, %eax; xor %edi, %edi; syscall";
    let (source, program) = (place.join("least.s"), place.join("least"));
    fs::write(&source, format!(".globl _start; {EXIT}\n")).ok()?;
    let mut compiler = Command::new("cc");
    compiler.args(["-static", "-nostdlib", "-o"]).args([&program, &source]);
    let is_built = cfg!(target_arch = "x86_64") && compiler.status().ok()?.success();
    is_built.then_some(program)
}

fn agent(helper: &Path, git: &Git, town: &Town) -> Home {
    let mut home = Home::new(helper, git);
    home.as_agent(town);
    home
}

/// Copies of the one entry under other names, as other rigs' would have.
fn crowd(home: &Home) -> std::io::Result<()> {
    let files = home.cache_files();
    let entry = files.iter().find(|path| path.to_string_lossy().ends_with(".token.json"));
    let entry = entry.ok_or(std::io::ErrorKind::NotFound)?;
    for other in 0..OTHER_ENTRIES {
        fs::copy(entry, entry.with_file_name(format!("{other:032x}.token.json")))?;
    }
    Ok(())
}
