//! The settings by their names: flag, variable, key of the config file; and for the documents what
//! each is.

/// The names of a setting; empty where it has none of that kind.
#[derive(Clone, Copy)]
pub(super) struct Key {
    pub(super) flag: &'static str,
    pub(super) variable: &'static str,
    pub(super) file: &'static str,
}

impl Key {
    pub(super) const API_URL: Self = Self::new("--api-url", "GASTOWN_API_URL", "api_url");
    pub(super) const TOWN: Self = Self::new("--town", "GASTOWN_TOWN_ID", "town_id");
    pub(super) const RIG: Self = Self::new("--rig", "GASTOWN_RIG_ID", "rig_id");
    pub(super) const WORKSPACE: Self =
        Self::new("--workspace", "GASTOWN_WORKSPACE_ROOT", "workspace_root");
    pub(super) const CACHE_DIR: Self = Self::new("--cache-dir", "GASTOWN_CACHE_DIR", "cache_dir");
    pub(super) const ON_FAILURE: Self =
        Self::new("--on-failure", "GASTOWN_ON_FAILURE", "on_failure");
    /// Its flag repeats.
    pub(super) const HOSTS: Self = Self::new("--host", "GASTOWN_GIT_HOSTS", "git_hosts");
    /// Looked up before the config file.
    pub(super) const CONFIG: Self = Self::new("--config", "GASTOWN_CONFIG", "");
    /// Looked up before everything else. Its flag has no value.
    pub(super) const TRACE: Self = Self::new("--verbose", "GASTOWN_TRACE", "");
    pub(super) const CONTAINER_TOKEN: Self = Self::of_variable("GASTOWN_CONTAINER_TOKEN");
    pub(super) const CONTAINER_TOKEN_FILE: Self =
        Self::new("", "GASTOWN_CONTAINER_TOKEN_FILE", "container_token_file");
    pub(super) const AUDIT_LOG: Self = Self::new("", "GASTOWN_AUDIT_LOG", "audit_log");
    pub(super) const GITHUB_CLI_PAT: Self = Self::new("", "GITHUB_CLI_PAT", "github_cli_pat");

    /// Every setting, in the order of docs/reference, with what its flag's help does not say.
    pub(super) const ALL: [(Self, &str); 26] = [
        (Self::API_URL, ""),
        (Self::TOWN, ""),
        (
            Self::RIG,
            "In a directory below the workspace the path names the rig, whatever the variable and \
             the config file say: WORKSPACE/RIG/... A name that is no id or begins with `mayor-` is \
             none.",
        ),
        (Self::WORKSPACE, ""),
        (
            Self::CONTAINER_TOKEN,
            "The container token, a JWT by which the worker knows this container. Of this one, that \
             in the file and the last one that the worker issued, the one that expires last is used.",
        ),
        (Self::CONTAINER_TOKEN_FILE, "A file with such a token, read anew each time."),
        (
            Self::HOSTS,
            "The scheme is https; `http://` in front is for loopback only. The variable is a list \
             with commas, the key in the config file that or an array. A list replaces the default. \
             If none is set, commands other than git's serve the hosts that `setup` has set up.",
        ),
        (Self::ON_FAILURE, ""),
        (
            Self::CACHE_DIR,
            "The default is `gastown` in $XDG_RUNTIME_DIR, else in ~/.cache; if neither can be used, \
             a private directory in $TMPDIR.",
        ),
        (Self::CONFIG, ""),
        (
            Self::TRACE,
            "The variable is 1 or true, 0 or false, or the absolute path of a file to write to.",
        ),
        (Self::AUDIT_LOG, "The absolute path of a file that gets one line of JSON for each call."),
        (Self::of_variable("GASTOWN_AGENT_ID"), "The agent, as the audit log names it."),
        (Self::GITHUB_CLI_PAT, "A long-lived token for GitHub, used before all others."),
        (
            Self::of_variable("GIT_TOKEN"),
            "A token for GitHub: used first if it begins with `ghp_` or `github_pat_`, else only if \
             the worker gives none.",
        ),
        (Self::of_variable("GITHUB_TOKEN"), "The same, after GIT_TOKEN."),
        (Self::of_variable("GITLAB_TOKEN"), "The token for GitLab; no other is used there."),
        (
            Self::of_variable("GITLAB_INSTANCE_URL"),
            "The address of GitLab. [default: https://gitlab.com]",
        ),
        (
            Self::of_variable("GH_HOST"),
            "The host that `gh` gets a token for, unless its arguments or GH_REPO name one.",
        ),
        (Self::of_variable("GH_REPO"), "The repository whose host `gh` gets a token for."),
        (
            Self::of_variable("GASTOWN_GH_TRIED"),
            "Set for `gh`, so that two links named `gh` do not run each other for ever. Not for you \
             to set.",
        ),
        (Self::of_variable("NO_COLOR"), "No colour in `status` and `doctor`."),
        (
            Self::of_variable("SSL_CERT_FILE"),
            "A file of certificates to trust. [default: the system's]",
        ),
        (Self::of_variable("SSL_CERT_DIR"), "Directories of certificates to trust."),
        (
            Self::of_variable("HTTPS_PROXY"),
            "The proxy to the worker; also ALL_PROXY, and both in lower case.",
        ),
        (Self::of_variable("NO_PROXY"), "Hosts to reach without the proxy."),
    ];

    pub(super) const fn of_variable(variable: &'static str) -> Self {
        Self::new("", variable, "")
    }

    const fn new(flag: &'static str, variable: &'static str, file: &'static str) -> Self {
        Self { flag, variable, file }
    }
}
