//! Where settings are looked up, in order: the flag given, the flag in git's helper line, the
//! environment, the user's config file, the machine's. A variable that is set but empty counts as
//! unset, and the notes say so.

use std::ffi::OsString;
use std::fs::{Metadata, OpenOptions};
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

use super::key::Key;
use super::{Given, Origin, Setting};
use crate::cli::Flags;

/// Tells where a value of that name came from.
type Naming = fn(&'static str) -> Origin;

pub(super) struct Sources<'a> {
    given: &'a Given<'a>,
    pub(super) user: Option<BaseDirs>,
    /// The user's before the machine's.
    files: Vec<(Map<String, Value>, Naming)>,
    pub(super) config_file: Option<PathBuf>,
    pub(super) warnings: Vec<String>,
    pub(super) notes: Vec<String>,
}

impl<'a> Sources<'a> {
    /// Reads the config files that are there. A damaged one costs its own values, no others.
    pub(super) fn open(given: &'a Given<'a>) -> Self {
        let mut sources = Self {
            given,
            user: BaseDirs::new(),
            files: Vec::new(),
            config_file: None,
            warnings: Vec::new(),
            notes: Vec::new(),
        };
        let flag = given.flags.config.clone().or_else(|| given.helper.flags.config.clone());
        let asked = flag.or_else(|| sources.raw(Key::CONFIG.variable).map(PathBuf::from));
        let usual = || Some(sources.user.as_ref()?.config_dir().join("gastown/config.json"));
        sources.config_file = asked.clone().or_else(usual);
        if let Some(path) = sources.config_file.clone() {
            let is_trusted = |owner| owner == 0 || owner == geteuid().as_raw();
            sources.read(&path, asked.is_some(), is_trusted, Origin::File);
        }
        sources.read(given.system_config, false, |owner| owner == 0, Origin::SystemFile);
        sources
    }

    fn read(
        &mut self,
        path: &Path,
        is_wanted: bool,
        is_trusted: impl Fn(u32) -> bool,
        origin: Naming,
    ) {
        let shown = path.display();
        let (text, is_shared) = match read_config(path, is_trusted) {
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::NotFound && !is_wanted => return,
            Err(error) => {
                return self.warnings.push(format!("config file `{shown}` is ignored: {error}"));
            }
        };
        let mut values = match serde_json::from_slice::<Map<String, Value>>(&text) {
            Ok(values) => values,
            // serde's own words may quote the file.
            Err(error) => {
                return self.warnings.push(format!(
                    "config file `{shown}` is ignored: not a JSON object (line {}, column {})",
                    error.line(),
                    error.column()
                ));
            }
        };
        if is_shared && values.contains_key(Key::GITHUB_CLI_PAT.file) {
            let fix = format!("run: chmod 600 {}", word(&path.to_string_lossy()));
            self.warnings.push(format!("others can read the token in `{shown}`; {fix}"));
        }
        let is_known = |name: &String| Key::IN_FILE.iter().any(|key| key.file == name);
        for name in values.keys().filter(|name| !is_known(name)) {
            self.warnings.push(format!("config file `{shown}`: unknown key `{name}`"));
        }
        // A list may be an array or a text with commas.
        if let Some(list) = values.get_mut(Key::HOSTS.file)
            && let Some(entries) = list.as_array()
        {
            let entries: Vec<_> = entries.iter().filter_map(Value::as_str).collect();
            *list = Value::String(entries.join(","));
        }
        self.files.push((values, origin));
    }

    fn find(&mut self, key: &Key) -> Setting<OsString> {
        let Given { flags, helper, .. } = self.given;
        let layers: [(&Flags, Naming); 2] =
            [(flags, Origin::Flag), (&helper.flags, Origin::HelperLine)];
        for (flags, origin) in layers {
            if let Some(value) = (key.of)(flags) {
                return Setting::Set { value: value.to_owned(), origin: origin(key.flag) };
            }
        }
        if let Some(value) = self.raw(key.variable) {
            return Setting::Set { value, origin: Origin::Environment(key.variable) };
        }
        for (values, origin) in self.files.iter().filter(|_| !key.file.is_empty()) {
            let origin = origin(key.file);
            match values.get(key.file) {
                None | Some(Value::Null) => {}
                Some(Value::String(value)) => {
                    return Setting::Set { value: value.into(), origin };
                }
                Some(_) => return Setting::Wrong { origin, why: "not a string".to_owned() },
            }
        }
        Setting::Unset
    }

    pub(super) fn text(&mut self, key: &Key) -> Setting<String> {
        self.find(key).parse(|value| value.into_string().map_err(|_| "not text".to_owned()))
    }

    /// A path need not be text.
    pub(super) fn path(&mut self, key: &Key) -> Setting<PathBuf> {
        self.find(key).parse(|value| Ok(PathBuf::from(value)))
    }

    /// White space around it is taken for an accident of the shell.
    pub(super) fn secret(&mut self, key: &Key) -> Setting<Secret> {
        let secret = self.find(key).parse(|value| {
            let text = Zeroizing::new(value.to_string_lossy().into_owned());
            Secret::parse(text.trim_ascii().as_bytes()).ok_or_else(|| "not a token".to_owned())
        });
        self.warn_if_wrong(&secret);
        secret
    }

    /// The value, if nothing is wrong with it; else a warning.
    pub(super) fn warn_if_wrong<T>(&mut self, setting: &Setting<T>) {
        if let Setting::Wrong { origin, why } = setting {
            self.warnings.push(format!("{origin} is ignored: {why}"));
        }
    }

    /// A variable that holds text; empty counts as unset.
    pub(super) fn variable(&mut self, name: &str) -> Option<String> {
        self.raw(name)?.into_string().ok()
    }

    fn raw(&mut self, name: &str) -> Option<OsString> {
        let value = (self.given.variable)(name)?;
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

/// Reads a config file that nobody but its owner could have written: it says where the container
/// token is sent. Tells as well whether others can read it.
fn read_config(
    path: &Path,
    is_trusted: impl Fn(u32) -> bool,
) -> std::io::Result<(Zeroizing<Vec<u8>>, bool)> {
    /// A config file is a few lines.
    const LONGEST: u64 = 64 * 1024;
    let fault_of = |metadata: &Metadata| {
        let is_shared = metadata.mode() & 0o022 != 0;
        let faults = [
            (metadata.len() > LONGEST, "it is too long"),
            (!is_trusted(metadata.uid()), "it belongs to another user"),
            (is_shared, "others can write it"),
        ];
        faults.into_iter().find_map(|(is_so, fault)| is_so.then_some(fault))
    };
    let (text, metadata) = read(path, LONGEST, fault_of)?;
    Ok((text, metadata.mode() & 0o077 != 0))
}

/// Reads a regular file. It may be a link, as mounted files are; a pipe or a device would keep us
/// reading.
pub(super) fn read(
    path: &Path,
    longest: u64,
    fault_of: impl Fn(&Metadata) -> Option<&'static str>,
) -> std::io::Result<(Zeroizing<Vec<u8>>, Metadata)> {
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let metadata = file.metadata()?;
    let fault = if metadata.is_file() { fault_of(&metadata) } else { Some("not a regular file") };
    if let Some(fault) = fault {
        return Err(Error::other(fault));
    }
    let mut bytes = Zeroizing::new(Vec::new());
    file.take(longest).read_to_end(&mut bytes)?;
    Ok((bytes, metadata))
}

#[cfg(test)]
mod tests {
    use std::fs::{Permissions, set_permissions, write};
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn config_file_of_another_owner_or_that_others_can_write_is_not_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config.json");
        write(&path, "{}").unwrap();
        let own = geteuid().as_raw();
        let read = |mode, owner| {
            set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            read_config(&path, |found| found == owner)
                .map(|(text, is_shared)| (text.len(), is_shared))
                .ok()
        };
        assert_eq!(read(0o600, own), Some((2, false)));
        assert_eq!(read(0o644, own), Some((2, true)));
        assert_eq!(read(0o600, own + 1), None);
        assert_eq!(read(0o620, own), None);
        assert_eq!(read(0o602, own), None);
    }
}
