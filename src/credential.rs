//! Where a credential comes from, in order: a configured long-lived token, the cache and the
//! worker, at last a snapshot from the environment. Every source belongs to a kind of host and is
//! offered to no other. Lists what was tried, for the error.

use anyhow::Result;
use git_credential_gastown::failure::{Failure, Name, Retry};
use git_credential_gastown::host::{Host, Kind};
use git_credential_gastown::policy::{
    Configured, Demand, Evidence, HostRecord, Life, decide_configured,
};
use git_credential_gastown::protocol::{Report, Request, TOKEN_USER};
use git_credential_gastown::time::Timestamp;
use git_credential_gastown::token::{Entry, Secret};

use crate::Context;
use crate::cache::host_key;
use crate::caller::Caller;
use crate::clock;
use crate::config::{Setting, StaticToken};
use crate::look::{Lookup, Outcome};

/// The user name that GitLab expects beside a token.
const GITLAB_USER: &str = "oauth2";

#[derive(Debug)]
pub(crate) struct Credential {
    pub username: &'static str,
    pub token: Secret,
    pub expires: Option<Timestamp>,
    /// Until when it certainly lives, if that is known.
    pub lives_until: Option<Timestamp>,
    /// When it is certainly dead, if that is known.
    pub dies_by: Option<Timestamp>,
    /// When it was first handed to this machine, if that is known.
    pub first_seen: Option<Timestamp>,
    /// `worker`, `cache`, or the name of a setting.
    pub source: &'static str,
    /// Whether there may be another one if this is refused.
    pub may_heal: bool,
}

impl Credential {
    fn configured(token: &Secret, source: &'static str) -> Self {
        Self {
            username: TOKEN_USER,
            token: token.clone(),
            expires: None,
            lives_until: None,
            dies_by: None,
            first_seen: None,
            source,
            may_heal: true,
        }
    }

    pub(crate) fn of_entry(entry: Entry, source: &'static str) -> Self {
        let Life { least, most, .. } = Life::of(&entry);
        Self {
            username: TOKEN_USER,
            expires: entry.expires,
            lives_until: most.map(|_| least),
            dies_by: most,
            first_seen: Some(entry.first_seen),
            token: entry.token,
            source,
            may_heal: true,
        }
    }

    /// Whether the worker handed it out, now or before.
    pub(crate) fn is_workers(&self) -> bool {
        ["worker", "cache"].contains(&self.source)
    }
}

/// What is asked for, and by whom.
pub(crate) struct Ask<'a> {
    pub host: &'a Host,
    pub report: Report,
    pub caller: Caller,
    pub demand: Demand,
}

impl<'a> Ask<'a> {
    pub(crate) fn of(request: &Request, host: &'a Host) -> Self {
        let (report, caller) = (Report::of(request), Caller::of(request));
        Self { host, report, caller, demand: Demand::default() }
    }

    /// For people and scripts, which report no refusals.
    pub(crate) fn by_hand(host: &'a Host) -> Self {
        let (report, caller) = (Report::NOTHING, Caller::by_hand());
        Self { host, report, caller, demand: Demand::default() }
    }

    /// Whether the host refused this token to the command that asks: by the request, or on record.
    pub(crate) fn evidence(
        &self,
        token: &Secret,
        record: Option<&HostRecord>,
        now: Timestamp,
    ) -> Evidence {
        let told = Evidence::of(&self.report, token);
        let is_refused = |it: &HostRecord| it.is_refused_to(|| self.caller.git_lfs(), now);
        if record.is_some_and(is_refused) { Evidence::Refused } else { told }
    }
}

/// Finds a credential for a host that is served.
pub(crate) fn find(context: &Context<'_>, ask: &Ask<'_>) -> Result<Credential, Failure> {
    match context.settings.kind(ask.host) {
        Kind::GitLab => gitlab(context, ask.host),
        Kind::GitHub => Chain { context, ask, tried: Vec::new(), warning: None }.run(),
    }
}

fn gitlab(context: &Context<'_>, host: &Host) -> Result<Credential, Failure> {
    let instance = &context.settings.gitlab;
    if let Some(token) = instance.token.as_ref().filter(|_| instance.host == *host) {
        let credential = Credential::configured(token, "GITLAB_TOKEN");
        return Ok(Credential { username: GITLAB_USER, may_heal: false, ..credential });
    }
    let what = format!("no token for {host}, which takes none of GitHub's");
    let advice = "set GITLAB_TOKEN, and GITLAB_INSTANCE_URL if it is not gitlab.com";
    let failure = Failure::new(Name::ConfigMissing, Retry::WhenMended, what, advice);
    Err(Failure { tried: vec!["GITLAB_TOKEN (unset, or of another host)".into()], ..failure })
}

/// The sources for a GitHub host.
struct Chain<'a> {
    context: &'a Context<'a>,
    ask: &'a Ask<'a>,
    tried: Vec<String>,
    /// What was wrong although a token was found: one line for each command.
    warning: Option<String>,
}

impl Chain<'_> {
    fn run(mut self) -> Result<Credential, Failure> {
        let (context, host) = (self.context, self.ask.host);
        let (mut passed_over, mut rejected) = (None, Vec::new());
        let mut found = None;
        for candidate in context.settings.first_tokens() {
            let Some((token, decision)) = self.decide(candidate) else { continue };
            let credential = Credential::configured(token, candidate.name);
            if decision == Configured::Use {
                found = Some(credential);
                break;
            }
            rejected.push(candidate.name);
            if decision == Configured::PassOver {
                passed_over.get_or_insert(credential);
            }
        }
        let names = rejected.join(" and ");
        let found = found.map_or_else(|| self.worker_or_snapshot(), Ok);
        let (found, rejection) = match (found, passed_over) {
            (found, _) if rejected.is_empty() => (found, None),
            (Ok(found), _) => {
                (Ok(found), Some(format!("{host} rejected {names}; replace or remove it")))
            }
            (Err(_), Some(credential)) => {
                let what = format!("{host} rejected {}", credential.source);
                let what = format!("{what}, but there is no other token; replace it");
                (Ok(credential), Some(what))
            }
            (Err(_), None) => {
                let what = format!("{host} rejected {names}, and there is no other token");
                let (retry, advice) = (Retry::WhenMended, "replace it");
                (Err(Failure::new(Name::TokenRejected, retry, what, advice)), None)
            }
        };
        let rejection = rejection.map(|it| format!("{it} [{}]", Name::TokenRejected));
        let warnings: Vec<_> = rejection.into_iter().chain(self.warning).collect();
        if !warnings.is_empty() {
            context.messages.warning(warnings.join("; "));
        }
        found.map_err(|failure| Failure { tried: self.tried, ..failure })
    }

    fn worker_or_snapshot(&mut self) -> Result<Credential, Failure> {
        self.of_worker().or_else(|(failure, cached)| {
            self.snapshot(&failure, cached.as_ref()).ok_or_else(|| self.rejected(failure))
        })
    }

    /// The error for a command whose own answer was a snapshot that the host refused.
    fn rejected(&self, failure: Failure) -> Failure {
        let Ask { host, report, .. } = self.ask;
        let is_refused = |token: &Secret| Evidence::of(report, token) == Evidence::Refused;
        let mut snapshots = self.context.settings.last_tokens();
        match snapshots.find(|it| it.token.value().is_some_and(is_refused)) {
            None => failure,
            Some(StaticToken { name, .. }) => {
                let why = &failure.what;
                let what = format!("{host} rejected {name}, and no other could be had: {why}");
                Failure { name: Name::TokenRejected, what, ..failure }
            }
        }
    }

    /// The cached token, or a new one of the worker; else why not, and the entry in the cache.
    fn of_worker(&mut self) -> Result<Credential, (Failure, Option<Entry>)> {
        let Self { context, ask, .. } = *self;
        let place = context.settings.place().map_err(|failure| {
            self.tried.push(format!("worker ({})", failure.name));
            (failure, None)
        })?;
        context.messages.trace(format_args!("place: {}, rig {}", place.api, place.rig));
        note_own_refusal(context, ask);
        match (Lookup { context, place, ask }).token() {
            Outcome::Fresh(entry) => Ok(Credential::of_entry(entry, "worker")),
            Outcome::Serve { entry, warning } => {
                self.warning = warning;
                Ok(Credential::of_entry(entry, "cache"))
            }
            Outcome::Fail { failure, reason, cached } => {
                self.tried.push(format!("cache ({reason})"));
                self.tried.push(format!("worker ({})", failure.name));
                Err((failure, cached))
            }
        }
    }

    /// A snapshot from the environment that is not known to be dead. Its age is unknown.
    fn snapshot(&mut self, failure: &Failure, cached: Option<&Entry>) -> Option<Credential> {
        let context = self.context;
        for candidate in context.settings.last_tokens() {
            let Some((token, decision)) = self.decide(candidate) else { continue };
            let hash = token.hash();
            let is_replaced =
                |entry: &Entry| entry.token.hash() == hash || entry.predecessors.contains(hash);
            if decision != Configured::Use || cached.is_some_and(is_replaced) {
                self.tried.push(format!("{} (known dead)", candidate.name));
                continue;
            }
            let name = candidate.name;
            self.warning =
                Some(format!("{failure}; using {name} from the environment, which may be dead"));
            let given = |record: HostRecord| record.given(clock::now());
            let _ = note(context, self.ask.host, token, "given out", given);
            return Some(Credential::configured(token, candidate.name));
        }
        None
    }

    /// What to do with a configured token, if there is one.
    fn decide<'t>(&mut self, candidate: &'t StaticToken) -> Option<(&'t Secret, Configured)> {
        let Ask { host, report, .. } = self.ask;
        let (context, name) = (self.context, candidate.name);
        let lack = match &candidate.token {
            Setting::Set { .. } => None,
            Setting::Unset => Some("unset"),
            Setting::Wrong { why, .. } => Some(why.as_str()),
        };
        self.tried.extend(lack.map(|lack| format!("{name} ({lack})")));
        let token = candidate.token.value()?;
        if Evidence::of(report, token) == Evidence::Refused {
            note_refusal(context, host, token, None);
        }
        let record = context.cache.read(&host_key(token, host));
        let (record, now) = (record.as_ref(), clock::now());
        let evidence = self.ask.evidence(token, record, now);
        let decision = decide_configured(candidate.first, record, evidence, now);
        if decision != Configured::Use && candidate.first {
            self.tried.push(format!("{name} (rejected)"));
        }
        Some((token, decision))
    }
}

/// Records first that the cached token was refused, if the request says so.
fn note_own_refusal(context: &Context<'_>, ask: &Ask<'_>) {
    if matches!(ask.report, Report::Refused(_))
        && let Some(entry) = cached_entry(context)
        && Evidence::of(&ask.report, &entry.token) == Evidence::Refused
    {
        note_refusal(context, ask.host, &entry.token, None);
    }
}

/// The worker's token as it is cached, whatever its state.
pub(crate) fn cached_entry(context: &Context<'_>) -> Option<Entry> {
    context.cache.entry(&context.settings.place().ok()?.key(), clock::now()).ok()?
}

/// Puts a refusal of a token at a host on record, for every process of the machine. `process` is
/// one that may ask again.
pub(crate) fn note_refusal(
    context: &Context<'_>,
    host: &Host,
    token: &Secret,
    process: Option<String>,
) {
    let refused = |record: HostRecord| record.refused(clock::now(), process);
    if let Err(reason) = note(context, host, token, "rejected", refused) {
        context.messages.warning(format_args!("{reason:#} [{}]", Name::CacheUnusable));
    }
}

/// Notes that a host accepted a token that it, or the one before it, had refused. Best effort:
/// without it the worker is asked once more.
pub(crate) fn note_acceptance(context: &Context<'_>, host: &Host, token: &Secret) {
    let _ = note(context, host, token, "accepted", HostRecord::accepted);
}

/// Changes what is on record of a token at a host, if that changes anything.
fn note(
    Context { cache, messages, .. }: &Context<'_>,
    host: &Host,
    token: &Secret,
    event: &str,
    change: impl FnOnce(HostRecord) -> HostRecord,
) -> Result<()> {
    let key = host_key(token, host);
    let before = cache.read(&key).unwrap_or_default();
    let after = change(before.clone());
    if after == before {
        return Ok(());
    }
    let (hash, refusals) = (&key.token, after.refusals);
    messages.trace(format_args!("{host}: {hash} {event}, {refusals} refusal(s) on record"));
    cache.keep(&key, &after)
}
