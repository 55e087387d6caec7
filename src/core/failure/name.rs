//! The stable names of errors, each with what it means and what to do about it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Makes the type of its table. The program prints the names alone: the rest is for
/// `examples/reference`, and in functions of its own, so that the program does not link it.
macro_rules! names {
    ($($(#[doc = $meaning:literal])+ $variant:ident = $name:literal, $fix:literal;)+) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(into = "&str", try_from = "&str")]
        pub enum Name {
            $($(#[doc = $meaning])+ $variant,)+
        }

        impl Name {
            pub const ALL: [Self; [$($name),+].len()] = [$(Self::$variant),+];

            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// What it means.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$variant => concat!($($meaning),+).trim_ascii(),)+ }
            }

            /// What to look at, and what to do.
            pub fn fix(self) -> &'static str {
                match self { $(Self::$variant => $fix,)+ }
            }
        }
    };
}

names! {
    /// A setting is missing or malformed, or a host is not served. The message names each.
    ConfigMissing = "config-missing",
        "Set what is named, in the environment, the config file or by `setup` with flags; the \
         `settings` lines of `doctor` say where each value comes from. Or set GITHUB_CLI_PAT.";

    /// There is no connection to the worker: refused, host not found, certificate not trusted, or
    /// the proxy. While a cached token lives, git goes on with it.
    WorkerUnreachable = "worker-unreachable",
        "Check GASTOWN_API_URL, the network, HTTPS_PROXY and NO_PROXY; for a certificate authority \
         of your own SSL_CERT_FILE.";

    /// The worker failed (5xx), redirected, or refused in a way of its own, which the message
    /// quotes.
    WorkerError = "worker-error",
        "Run the command again; if it stays, look at the worker's log.";

    /// The worker does not accept the container token, for another reason than that it expired:
    /// an expired one is renewed.
    ContainerTokenRejected = "container-token-rejected",
        "Set GASTOWN_CONTAINER_TOKEN, or the file that GASTOWN_CONTAINER_TOKEN_FILE names, to a \
         token that this worker issued for this town. `doctor` says which tokens there are, and \
         until when they are valid.";

    /// The container token is for another town.
    CrossTown = "cross-town",
        "Make GASTOWN_TOWN_ID and the container token of the same town. `doctor` says where the \
         town comes from: a flag in git's configuration wins over the environment.";

    /// The worker does not know the rig.
    RigNotFound = "rig-not-found",
        "Set GASTOWN_RIG_ID, or run git in the rig's worktree. `doctor` says where the rig comes \
         from: a directory below the workspace wins over the environment. If such a directory is \
         another rig's, run `setup --local --rig RIG` there.";

    /// The rig has no GitHub App and no stored token.
    NoGitToken = "no-git-token",
        "Install the GitHub App for the rig's repository, or set GITHUB_CLI_PAT.";

    /// The worker asked to wait. `Retry-After` is honoured up to five minutes; `status` says when
    /// the worker is asked again.
    RateLimited = "rate-limited",
        "Wait. If it happens often, check that the agents share a cache: `doctor` names it.";

    /// The answer has no token, is not JSON or is too long: it is not a Gastown worker's.
    BadAnswer = "bad-answer",
        "Check GASTOWN_API_URL; a login page or a proxy may answer in the worker's place.";

    /// The git server rejected a token, and there is no other. Only the command that was refused
    /// fails: other commands go on with the same token, because a server in trouble, or a
    /// repository that is not yours, rejects live tokens, too.
    TokenRejected = "token-rejected",
        "Run `doctor` in this repository. 403 or 404: change the App's permissions. 401: run \
         `refresh`; if it gets the same token again, and other repositories reject that, too, the \
         token is revoked: reinstall the App. If the message names a variable, replace or unset \
         that.";

    /// The git server rejected a token that is in the remote's URL or came from another helper.
    EmbeddedToken = "embedded-token",
        "Run `setup --migrate .` in this repository. It says what to edit yourself. The files that \
         `store` wrote stay: delete them.";

    /// The cache, or a file in it, is not ours alone, is not a plain file, or cannot be written. It
    /// is a warning: git gets its token all the same.
    CacheUnusable = "cache-unusable",
        "Do what the message says, or set GASTOWN_CACHE_DIR to a directory that the user owns. The \
         `cache` lines of `doctor` show owner, mode and free space.";

    /// The worker, or another process that was asking it, took too long. The helper gives up after
    /// 20 seconds in all.
    Timeout = "timeout",
        "Check the network to GASTOWN_API_URL, and run the command again; see the `worker` and \
         `lock` lines of `doctor`.";

    /// git could not be run, or its configuration not be read or changed.
    SetupFailed = "setup-failed",
        "Do what the message says. If git says `could not lock config file` and no git runs, run \
         `setup` again: it removes the lock of a `setup` that was killed, and names any other.";

    /// stdin could not be read, or stdout not be written.
    IoFailed = "io-failed",
        "Run the command again; check what its input and output are connected to.";
}

impl From<Name> for &str {
    fn from(name: Name) -> Self {
        name.as_str()
    }
}

impl TryFrom<&str> for Name {
    type Error = &'static str;

    fn try_from(text: &str) -> Result<Self, Self::Error> {
        Self::ALL.into_iter().find(|name| name.as_str() == text).ok_or("no name of an error")
    }
}

impl fmt::Display for Name {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}
