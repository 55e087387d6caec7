//! Where settings are looked up, in order: the flag given, the flag in git's helper line, the
//! environment, the user's config file, the machine's. A variable that is set but empty counts as
//! unset, and the notes say so.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use directories::BaseDirs;
use git_credential_gastown::helper_line::word;
use git_credential_gastown::host::Host;
use git_credential_gastown::token::Secret;
use rustix::fs::OFlags;
use rustix::process::geteuid;
use serde_json::{Map, Value};

use super::key::Key;
use super::{Origin, Setting, readers};
use crate::cli::Flags;
use crate::files::{WRITABLE, read_trusted};

/// A config file is a few lines.
const LONGEST: u64 = 64 * 1024;

/// Tells where a value of that name came from.
type Naming = fn(&'static str) -> Origin;
/// Makes a value of what was found, or says what is wrong with that.
type Parse<T> = fn(OsString) -> Result<T, String>;

pub(super) struct Sources<'a> {
    /// The flags given, then those of the helper line for the host in question.
    pub(super) flags: [&'a Flags; 2],
    /// The hosts that git asks this helper for.
    pub(super) hosts_of_git: &'a [Host],
    /// Looks up the environment.
    environment: &'a dyn Fn(&str) -> Option<OsString>,
    user: Option<BaseDirs>,
    /// The user's before the machine's.
    files: Vec<(Map<String, Value>, Naming)>,
    pub(super) config_file: Option<PathBuf>,
    pub(super) warnings: Vec<String>,
    pub(super) notes: Vec<String>,
}

impl<'a> Sources<'a> {
    /// Reads the config files that are there. A damaged one costs its own values, no others.
    pub(super) fn open(
        flags: [&'a Flags; 2],
        hosts_of_git: &'a [Host],
        environment: &'a dyn Fn(&str) -> Option<OsString>,
        system_config: &Path,
    ) -> Self {
        let (files, warnings, notes) = (Vec::new(), Vec::new(), Vec::new());
        let (user, config_file) = (user_directories(), None);
        let mut sources =
            Self { flags, hosts_of_git, environment, user, files, config_file, warnings, notes };
        let asked = sources.optional(&Key::CONFIG, readers::absolute).value().cloned();
        let (is_asked, owners) = (asked.is_some(), [0, geteuid().as_raw()]);
        let usual = || sources.directory("XDG_CONFIG_HOME", |user| Some(user.config_dir()));
        let file = asked.or_else(|| Some(usual()?.join("gastown/config.json")));
        sources.config_file =
            file.filter(|path| sources.add(path, is_asked, &owners, Origin::File));
        sources.add(system_config, false, &[0], Origin::SystemFile);
        sources
    }

    pub(super) fn directory(
        &self,
        variable: &str,
        known: fn(&BaseDirs) -> Option<&Path>,
    ) -> Option<PathBuf> {
        user_directory(self.user.as_ref(), known, (self.environment)(variable))
    }

    /// Adds a config file of one of these owners, unless it has to be ignored.
    fn add(&mut self, path: &Path, is_wanted: bool, owners: &[u32], origin: Naming) -> bool {
        let read = self.read(path, is_wanted, owners, origin);
        let ignored = |why| format!("config file `{}` is ignored: {why}", path.display());
        self.warnings.extend(read.as_ref().err().map(ignored));
        read.is_ok()
    }

    fn read(
        &mut self,
        path: &Path,
        is_wanted: bool,
        owners: &[u32],
        origin: Naming,
    ) -> Result<(), String> {
        let shown = path.display();
        // It says where the container token is sent, so nobody else may have written it.
        let trusted = Some((owners, 0o022));
        let (text, metadata) = match read_trusted(path, OFlags::empty(), LONGEST, trusted) {
            Err(error) if error.kind() == ErrorKind::NotFound && !is_wanted => return Ok(()),
            read => read.map_err(|error| match error.to_string() {
                fault if fault == WRITABLE => format!("{fault}; run: chmod go-w {}", word(path)),
                fault => fault,
            })?,
        };
        // serde's own words may quote the file.
        let not_json = |error: serde_json::Error| {
            format!("not a JSON object (line {}, column {})", error.line(), error.column())
        };
        let values: Map<String, Value> = serde_json::from_slice(&text).map_err(not_json)?;
        let has_token = values.get(Key::GITHUB_CLI_PAT.file).is_some_and(is_set);
        if metadata.mode() & 0o077 != 0 && has_token {
            let fix = format!("run: chmod 600 {}", word(path));
            self.warnings.push(format!("others can read the token in `{shown}`; {fix}"));
        }
        let is_known = |name: &String| Key::ALL.iter().any(|(key, _)| key.file == name);
        for name in values.keys().filter(|name| name.is_empty() || !is_known(name)) {
            self.warnings.push(format!("config file `{shown}`: unknown key `{name}`"));
        }
        self.files.push((values, origin));
        Ok(())
    }

    fn find(&mut self, key: &Key) -> Setting<OsString> {
        let of_flags =
            |flags: &Flags, origin: Naming| Some((flags.value(key.flag)?, origin(key.flag)));
        let found = of_flags(self.flags[0], Origin::Flag)
            .or_else(|| of_flags(self.flags[1], Origin::HelperLine))
            .or_else(|| Some((self.raw(key.variable)?, Origin::Environment(key.variable))));
        if let Some((value, origin)) = found {
            return Setting::Set { value, origin };
        }
        for (values, origin) in self.files.iter().filter(|_| !key.file.is_empty()) {
            let origin = origin(key.file);
            match values.get(key.file).filter(|value| is_set(value)) {
                None => {}
                Some(Value::String(value)) => {
                    return Setting::Set { value: value.into(), origin };
                }
                // A list may be an array or a text with commas.
                Some(Value::Array(entries))
                    if key.file == Key::HOSTS.file && entries.iter().all(Value::is_string) =>
                {
                    let entries: Vec<_> = entries.iter().filter_map(Value::as_str).collect();
                    return Setting::Set { value: entries.join(",").into(), origin };
                }
                Some(_) => return Setting::Wrong { origin, why: "not text".to_owned() },
            }
        }
        Setting::Unset
    }

    /// A setting without which there is no answer: whoever needs it says what is wrong with it.
    pub(super) fn needed<T>(&mut self, key: &Key, parse: Parse<T>) -> Setting<T> {
        self.find(key).parse(parse)
    }

    /// A setting that is ignored with a warning if it is wrong.
    pub(super) fn optional<T>(&mut self, key: &Key, parse: Parse<T>) -> Setting<T> {
        let setting = self.find(key).parse(parse);
        if let Setting::Wrong { origin, why } = &setting {
            self.warnings.push(format!("{origin} is ignored: {why}"));
        }
        setting
    }

    pub(super) fn secret(&mut self, key: &Key) -> Setting<Secret> {
        self.optional(key, readers::secret)
    }

    /// A variable that holds text; empty counts as unset.
    pub(super) fn variable(&mut self, name: &str) -> Option<String> {
        self.raw(name)?.into_string().ok()
    }

    fn raw(&mut self, name: &str) -> Option<OsString> {
        let value = (self.environment)(name)?;
        if value.is_empty() {
            let note = format!("{name} is set but empty: counted as unset");
            if !self.notes.contains(&note) {
                self.notes.push(note);
            }
            return None;
        }
        Some(value)
    }
}

/// The user's directories, if `HOME` names a directory: one that is missing is not for us to make.
/// Without it git knows of no home either, and to look the user up would load the machine's own
/// modules into a static program, which may crash.
pub(super) fn user_directories() -> Option<BaseDirs> {
    std::env::var_os("HOME").filter(|home| Path::new(home).is_dir())?;
    BaseDirs::new()
}

/// A directory of the user's. Without `HOME` only a variable can name it.
pub(super) fn user_directory(
    user: Option<&BaseDirs>,
    known: fn(&BaseDirs) -> Option<&Path>,
    named: Option<OsString>,
) -> Option<PathBuf> {
    match user {
        Some(user) => known(user).map(Path::to_owned),
        None => named.map(PathBuf::from).filter(|path| path.is_absolute()),
    }
}

/// Empty counts as unset, as in the environment.
fn is_set(value: &Value) -> bool {
    !value.is_null() && value != ""
}
