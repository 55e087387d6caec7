//! git's configuration as far as it has settings of ours: the flags and hosts of the helper lines
//! that `setup` wrote, and the remotes of the repository that a command runs in. Only commands for
//! people read it, once; git gives the flags of its helper line itself.

use git_credential_gastown::failure::Failure;
use git_credential_gastown::gh::host_name;
use git_credential_gastown::git_config::{Line, helpers_on, rewritten};
use git_credential_gastown::helper_line::{COMMAND, command, word};
use git_credential_gastown::host::Host;
use git_credential_gastown::remote_url::host_of;

use super::Surroundings;
use super::key::Key;
use super::readers::{DEFAULT_HOSTS, add, is_default_host};
use crate::cli::Flags;
use crate::git::{GLANCE, Git};

#[derive(Default)]
pub(crate) struct GitConfig {
    pub lines: Vec<Line>,
    /// Why there are no lines.
    pub fault: Option<Failure>,
}

impl GitConfig {
    /// As it is in effect here, as far as git is there and reads it at once.
    pub(crate) fn read() -> Self {
        let git = Git::find(&Surroundings::from_process());
        match git.and_then(|git| git.lines_here(GLANCE)) {
            Ok(lines) => Self { lines, fault: None },
            Err(failure) => Self { lines: Vec::new(), fault: Some(failure) },
        }
    }

    /// Whether git asks this helper for any host.
    pub(crate) fn has_helper(&self) -> bool {
        self.lines.iter().any(Line::is_ours)
    }

    /// The hosts that our helper lines serve: those that a line names by `--host`. A line for a default
    /// host needs no flag, and stands for all default hosts. A line for any other host without the flag
    /// was written for GitLab, and serves nothing here, so that no token of GitHub's goes there.
    pub(crate) fn hosts(&self) -> Vec<Host> {
        let mut hosts = Vec::new();
        for line in self.lines.iter().filter(|line| line.is_ours()) {
            let named = flags_in(line).unwrap_or_default().host;
            let of_line = line.subsection().map(|pattern| Host::listed(pattern).ok());
            match of_line.flatten() {
                Some(host) if named.is_empty() && is_default_host(&host) => {
                    add(&mut hosts, DEFAULT_HOSTS.iter().filter_map(|it| Host::listed(it).ok()));
                }
                of_line => {
                    let named = named.iter().filter_map(|entry| Host::listed(entry).ok());
                    let is_meant = |host: &Host| of_line.as_ref().is_none_or(|it| it == host);
                    add(&mut hosts, named.filter(is_meant));
                }
            }
        }
        hosts
    }

    /// Every host that a line of ours is for, whether or not it is served.
    pub(crate) fn hosts_of_lines(&self) -> Vec<Host> {
        let ours = self.lines.iter().filter(|line| line.is_ours());
        let mut hosts = Vec::new();
        add(&mut hosts, ours.filter_map(|line| Host::listed(line.subsection()?).ok()));
        hosts
    }

    /// The `setup` command that would write the helper lines again that are there now.
    pub(crate) fn setup_command(&self) -> String {
        let hosts = self.hosts();
        let flags = hosts.first().map(|host| flags_for(&self.lines, host)).unwrap_or_default();
        let given =
            flags.named().into_iter().filter_map(|(flag, value)| Some((flag, value?.to_owned())));
        let is_usual = hosts.iter().all(is_default_host);
        let named = hosts.iter().filter(|_| !is_usual);
        let named = named.map(|host| (Key::HOSTS.flag, host.to_string().into()));
        let words = given.chain(named).map(|(flag, value)| format!(" {flag} {}", word(value)));
        format!("{COMMAND} setup{}", words.collect::<String>())
    }

    /// The URLs of the repository's remotes after `insteadOf`, in gh's order of preference.
    pub(crate) fn remotes(&self) -> Vec<String> {
        const PREFERRED: [&str; 3] = ["upstream", "github", "origin"];
        let rank = |line: &&Line| {
            let name = line.subsection().unwrap_or_default();
            let is_resolved = |other: &Line| {
                other.is("remote", "gh-resolved") && other.subsection() == Some(name)
            };
            let preference = PREFERRED.iter().position(|preferred| *preferred == name);
            (!self.lines.iter().any(is_resolved), preference.unwrap_or(PREFERRED.len()))
        };
        let mut remotes: Vec<_> =
            self.lines.iter().filter(|line| line.is("remote", "url")).collect();
        remotes.sort_by_key(rank);
        remotes.into_iter().map(|line| rewritten(&self.lines, &line.value)).collect()
    }

    /// The first of the repository's remotes that leads to one of these hosts.
    pub(crate) fn remote_host(&self, hosts: &[Host]) -> Option<Host> {
        let leads_to = |url: &str, host: &Host| match host_of(url) {
            Some(named) => named == *host,
            // Over ssh a port says nothing of the one for https.
            None => host_name(url).is_some_and(|name| name == host.name()),
        };
        let found = |url: &str| hosts.iter().find(|host| leads_to(url, host)).cloned();
        self.remotes().iter().find_map(|url| found(url))
    }
}

/// The flags of the helper line of ours that counts for a host.
pub(crate) fn flags_for(lines: &[Line], host: &Host) -> Flags {
    let chain = helpers_on(lines, host, Some("/"));
    chain.into_iter().find(|line| line.is_ours()).and_then(flags_in).unwrap_or_default()
}

/// The flags of one helper line of ours, if they can be read.
pub(crate) fn flags_in(line: &Line) -> Option<Flags> {
    let words = command(&line.value);
    // `git credential-gastown …` has the name in two words.
    let name_ends = if words.first().is_some_and(|word| word.ends_with("git")) { 2 } else { 1 };
    Flags::of_helper_line(words.get(name_ends..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(pairs: &[(&str, &str)]) -> GitConfig {
        let line = |(key, value): &(&str, &str)| Line {
            scope: "global".to_owned(),
            origin: "file:f".to_owned(),
            key: (*key).to_owned(),
            value: (*value).to_owned(),
        };
        GitConfig { lines: pairs.iter().map(line).collect(), fault: None }
    }

    fn shown(hosts: &[Host]) -> String {
        hosts.iter().map(Host::name).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn helper_lines_tell_hosts_and_flags() {
        let config = config(&[
            ("credential.https://a.example.helper", ""),
            (
                "credential.https://a.example.helper",
                r"/o\ p/git-credential-gastown --rig a --host a.example",
            ),
            (
                "credential.https://b.example.helper",
                "!git credential-gastown --rig 'b' --host https://b.example",
            ),
            ("credential.https://c.example.helper", "store"),
            ("credential.https://*.d.example.helper", "gastown --rig d"),
            ("credential.helper", "gastown --rig e --host e.example"),
            ("credential.https://f.example.helper", "gastown --no-such-flag"),
        ]);
        assert_eq!(shown(&config.hosts()), "a.example b.example e.example");
        assert_eq!(shown(&config.hosts_of_lines()), "a.example b.example f.example");
        let rig = |host: &str| {
            flags_for(&config.lines, &Host::listed(host).unwrap()).rig.unwrap_or_default()
        };
        let rigs = ["a.example", "b.example", "c.example", "x.d.example", "f.example"].map(rig);
        assert_eq!(rigs, ["a", "b", "e", "d", "e"]);
    }
}
