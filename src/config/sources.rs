//! Where settings are looked up: flag, environment, config file. A variable that is set but empty
//! counts as unset, and the notes say so.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::{Error, ErrorKind, Read as _};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use directories::BaseDirs;
use git_credential_gastown::helper_line::word;
use git_credential_gastown::token::Secret;
use rustix::fs::OFlags;
use rustix::process::geteuid;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::{Origin, Setting};
use crate::cli::Flags;

/// Every key that the config file may hold.
const KEYS: [&str; 10] = [
    "api_url",
    "town_id",
    "rig_id",
    "workspace_root",
    "container_token_file",
    "git_hosts",
    "cache_dir",
    "on_failure",
    "audit_log",
    "github_cli_pat",
];

/// A config file is a few lines.
const LONGEST_CONFIG: u64 = 64 * 1024;

pub(super) struct Sources<'a> {
    variable: &'a dyn Fn(&str) -> Option<OsString>,
    user: Option<BaseDirs>,
    file: Map<String, Value>,
    pub(super) config_file: Option<PathBuf>,
    pub(super) warnings: Vec<String>,
    pub(super) notes: Vec<String>,
}

impl<'a> Sources<'a> {
    /// Reads the config file, if there is one. A damaged file costs its own values, no others.
    pub(super) fn open(flags: &Flags, variable: &'a dyn Fn(&str) -> Option<OsString>) -> Self {
        let mut sources = Self {
            variable,
            user: BaseDirs::new(),
            file: Map::new(),
            config_file: None,
            warnings: Vec::new(),
            notes: Vec::new(),
        };
        let asked =
            flags.config.clone().or_else(|| sources.raw("GASTOWN_CONFIG").map(PathBuf::from));
        let usual = || Some(sources.user.as_ref()?.config_dir().join("gastown/config.json"));
        if let Some(path) = asked.clone().or_else(usual) {
            sources.read(&path, asked.is_some());
            sources.config_file = Some(path);
        }
        sources
    }

    fn read(&mut self, path: &Path, is_wanted: bool) {
        let shown = path.display();
        let text = match read_config(path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound && !is_wanted => return,
            Err(error) => {
                return self.warnings.push(format!("config file `{shown}` is ignored: {error}"));
            }
        };
        match serde_json::from_slice::<Map<String, Value>>(&text) {
            Ok(file) => self.file = file,
            // serde's own words may quote the file.
            Err(error) => self.warnings.push(format!(
                "config file `{shown}` is ignored: not a JSON object (line {}, column {})",
                error.line(),
                error.column()
            )),
        }
        if self.file.contains_key("github_cli_pat") && is_shared(path) {
            let mend = format!("run: chmod 600 {}", word(&path.to_string_lossy()));
            self.warnings.push(format!("others can read the token in `{shown}`; {mend}"));
        }
        for key in self.file.keys().filter(|key| !KEYS.contains(&key.as_str())) {
            self.warnings.push(format!("config file `{shown}`: unknown key `{key}`"));
        }
    }

    pub(super) fn user_directories(&self) -> Option<&BaseDirs> {
        self.user.as_ref()
    }

    /// A flag, else a variable, else a key of the config file.
    pub(super) fn text(
        &mut self,
        flag: Option<&str>,
        flag_name: &'static str,
        variable: &'static str,
        key: &'static str,
    ) -> Setting<String> {
        if let Some(value) = flag {
            return Setting::Set { value: value.to_owned(), origin: Origin::Flag(flag_name) };
        }
        if let Some(value) = self.raw(variable) {
            let origin = Origin::Environment(variable);
            return match value.into_string() {
                Ok(value) => Setting::Set { value, origin },
                Err(_) => Setting::Wrong { origin, why: "not text".to_owned() },
            };
        }
        let origin = Origin::File(key);
        match self.file.get(key) {
            None | Some(Value::Null) => Setting::Unset,
            Some(Value::String(value)) => Setting::Set { value: value.clone(), origin },
            Some(_) => Setting::Wrong { origin, why: "not a string".to_owned() },
        }
    }

    /// As [`Self::text`], for a path, which need not be text.
    pub(super) fn path(
        &mut self,
        flag: Option<&Path>,
        flag_name: &'static str,
        variable: &'static str,
        key: &'static str,
    ) -> Setting<PathBuf> {
        if let Some(value) = flag {
            return Setting::Set { value: value.to_owned(), origin: Origin::Flag(flag_name) };
        }
        match self.raw(variable) {
            Some(value) => {
                Setting::Set { value: value.into(), origin: Origin::Environment(variable) }
            }
            None => self.text(None, "", variable, key).parse(|text| Ok(PathBuf::from(text))),
        }
    }

    /// A variable, else a key of the config file if it may stand there. White space around it is
    /// taken for an accident of the shell.
    pub(super) fn secret(
        &mut self,
        variable: &'static str,
        key: Option<&'static str>,
    ) -> Setting<Secret> {
        let setting = match (self.raw(variable), key) {
            (None, Some(key)) => self.text(None, "", variable, key),
            (None, None) => Setting::Unset,
            (Some(value), _) => Setting::Set {
                value: value.to_string_lossy().into_owned(),
                origin: Origin::Environment(variable),
            },
        };
        let secret = setting.parse(|text| {
            Secret::parse(text.trim_ascii().as_bytes()).ok_or_else(|| "not a token".to_owned())
        });
        if let Setting::Wrong { origin, why } = &secret {
            self.warnings.push(format!("{origin} is ignored: {why}"));
        }
        secret
    }

    /// A variable as a comma list, else a key of the config file as an array or a comma list.
    pub(super) fn list(
        &mut self,
        variable: &'static str,
        key: &'static str,
    ) -> Option<Vec<String>> {
        if self.raw(variable).is_none()
            && let Some(Value::Array(entries)) = self.file.get(key)
        {
            let text = |entry: &Value| entry.as_str().unwrap_or_default().to_owned();
            return Some(entries.iter().map(text).collect());
        }
        let text = self.text(None, "", variable, key).value()?.clone();
        let entries = text.split(',').map(|entry| entry.trim().to_owned());
        Some(entries.filter(|entry| !entry.is_empty()).collect())
    }

    /// Where a value comes from, whatever it is.
    pub(super) fn origin(
        &mut self,
        flag: Option<&'static str>,
        variable: &'static str,
        key: &'static str,
    ) -> Option<Origin> {
        if let Some(name) = flag {
            return Some(Origin::Flag(name));
        }
        let is_set = self.raw(variable).is_some();
        let of_file = || self.file.contains_key(key).then_some(Origin::File(key));
        is_set.then_some(Origin::Environment(variable)).or_else(of_file)
    }

    /// A variable that holds text; empty counts as unset.
    pub(super) fn variable(&mut self, name: &str) -> Option<String> {
        self.raw(name)?.into_string().ok()
    }

    fn raw(&mut self, name: &str) -> Option<OsString> {
        let value = (self.variable)(name)?;
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

/// Reads a config file that nobody else could have written: it says where the container token is
/// sent. It may be a link, as mounted files are; a pipe or a device would keep us reading.
fn read_config(path: &Path) -> std::io::Result<Zeroizing<Vec<u8>>> {
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let metadata = file.metadata()?;
    let is_trusted = [0, geteuid().as_raw()].contains(&metadata.uid());
    let fault = if !metadata.is_file() {
        "it is not a regular file"
    } else if metadata.len() > LONGEST_CONFIG {
        "it is too long"
    } else if !is_trusted {
        "it belongs to another user"
    } else if metadata.mode() & 0o022 != 0 {
        "others can write it"
    } else {
        let mut text = Zeroizing::new(Vec::new());
        file.take(LONGEST_CONFIG).read_to_end(&mut text)?;
        return Ok(text);
    };
    Err(Error::other(fault))
}

fn is_shared(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|metadata| metadata.mode() & 0o077 != 0)
}
