//! How each setting is made of what its sources say. What is malformed becomes a warning, and the
//! next best value holds.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::ValueEnum as _;
use directories::BaseDirs;
use git_credential_gastown::host::{ApiUrl, Host, Id, rig_of_directory};
use git_credential_gastown::token::{Kind, LONGEST_TOKEN, Secret};
use rustix::fs::OFlags;
use zeroize::Zeroizing;

use super::key::Key;
use super::sources::Sources;
use super::{Certificates, GitLab, Origin, Setting, StaticToken, TOKEN_VARIABLES};
use crate::cache::{Candidate, DIRECTORY};
use crate::cli::OnFailure;
use crate::files::read_trusted;

pub(super) const DEFAULT_HOSTS: [&str; 2] = ["github.com", "gist.github.com"];
const DEFAULT_GITLAB: &str = "gitlab.com";
const DEFAULT_WORKSPACE: &str = "/workspace/rigs";

fn text(value: OsString) -> Result<String, String> {
    value.into_string().map_err(|_| "not text".to_owned())
}

pub(super) fn api_url(value: OsString) -> Result<ApiUrl, String> {
    ApiUrl::parse(&text(value)?).map_err(str::to_owned)
}

pub(super) fn id(value: OsString) -> Result<Id, String> {
    let why = "not an id (letters, digits, `.`, `_`, `-`)";
    Id::parse(&text(value)?).ok_or_else(|| why.to_owned())
}

/// A place that does not depend on where git runs.
pub(super) fn absolute(value: OsString) -> Result<PathBuf, String> {
    let path = PathBuf::from(value);
    if path.is_absolute() { Ok(path) } else { Err("not an absolute path".to_owned()) }
}

/// White space around it is taken for an accident of the shell.
pub(super) fn secret(value: OsString) -> Result<Secret, String> {
    let text = Zeroizing::new(value.to_string_lossy().into_owned());
    Secret::parse(text.trim_ascii().as_bytes()).ok_or_else(|| "not a token".to_owned())
}

pub(super) fn on_failure(value: OsString) -> Result<OnFailure, String> {
    let why = "neither `quit` nor `next`";
    OnFailure::from_str(&text(value)?, false).map_err(|_| why.to_owned())
}

/// A flag names the rig; else the worktree that git runs in; else the snapshot taken at dispatch,
/// which for the mayor names no rig at all.
pub(super) fn rig(sources: &mut Sources<'_>) -> Setting<Id> {
    let workspace = sources.needed(&Key::WORKSPACE, |value| Ok(PathBuf::from(value)));
    let workspace = workspace.value().map_or(Path::new(DEFAULT_WORKSPACE), PathBuf::as_path);
    let named = sources.needed(&Key::RIG, id);
    let is_flag = matches!(named.origin(), Some(Origin::Flag(_) | Origin::HelperLine(_)));
    let here = std::env::current_dir().ok().filter(|_| !is_flag);
    // The kernel tells the working directory without symbolic links; the workspace may be one.
    let of_workspace = |here: PathBuf| {
        rig_of_directory(workspace, &here)
            .or_else(|| rig_of_directory(&workspace.canonicalize().ok()?, &here))
    };
    match here.and_then(of_workspace) {
        Some(value) => Setting::Set { value, origin: Origin::Directory },
        None => named,
    }
}

pub(super) struct Hosts {
    pub served: Vec<Host>,
    pub listed: Vec<Host>,
    /// Where the served ones come from.
    pub origin: Option<Origin>,
}

/// Each list has the GitLab instance if there is a token for it. If no list is set, only the hosts
/// that git asks this helper for are served: whoever sets up another host alone leaves the default
/// ones out.
pub(super) fn hosts(sources: &mut Sources<'_>, gitlab: &GitLab) -> Hosts {
    let list = sources.optional(&Key::HOSTS, text);
    let mut origin = list.value().and(list.origin()).cloned();
    let (mut entries, of_git): (Vec<_>, &[Host]) = match &sources.flags[0].host[..] {
        [] => {
            let entries = list.value().into_iter().flat_map(|list| list.split(','));
            (entries.map(str::trim).collect(), sources.hosts_of_git)
        }
        flags => {
            origin = Some(Origin::Flag(Key::HOSTS.flag));
            (flags.iter().map(String::as_str).collect(), &[])
        }
    };
    entries.retain(|entry| !entry.is_empty());
    let is_of_git = entries.is_empty() && !of_git.is_empty();
    if is_of_git {
        origin = Some(Origin::HelperLine("the host"));
    }
    let entries: &[_] = if entries.is_empty() { &DEFAULT_HOSTS } else { &entries };
    let mut listed = Vec::new();
    for entry in entries {
        match Host::listed(entry) {
            Ok(host) => add(&mut listed, [host]),
            // No default entry is wrong, so this one comes from a setting.
            Err(why) => {
                let setting = origin.iter().map(Origin::to_string).collect::<String>();
                sources.warnings.push(format!("{setting}: git host {}", ignored(entry, why)));
            }
        }
    }
    let gitlab = gitlab.token.as_ref().map(|_| gitlab.host.clone());
    add(&mut listed, gitlab.clone());
    let mut served = if is_of_git { Vec::new() } else { listed.clone() };
    add(&mut served, of_git.iter().cloned().chain(gitlab));
    Hosts { served, listed, origin }
}

/// Each host once.
pub(crate) fn add(hosts: &mut Vec<Host>, more: impl IntoIterator<Item = Host>) {
    for host in more {
        if !hosts.contains(&host) {
            hosts.push(host);
        }
    }
}

/// Whether a host is served where no list of hosts is set.
pub(crate) fn is_default_host(host: &Host) -> bool {
    DEFAULT_HOSTS.iter().any(|name| Host::listed(name).as_ref() == Ok(host))
}

/// Shows only the scheme and what may be a name: everything else of a URL may hold a secret.
fn ignored(entry: &str, why: &str) -> String {
    let (scheme, rest) = entry.split_once("://").unwrap_or(("", entry));
    let is_scheme = ["http", "https", "ssh", "git"].contains(&scheme);
    let scheme = if is_scheme { format!("{scheme}://") } else { String::new() };
    let name = rest.rsplit_once('@').map_or(rest, |(_, name)| name);
    let is_plain = !(rest.contains('@') && rest.contains(['?', '#']));
    let name = name.split([':', '/', '?', '#']).next().filter(|_| is_plain).unwrap_or("…");
    let is_whole = rest.trim_end_matches('/') == name && Host::listed(name).is_ok();
    let other = if is_whole { name } else { "HOST or HOST:PORT" };
    format!("`{scheme}{name}` is ignored: {why}; write {other}")
}

/// The instance's token answers for that instance only.
pub(super) fn gitlab(sources: &mut Sources<'_>) -> GitLab {
    let mut token = sources.secret(&Key::of_variable("GITLAB_TOKEN")).value().cloned();
    let url = sources.variable("GITLAB_INSTANCE_URL");
    let (scheme, rest) = match url.as_deref() {
        Some(url) => url.split_once("://").unwrap_or(("https", url)),
        None => ("https", DEFAULT_GITLAB),
    };
    let (scheme, host) = (scheme.to_ascii_lowercase(), rest.split('/').next().unwrap_or_default());
    let host = Host::listed(&format!("{scheme}://{host}"));
    let is_githubs = url.is_some() && host.as_ref().is_ok_and(is_default_host);
    let host = if is_githubs { Err("it is a host of GitHub") } else { host };
    let host = host.unwrap_or_else(|why| {
        sources.warnings.push(format!("GITLAB_INSTANCE_URL is ignored: {why}"));
        // Nobody knows where the token belongs.
        token = None;
        Host::listed(DEFAULT_GITLAB).expect("it is a host name")
    });
    GitLab { host, token }
}

pub(super) fn static_tokens(sources: &mut Sources<'_>) -> Vec<StaticToken> {
    let own = Key::GITHUB_CLI_PAT;
    let keys = [own, Key::of_variable("GIT_TOKEN"), Key::of_variable("GITHUB_TOKEN")];
    let tokens = keys.into_iter().map(|key| {
        let token = sources.secret(&key);
        let is_long_lived = |token: &Secret| token.kind() == Kind::PersonalAccess;
        let first = key.variable == own.variable || token.value().is_some_and(is_long_lived);
        StaticToken { name: key.variable, token, first }
    });
    tokens.collect()
}

pub(super) fn proxy(sources: &mut Sources<'_>) -> Option<Secret> {
    let names = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
    let address = |value| secret(value).map_err(|_| "not an address".to_owned());
    let mut named =
        names.into_iter().map(|name| sources.optional(&Key::of_variable(name), address));
    named.find_map(|proxy| proxy.value().cloned())
}

/// Secrets that are read only to be masked: the password inside the proxy's address, and tokens that
/// are meant for other programs.
pub(super) fn other_secrets(sources: &mut Sources<'_>, proxy: Option<&Secret>) -> Vec<Secret> {
    let password = proxy.and_then(|proxy| {
        let (user_info, _) = proxy.expose().rsplit_once('@')?;
        Secret::parse(user_info.rsplit_once(':')?.1.as_bytes())
    });
    let others = TOKEN_VARIABLES.into_iter();
    let others = others.filter_map(|name| secret(sources.variable(name)?.into()).ok());
    password.into_iter().chain(others).collect()
}

/// Where the cache may be, best first: what was asked for, or the user's runtime directory if there
/// is one, the user's cache directory, and at last a private place under the temporary one.
pub(super) fn cache_candidates(sources: &Sources<'_>, asked: Option<&PathBuf>) -> Vec<Candidate> {
    let candidate = |path: PathBuf, is_configured| Candidate { path, is_configured };
    let mut candidates = Vec::new();
    if let Some(path) = asked {
        candidates.push(candidate(path.clone(), true));
    } else {
        let runtime = sources.directory("XDG_RUNTIME_DIR", BaseDirs::runtime_dir);
        let cache = sources.directory("XDG_CACHE_HOME", |user| Some(user.cache_dir()));
        let directories = runtime.filter(|directory| directory.is_dir()).into_iter().chain(cache);
        candidates.extend(directories.map(|path| candidate(path.join(DIRECTORY), false)));
    }
    let temporary = std::env::temp_dir();
    let temporary = if temporary.is_absolute() { temporary } else { PathBuf::from("/tmp") };
    let name = format!("{DIRECTORY}-{}", rustix::process::geteuid().as_raw());
    candidates.push(candidate(temporary.join(name), false));
    candidates
}

pub(super) fn certificates(sources: &mut Sources<'_>) -> Certificates {
    let directories = sources.variable("SSL_CERT_DIR").unwrap_or_default();
    let directories = std::env::split_paths(&directories).filter(|path| path.is_absolute());
    Certificates {
        file: sources.variable("SSL_CERT_FILE").map(PathBuf::from),
        directories: directories.collect(),
    }
}

pub(super) fn read_secret(path: &Path) -> Result<Secret, String> {
    let read = read_trusted(path, OFlags::empty(), LONGEST_TOKEN as u64 + 2, None);
    let (bytes, _) = read.map_err(|error| error.to_string())?;
    Secret::parse(bytes.trim_ascii()).ok_or_else(|| "holds no token".to_owned())
}
