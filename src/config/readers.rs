//! How each setting is made of what its sources say. What is malformed becomes a warning, and the
//! next best value holds.

use std::ffi::OsStr;
use std::fs::OpenOptions;
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use git_credential_gastown::host::{Host, Id, rig_of_directory};
use git_credential_gastown::token::{Kind, LONGEST_TOKEN, Secret};
use rustix::fs::OFlags;
use zeroize::Zeroizing;

use super::sources::Sources;
use super::{Certificates, GitLab, Origin, Setting, StaticToken};
use crate::cache::Candidate;
use crate::cli::{Flags, OnFailure};
use crate::messages::TraceTo;

const DEFAULT_HOSTS: [&str; 2] = ["github.com", "gist.github.com"];
const DEFAULT_GITLAB: &str = "gitlab.com";
const DEFAULT_WORKSPACE: &str = "/workspace/rigs";

pub(super) fn parse_id(text: String) -> Result<Id, String> {
    Id::parse(&text).ok_or_else(|| "not an id (letters, digits, `.`, `_`, `-`)".to_owned())
}

/// A flag names the rig; else the worktree that git runs in; else the snapshot taken at dispatch,
/// which for the mayor names no rig at all.
pub(super) fn rig(
    sources: &mut Sources<'_>,
    flags: &Flags,
    directory: Option<&Path>,
) -> Setting<Id> {
    let workspace = sources
        .path(flags.workspace.as_deref(), "--workspace", "GASTOWN_WORKSPACE_ROOT", "workspace_root")
        .value()
        .cloned()
        .unwrap_or_else(|| PathBuf::from(DEFAULT_WORKSPACE));
    if flags.rig.is_none()
        && let Some(id) = directory.and_then(|here| rig_here(&workspace, here))
    {
        return Setting::Set { value: id, origin: Origin::Directory };
    }
    sources.text(flags.rig.as_deref(), "--rig", "GASTOWN_RIG_ID", "rig_id").parse(parse_id)
}

/// The kernel tells the working directory without symbolic links; the workspace may be one.
fn rig_here(workspace: &Path, here: &Path) -> Option<Id> {
    rig_of_directory(workspace, here)
        .or_else(|| rig_of_directory(&workspace.canonicalize().ok()?, here))
}

/// The hosts that are served: the listed ones, and the GitLab instance if there is a token for it.
pub(super) fn hosts(sources: &mut Sources<'_>, flags: &[String], gitlab: &GitLab) -> Vec<Host> {
    let entries = match flags {
        [] => sources.list("GASTOWN_GIT_HOSTS", "git_hosts"),
        flags => Some(flags.to_vec()),
    };
    let entries = entries.filter(|entries| !entries.is_empty());
    let entries = entries.unwrap_or_else(|| DEFAULT_HOSTS.map(str::to_owned).to_vec());
    let mut hosts = Vec::new();
    for entry in entries {
        match Host::listed(&entry) {
            Ok(host) => hosts.push(host),
            Err(why) => {
                let entry = shown(&entry);
                sources.warnings.push(format!("git host `{entry}` is ignored: {why}"));
            }
        }
    }
    if gitlab.token.is_some() && !hosts.contains(&gitlab.host) {
        hosts.push(gitlab.host.clone());
    }
    hosts
}

/// Only what may be a name: everything else of a URL may hold a secret.
fn shown(entry: &str) -> &str {
    let rest = entry.split_once("://").map_or(entry, |(_, rest)| rest);
    let name = rest.rsplit_once('@').map_or(rest, |(_, name)| name);
    let is_plain = !(rest.contains('@') && rest.contains(['?', '#']));
    if is_plain { name.split([':', '/', '?', '#']).next().unwrap_or_default() } else { "…" }
}

/// Where the settings come from that do not carry it with them.
pub(super) fn origins(
    sources: &mut Sources<'_>,
    flags: &Flags,
) -> Vec<(&'static str, Option<Origin>)> {
    let hosts = (!flags.host.is_empty()).then_some("--host");
    let cache = flags.cache_dir.as_ref().map(|_| "--cache-dir");
    let on_failure = flags.on_failure.map(|_| "--on-failure");
    vec![
        ("hosts", sources.origin(hosts, "GASTOWN_GIT_HOSTS", "git_hosts")),
        ("cache", sources.origin(cache, "GASTOWN_CACHE_DIR", "cache_dir")),
        ("on failure", sources.origin(on_failure, "GASTOWN_ON_FAILURE", "on_failure")),
    ]
}

/// The instance's token answers for that instance only.
pub(super) fn gitlab(sources: &mut Sources<'_>) -> GitLab {
    let mut token = sources.secret("GITLAB_TOKEN", None).value().cloned();
    let url = sources.variable("GITLAB_INSTANCE_URL");
    let (scheme, rest) = match url.as_deref() {
        Some(url) => url.split_once("://").unwrap_or(("https", url)),
        None => ("https", DEFAULT_GITLAB),
    };
    let host = rest.split('/').next().unwrap_or_default();
    let host = Host::listed(&format!("{scheme}://{host}")).unwrap_or_else(|why| {
        sources.warnings.push(format!("GITLAB_INSTANCE_URL is ignored: {why}"));
        // Nobody knows where the token belongs.
        token = None;
        Host::listed(DEFAULT_GITLAB).expect("it is a host name")
    });
    GitLab { host, token }
}

pub(super) fn static_tokens(sources: &mut Sources<'_>) -> Vec<StaticToken> {
    let mut tokens = Vec::new();
    for (name, key) in
        [("GITHUB_CLI_PAT", Some("github_cli_pat")), ("GIT_TOKEN", None), ("GITHUB_TOKEN", None)]
    {
        let token = sources.secret(name, key);
        let is_personal = |token: &Secret| token.kind() == Kind::PersonalAccess;
        let first = name == "GITHUB_CLI_PAT" || token.value().is_some_and(is_personal);
        tokens.push(StaticToken { name, token, first });
    }
    tokens
}

/// Secrets that are read only to be masked: the password inside the proxy's address, and a token
/// that is meant for another program.
pub(super) fn other_secrets(sources: &mut Sources<'_>, proxy: Option<&Secret>) -> Vec<Secret> {
    let password = proxy.and_then(|proxy| {
        let (user_info, _) = proxy.expose().rsplit_once('@')?;
        Secret::parse(user_info.rsplit_once(':')?.1.as_bytes())
    });
    let other = sources.variable("GH_TOKEN").and_then(|text| Secret::parse(text.as_bytes()));
    password.into_iter().chain(other).collect()
}

/// Where the cache may be, best first: what was asked for, or the user's runtime directory if there
/// is one, the user's cache directory, and at last a private place under the temporary one.
pub(super) fn cache_candidates(
    asked: Setting<PathBuf>,
    sources: &mut Sources<'_>,
) -> Vec<Candidate> {
    let mut paths = Vec::new();
    let mut is_configured = false;
    match asked {
        Setting::Set { value, .. } if value.is_absolute() => {
            paths.push(value);
            is_configured = true;
        }
        Setting::Set { origin, .. } => {
            sources.warnings.push(format!("{origin} is ignored: not an absolute path"));
        }
        _ => {}
    }
    if let Some(user) = sources.user_directories().filter(|_| !is_configured) {
        let runtime = user.runtime_dir().filter(|directory| directory.is_dir());
        paths.extend(runtime.map(|directory| directory.join("gastown")));
        paths.push(user.cache_dir().join("gastown"));
    }
    let temporary = std::env::temp_dir();
    let temporary = if temporary.is_absolute() { temporary } else { PathBuf::from("/tmp") };
    paths.push(temporary.join(format!("gastown-{}", rustix::process::geteuid().as_raw())));
    let candidate = |(index, path)| Candidate { path, is_configured: is_configured && index == 0 };
    paths.into_iter().enumerate().map(candidate).collect()
}

pub(super) fn certificates(sources: &mut Sources<'_>) -> Certificates {
    let directories = sources.variable("SSL_CERT_DIR").unwrap_or_default();
    let directories = std::env::split_paths(&directories).filter(|path| path.is_absolute());
    Certificates {
        file: sources.variable("SSL_CERT_FILE").map(PathBuf::from),
        directories: directories.collect(),
    }
}

pub(super) fn on_failure(sources: &mut Sources<'_>, flags: &Flags) -> OnFailure {
    if let Some(flag) = flags.on_failure {
        return flag;
    }
    let Setting::Set { value, origin } = sources.text(None, "", "GASTOWN_ON_FAILURE", "on_failure")
    else {
        return OnFailure::Quit;
    };
    match value.as_str() {
        "quit" => OnFailure::Quit,
        "next" => OnFailure::Next,
        _ => {
            sources.warnings.push(format!("{origin} is ignored: neither `quit` nor `next`"));
            OnFailure::Quit
        }
    }
}

/// A place that does not depend on where git runs.
pub(super) fn audit_log(sources: &mut Sources<'_>) -> Option<PathBuf> {
    let setting = sources.path(None, "", "GASTOWN_AUDIT_LOG", "audit_log");
    let why = match setting {
        Setting::Set { value, .. } if value.is_absolute() => return Some(value),
        Setting::Set { origin, .. } => format!("{origin} is ignored: not an absolute path"),
        Setting::Wrong { origin, why } => format!("{origin} is ignored: {why}"),
        Setting::Unset => return None,
    };
    sources.warnings.push(why);
    None
}

pub(super) fn trace_to(value: Option<&OsStr>, verbose: bool) -> (TraceTo, Option<&'static str>) {
    let otherwise = if verbose { TraceTo::Stderr } else { TraceTo::Nowhere };
    let Some(value) = value else { return (otherwise, None) };
    match value.as_bytes() {
        b"" | b"0" | b"false" => (otherwise, None),
        b"1" | b"true" => (TraceTo::Stderr, None),
        [b'/', ..] => (TraceTo::File(PathBuf::from(value)), None),
        _ => (otherwise, Some("GASTOWN_TRACE is ignored: neither 1 nor an absolute path")),
    }
}

/// A short file, which may be a link, as mounted secrets are.
pub(super) fn read_secret(path: &Path) -> Result<Secret, String> {
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path);
    let file = file.map_err(|error| error.to_string())?;
    if !file.metadata().is_ok_and(|metadata| metadata.is_file()) {
        return Err("not a regular file".to_owned());
    }
    let mut bytes = Zeroizing::new(Vec::new());
    let read = file.take(LONGEST_TOKEN as u64 + 2).read_to_end(&mut bytes);
    read.map_err(|error| error.to_string())?;
    Secret::parse(bytes.trim_ascii()).ok_or_else(|| "holds no token".to_owned())
}
