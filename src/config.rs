//! The settings: flags before git's helper line before environment before config files before
//! defaults, each value with where it came from. The only place that reads the environment and the
//! config file. Decides nothing: what is missing or malformed is kept as such, for whoever needs
//! it.

#![expect(clippy::disallowed_methods, reason = "the one place for environment and config file")]

use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use git_credential_gastown::failure::{Failure, Name, Retry, Scope};
use git_credential_gastown::host::{ApiUrl, CacheKey, Host, Id, Kind, TownKey, stem};
use git_credential_gastown::token::Secret;
use git_credential_gastown::token::container::{ContainerToken, Source};

use crate::cache::Candidate;
use crate::cli::{Flags, OnFailure};
use crate::messages::TraceTo;
pub(crate) use helper_lines::{GitConfig, flags_for, flags_in};
use key::Key;
pub(crate) use readers::{add, is_default_host};
pub(crate) use setting::{Origin, Setting};
use sources::Sources;
pub(crate) use surroundings::{Surroundings, TOKEN_VARIABLES, variable};

mod helper_lines;
mod key;
mod readers;
mod setting;
mod sources;
mod surroundings;

/// Below the user's own: what an image may bring along for all its users.
const SYSTEM_CONFIG: &str = "/etc/gastown/config.json";

/// The end of an advice. `doctor`, which is the check itself, leaves it out.
pub(crate) const TO_CHECK: &str = "; to check, run: git credential-gastown doctor";

/// A token that is configured rather than fetched, under the name people know it by.
#[derive(Debug)]
pub(crate) struct StaticToken {
    pub name: &'static str,
    pub token: Setting<Secret>,
    /// Only a long-lived token answers first.
    pub first: bool,
}

/// The GitLab instance, and its token if there is one.
#[derive(Debug)]
pub(crate) struct GitLab {
    pub host: Host,
    pub token: Option<Secret>,
}

#[derive(Debug)]
pub(crate) struct Settings {
    pub api_url: Setting<ApiUrl>,
    pub town: Setting<Id>,
    pub rig: Setting<Id>,
    /// The hosts that are served: the listed ones, the GitLab instance if there is a token, and for
    /// people those that git asks this helper for.
    pub hosts: Vec<Host>,
    /// Those that git's own `get` serves, if its helper line names none.
    pub listed_hosts: Vec<Host>,
    /// Where the hosts, the cache's directory and what to do on failure come from, if from
    /// anywhere.
    pub origins: [Option<Origin>; 3],
    /// The config file that was looked for, unless it is ignored.
    pub config_file: Option<PathBuf>,
    pub gitlab: GitLab,
    pub container_token: Setting<Secret>,
    pub container_token_file: Setting<PathBuf>,
    pub static_tokens: Vec<StaticToken>,
    /// In order of preference.
    pub cache_candidates: Vec<Candidate>,
    pub on_failure: OnFailure,
    pub audit_log: Option<PathBuf>,
    pub proxy: Option<Secret>,
    pub no_proxy: Option<String>,
    pub certificates: Certificates,
    /// Secrets that are of no use here and are masked all the same.
    other_secrets: Vec<Secret>,
    /// What is worth a warning whatever the request.
    pub warnings: Vec<String>,
    /// What only the trace tells.
    pub notes: Vec<String>,
}

/// The certificates to trust instead of the system's.
#[derive(Debug, Default)]
pub(crate) struct Certificates {
    /// `SSL_CERT_FILE`.
    pub file: Option<PathBuf>,
    /// `SSL_CERT_DIR`, a list as `PATH` is.
    pub directories: Vec<PathBuf>,
}

impl Certificates {
    /// Whether any is set: then the system's do not count.
    pub(crate) fn are_set(&self) -> bool {
        self.file.is_some() || !self.directories.is_empty()
    }
}

/// For whom a token can be asked of the worker.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub api: &'a ApiUrl,
    pub town: &'a Id,
    pub rig: &'a Id,
    pub rig_origin: &'a Origin,
}

impl Place<'_> {
    /// How to name another rig: flag before directory before environment before config file.
    pub(crate) fn rig_advice(self) -> &'static str {
        match self.rig_origin {
            Origin::Flag(_) | Origin::HelperLine(_) => {
                "give --rig another id, on the command line or in the helper line"
            }
            Origin::Directory => {
                "run git in another rig's worktree, or if this one is another rig's, run here: git \
                 credential-gastown setup --local --rig RIG"
            }
            Origin::Environment(_) | Origin::File(_) | Origin::SystemFile(_) => {
                "set GASTOWN_RIG_ID, or run git inside the rig's worktree"
            }
        }
    }

    pub(crate) fn key(self) -> CacheKey {
        CacheKey {
            api: self.api.as_str().to_owned(),
            town: self.town.as_str().to_owned(),
            rig: self.rig.as_str().to_owned(),
        }
    }

    pub(crate) fn town_key(self) -> TownKey {
        let (api, town) = (self.api.as_str().to_owned(), self.town.as_str().to_owned());
        TownKey { api, town }
    }
}

impl Settings {
    /// Reads everything once. `git_config` has the flags of the helper line for the host in
    /// question; it is empty when git runs this program, because git passes those flags itself.
    pub(crate) fn load(flags: &Flags, git_config: &GitConfig, host: Option<&Host>) -> Self {
        let environment = |name: &str| std::env::var_os(name);
        let helper = host.map(|host| flags_for(&git_config.lines, host)).unwrap_or_default();
        let (flags, hosts) = ([flags, &helper], git_config.hosts());
        Self::of(&mut Sources::open(flags, &hosts, &environment, Path::new(SYSTEM_CONFIG)))
    }

    fn of(sources: &mut Sources<'_>) -> Self {
        let gitlab = readers::gitlab(sources);
        let hosts = readers::hosts(sources, &gitlab);
        let cache_dir = sources.optional(&Key::CACHE_DIR, readers::absolute);
        let on_failure = sources.optional(&Key::ON_FAILURE, readers::on_failure);
        let proxy = readers::proxy(sources);
        Self {
            other_secrets: readers::other_secrets(sources, proxy.as_ref()),
            api_url: sources.needed(&Key::API_URL, readers::api_url),
            town: sources.needed(&Key::TOWN, readers::id),
            rig: readers::rig(sources),
            hosts: hosts.served,
            listed_hosts: hosts.listed,
            origins: [hosts.origin, cache_dir.origin().cloned(), on_failure.origin().cloned()],
            config_file: sources.config_file.take(),
            gitlab,
            container_token: sources.needed(&Key::CONTAINER_TOKEN, readers::secret),
            container_token_file: sources.needed(&Key::CONTAINER_TOKEN_FILE, readers::absolute),
            static_tokens: readers::static_tokens(sources),
            cache_candidates: readers::cache_candidates(sources, cache_dir.value()),
            on_failure: on_failure.value().copied().unwrap_or(OnFailure::Quit),
            audit_log: sources.optional(&Key::AUDIT_LOG, readers::absolute).value().cloned(),
            proxy,
            no_proxy: ["NO_PROXY", "no_proxy"].into_iter().find_map(|name| sources.variable(name)),
            certificates: readers::certificates(sources),
            warnings: std::mem::take(&mut sources.warnings),
            notes: std::mem::take(&mut sources.notes),
        }
    }

    /// Whether the host is ours to answer for.
    pub(crate) fn serves(&self, host: &Host) -> bool {
        self.hosts.contains(host)
    }

    /// What kind of token a host takes.
    pub(crate) fn kind(&self, host: &Host) -> Kind {
        host.kind(&self.gitlab.host)
    }

    /// For whom to ask the worker; else `config-missing`, naming everything that is missing or wrong
    /// at once.
    pub(crate) fn place(&self) -> Result<Place<'_>, Failure> {
        if let (Some(api), Some(town), Setting::Set { value: rig, origin: rig_origin }) =
            (self.api_url.value(), self.town.value(), &self.rig)
        {
            return Ok(Place { api, town, rig, rig_origin });
        }
        let wrong = [self.api_url.fault(), self.town.fault(), self.rig.fault()];
        let needed = [self.api_url.is_unset(), self.town.is_unset(), self.rig.is_unset()];
        let is_complete = !needed.contains(&true);
        let has_token = !self.container_token.is_unset() || !self.container_token_file.is_unset();
        let names = ["GASTOWN_API_URL", "GASTOWN_TOWN_ID", "GASTOWN_RIG_ID"].into_iter();
        let unset = names.zip(needed).filter_map(|(name, is_unset)| is_unset.then_some(name));
        let unset = unset.chain((!has_token).then_some("GASTOWN_CONTAINER_TOKEN"));
        let unset: Vec<_> = unset.collect();
        let unset = (!is_complete).then(|| format!("unset: {}", unset.join(", ")));
        let what: Vec<_> = wrong.into_iter().flatten().chain(unset).collect();
        let of_line = [self.api_url.wrong_flag(), self.town.wrong_flag(), self.rig.wrong_flag()];
        let advice = match of_line.into_iter().flatten().next() {
            // The helper line has precedence over the environment.
            Some(flag) => format!("write that line again: git credential-gastown setup {flag} …"),
            None if is_complete => format!("correct that{TO_CHECK}"),
            None => format!(
                "set the worker's settings in the environment or the config file, or set \
                 GITHUB_CLI_PAT{TO_CHECK}"
            ),
        };
        Err(Failure::new(Name::ConfigMissing, Retry::WhenMended, what.join("; "), &advice))
    }

    /// The tokens that answer first: long-lived ones, which a person has set on purpose.
    pub(crate) fn first_tokens(&self) -> impl Iterator<Item = &StaticToken> {
        self.static_tokens.iter().filter(|token| token.first)
    }

    /// The tokens of last resort: snapshots of which nobody knows how old they are.
    pub(crate) fn last_tokens(&self) -> impl Iterator<Item = &StaticToken> {
        self.static_tokens.iter().filter(|token| !token.first)
    }

    /// Every secret in the settings, to be masked by value.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = &Secret> {
        let statics = self.static_tokens.iter().filter_map(|token| token.token.value());
        let others = [self.container_token.value(), self.proxy.as_ref()];
        let gitlab = self.gitlab.token.as_ref();
        statics.chain(others.into_iter().flatten()).chain(gitlab).chain(&self.other_secrets)
    }

    /// The name of the setting for this kind of host that holds this token.
    pub(crate) fn static_name(&self, token: &Secret, kind: Kind) -> Option<&'static str> {
        let is_it = |secret: &Secret| secret.hash() == token.hash();
        if kind == Kind::GitLab {
            return self.gitlab.token.as_ref().filter(|it| is_it(it)).map(|_| "GITLAB_TOKEN");
        }
        let mut statics = self.static_tokens.iter();
        Some(statics.find(|candidate| candidate.token.value().is_some_and(is_it))?.name)
    }

    /// The container JWTs that are set, and why others cannot be used. The file is read anew each
    /// time, so that a rotated one takes effect.
    pub(crate) fn container_tokens(&self) -> (Vec<ContainerToken>, Option<String>) {
        let wrong = [self.container_token.fault(), self.container_token_file.fault()];
        let (mut tokens, mut faults) = (Vec::new(), Vec::from_iter(wrong.into_iter().flatten()));
        if let Some(path) = self.container_token_file.value() {
            match readers::read_secret(path) {
                Ok(secret) => tokens.push(ContainerToken::new(secret, Source::File)),
                Err(why) => faults.push(format!("container token file {path:?}: {why}")),
            }
        }
        if let Some(secret) = self.container_token.value() {
            tokens.push(ContainerToken::new(secret.clone(), Source::Environment));
        }
        (tokens, Some(faults.join("; ")).filter(|faults| !faults.is_empty()))
    }

    /// Names the settings on which attempts of a scope depend, if there are any.
    pub(crate) fn fingerprint(&self, scope: Scope) -> Option<String> {
        let parts: Vec<_> = match scope {
            Scope::Place | Scope::Process => return None,
            Scope::ContainerTokens => {
                let (tokens, _) = self.container_tokens();
                tokens.iter().map(|token| token.secret.hash().as_str().to_owned()).collect()
            }
            Scope::Network => {
                let proxy = self.proxy.iter().map(|proxy| proxy.hash().as_str().to_owned());
                let Certificates { file, directories } = &self.certificates;
                let paths = file.iter().chain(directories).map(|it| it.to_string_lossy().into());
                let kind = std::iter::once("network".to_owned());
                kind.chain(proxy).chain(self.no_proxy.clone()).chain(paths).collect()
            }
        };
        Some(stem(&parts.iter().map(String::as_str).collect::<Vec<_>>()))
    }
}

/// Where the trace goes, and what is wrong with `GASTOWN_TRACE` if anything is. Told before all
/// other settings, by the environment and the command line alone.
pub(crate) fn trace_to(verbose: bool) -> (TraceTo, Option<&'static str>) {
    let otherwise = if verbose { TraceTo::Stderr } else { TraceTo::Nowhere };
    let Some(value) = std::env::var_os(Key::TRACE.variable) else { return (otherwise, None) };
    match value.as_bytes() {
        b"" | b"0" | b"false" => (otherwise, None),
        b"1" | b"true" => (TraceTo::Stderr, None),
        // -v asks for stderr.
        [b'/', ..] if verbose => (otherwise, None),
        [b'/', ..] => (TraceTo::File(PathBuf::from(value)), None),
        _ => (otherwise, Some("GASTOWN_TRACE is ignored: neither 1 nor an absolute path")),
    }
}

#[cfg(test)]
mod tests;
