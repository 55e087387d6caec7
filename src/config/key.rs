//! The settings by their names: flag, variable, key of the config file.

use std::ffi::OsStr;
use std::path::Path;

use crate::cli::{Flags, OnFailure};

/// The names of a setting; empty where it has none of that kind.
pub(super) struct Key {
    pub(super) flag: &'static str,
    pub(super) of: fn(&Flags) -> Option<&OsStr>,
    pub(super) variable: &'static str,
    pub(super) file: &'static str,
}

impl Key {
    pub(super) const API_URL: Self = Self {
        flag: "--api-url",
        of: |flags| flags.api_url.as_deref().map(OsStr::new),
        ..Self::named("GASTOWN_API_URL", "api_url")
    };
    pub(super) const TOWN: Self = Self {
        flag: "--town",
        of: |flags| flags.town.as_deref().map(OsStr::new),
        ..Self::named("GASTOWN_TOWN_ID", "town_id")
    };
    pub(super) const RIG: Self = Self {
        flag: "--rig",
        of: |flags| flags.rig.as_deref().map(OsStr::new),
        ..Self::named("GASTOWN_RIG_ID", "rig_id")
    };
    pub(super) const WORKSPACE: Self = Self {
        flag: "--workspace",
        of: |flags| flags.workspace.as_deref().map(Path::as_os_str),
        ..Self::named("GASTOWN_WORKSPACE_ROOT", "workspace_root")
    };
    pub(super) const CACHE_DIR: Self = Self {
        flag: "--cache-dir",
        of: |flags| flags.cache_dir.as_deref().map(Path::as_os_str),
        ..Self::named("GASTOWN_CACHE_DIR", "cache_dir")
    };
    pub(super) const ON_FAILURE: Self = Self {
        flag: "--on-failure",
        of: |flags| flags.on_failure.map(OnFailure::as_str).map(OsStr::new),
        ..Self::named("GASTOWN_ON_FAILURE", "on_failure")
    };
    /// Its flag repeats.
    pub(super) const HOSTS: Self = Self::named("GASTOWN_GIT_HOSTS", "git_hosts");
    pub(super) const CONTAINER_TOKEN_FILE: Self =
        Self::named("GASTOWN_CONTAINER_TOKEN_FILE", "container_token_file");
    pub(super) const AUDIT_LOG: Self = Self::named("GASTOWN_AUDIT_LOG", "audit_log");
    pub(super) const GITHUB_CLI_PAT: Self = Self::named("GITHUB_CLI_PAT", "github_cli_pat");

    /// Every one that the config file may hold.
    pub(super) const IN_FILE: [Self; 10] = [
        Self::API_URL,
        Self::TOWN,
        Self::RIG,
        Self::WORKSPACE,
        Self::CONTAINER_TOKEN_FILE,
        Self::HOSTS,
        Self::CACHE_DIR,
        Self::ON_FAILURE,
        Self::AUDIT_LOG,
        Self::GITHUB_CLI_PAT,
    ];

    const fn named(variable: &'static str, file: &'static str) -> Self {
        Self { flag: "", of: |_| None, variable, file }
    }

    pub(super) const fn of_variable(variable: &'static str) -> Self {
        Self::named(variable, "")
    }
}
