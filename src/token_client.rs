//! The client of the worker's token service: which container JWT to present, when to renew it, how
//! often to try, and how long each try may take.

use std::time::Duration;

use git_credential_gastown::contract::{self, Denial, Question, Reply};
use git_credential_gastown::failure::{Failure, Name, Retry, Scope};
use git_credential_gastown::policy::Plan;
use git_credential_gastown::token::container::{ContainerToken, Source, latest_first};
use git_credential_gastown::token::{Grant, Secret};

use crate::Context;
use crate::clock;
use crate::config::{Place, Settings};
use crate::worker::Worker;

/// Time kept back to use the outcome, or to say why there is none.
pub(crate) const LAST_MOMENT: Duration = Duration::from_millis(500);
/// Between two attempts, so that a worker may finish restarting.
const PAUSE: Duration = Duration::from_millis(300);
/// An attempt that took this much longer than it may did not run all the time: the process was
/// stopped, or its whole container paused, and the answer may have come meanwhile.
const STANDSTILL: Duration = Duration::from_secs(2);

/// Asks for a git token, with the container JWT that expires last. If the worker rejects a cached
/// renewal, that is removed and the agent's own is tried.
pub(crate) fn git_token(
    context: &Context<'_>,
    place: Place<'_>,
    plan: Plan,
) -> Result<Grant, Failure> {
    let (ends, attempts_left) = (end(context, plan), plan.attempts);
    if ends <= context.clock.running() {
        return Err(out_of_time("no time was left to ask the worker"));
    }
    let worker = Worker::new(place.api, &context.settings)?;
    let client = TokenClient { context, place, worker, plan, ends, attempts_left, may_renew: true };
    client.git_token().map_err(|failure| match failure.name {
        // The end of this process's own time, after it had waited or been stopped for long, says
        // nothing of the worker.
        Name::Timeout if context.clock.remaining() <= LAST_MOMENT + PAUSE * 2 => {
            failure.of(Scope::Process)
        }
        _ => failure,
    })
}

/// The calls of one renewal, which share one budget of time and attempts.
struct TokenClient<'a> {
    context: &'a Context<'a>,
    place: Place<'a>,
    worker: Worker<'a>,
    plan: Plan,
    ends: Duration,
    attempts_left: u32,
    /// The container JWT is renewed once per process.
    may_renew: bool,
}

impl TokenClient<'_> {
    fn git_token(mut self) -> Result<Grant, Failure> {
        let Context { cache, messages, settings, .. } = self.context;
        let mut rejected = None;
        for bearer in self.container_tokens() {
            let is_renewal = bearer.source == Source::Renewal;
            match self.git_token_as(&bearer) {
                Err(Denial::Failed(failure))
                    if is_renewal && failure.name == Name::ContainerTokenRejected =>
                {
                    messages.trace(format_args!("the renewed container token is forgotten"));
                    cache.forget(&self.place.town_key());
                    rejected = Some(failure);
                }
                outcome => return outcome.map_err(into_failure),
            }
        }
        Err(rejected.unwrap_or_else(|| no_container_token(settings)))
    }

    fn container_tokens(&self) -> Vec<ContainerToken> {
        let (tokens, fault) = container_tokens(self.context, self.place);
        // If there is no other, this is the reason why the worker cannot be asked.
        if let Some(fault) = fault.filter(|_| !tokens.is_empty()) {
            self.context.messages.warning(format_args!("{fault} [{}]", Name::ConfigMissing));
        }
        tokens
    }

    fn git_token_as(&mut self, bearer: &ContainerToken) -> Result<Grant, Denial> {
        if !bearer.has_expired(clock::now()) {
            match self.ask_for_git_token(bearer) {
                Err(Denial::ContainerTokenExpired) if self.may_renew => {}
                outcome => return outcome,
            }
        }
        let renewed = self.renewed(bearer)?;
        self.ask_for_git_token(&renewed)
    }

    fn ask_for_git_token(&mut self, bearer: &ContainerToken) -> Result<Grant, Denial> {
        let what = format!("a git token, with {}", bearer.source.name());
        let path = format!("rigs/{}/refresh-git-token", self.place.rig);
        self.patiently(&what, &path, &bearer.secret, contract::git_token)
    }

    /// A container JWT that has not expired: another agent's renewal, or a new one, kept for all.
    fn renewed(&mut self, expired: &ContainerToken) -> Result<ContainerToken, Denial> {
        self.may_renew = false;
        let (tokens, _) = container_tokens(self.context, self.place);
        let later = tokens.into_iter().next();
        if let Some(later) = later.filter(|later| later.expires() > expired.expires()) {
            return Ok(later);
        }
        let (what, path) = ("a new container token", "refresh-container-token");
        let renewed = self.patiently(what, path, &expired.secret, contract::container_token);
        let secret = renewed.map_err(|denial| match denial {
            // Those with another container token may not need this call.
            Denial::Failed(failure) if failure.scope == Scope::Place => {
                let what = format!("the container token was not renewed: {}", failure.what);
                Denial::Failed(Failure { what, ..failure }.of(Scope::ContainerTokens))
            }
            denial => denial,
        })?;
        self.context.messages.remember(&secret);
        let town = self.place.town_key();
        if let Err(reason) = self.context.cache.keep(&town, &secret) {
            self.context.messages.trace(format_args!("{reason:#}"));
        }
        Ok(ContainerToken::new(secret, Source::Renewal))
    }

    /// Makes one call, and once more after a transient failure while attempts are left.
    fn patiently<T>(
        &mut self,
        what: &str,
        path: &str,
        bearer: &Secret,
        read: Reading<T>,
    ) -> Result<T, Denial> {
        loop {
            let outcome = self.once(what, path, bearer, read);
            let Err(Denial::Failed(failure)) = &outcome else { return outcome };
            if failure.retry != Retry::AtOnce || failure.asked_to_wait.is_some() {
                return outcome;
            }
            if failure.scope == Scope::Process {
                self.ends = end(self.context, self.plan);
            } else {
                self.attempts_left = self.attempts_left.saturating_sub(1);
            }
            if self.attempts_left == 0 || self.left() <= PAUSE * 2 {
                return outcome;
            }
            self.context.clock.sleep(PAUSE.mul_f64(0.5 + fastrand::f64()));
        }
    }

    fn once<T>(
        &self,
        what: &str,
        path: &str,
        bearer: &Secret,
        read: Reading<T>,
    ) -> Result<T, Denial> {
        // The first attempt leaves a third of the time for the second.
        let within = if self.attempts_left > 1 { self.left() * 2 / 3 } else { self.left() };
        let asked_at = clock::now();
        let secrets = self.context.messages.secrets();
        let rig_origin = self.place.rig_origin.to_string();
        let mut question = Question {
            worker: self.place.api.as_str(),
            town: self.place.town.as_str(),
            rig: self.place.rig.as_str(),
            rig_origin: &rig_origin,
            rig_advice: self.place.rig_advice(),
            secrets: &secrets,
            asked_at,
            answered_at: asked_at,
        };
        let began = self.context.clock.running();
        let mut reply = self.worker.post(&format!("{}/{path}", self.place.town), bearer, within);
        if reply.is_err() && self.context.clock.running() > began + within + STANDSTILL {
            reply = Err(out_of_time("this process was stopped while it asked the worker"));
        }
        question.answered_at = clock::now();
        let outcome = reply.map_err(Denial::Failed).and_then(|reply| read(&reply, question));
        let told = match &outcome {
            Ok(_) => "granted".to_owned(),
            Err(Denial::ContainerTokenExpired) => "the container token has expired".to_owned(),
            Err(Denial::Failed(failure)) => failure.to_string(),
        };
        let took = question.answered_at.since(asked_at).as_millis();
        self.context.messages.trace(format_args!("worker: asked for {what}: {told} ({took} ms)"));
        outcome
    }

    fn left(&self) -> Duration {
        self.ends.saturating_sub(self.context.clock.running())
    }
}

/// A function of `contract.rs` that reads an answer.
type Reading<T> = fn(&Reply, Question<'_>) -> Result<T, Denial>;

/// When the calls of a renewal that begins now have to end.
fn end(Context { clock, .. }: &Context<'_>, plan: Plan) -> Duration {
    clock.running() + plan.budget.min(clock.remaining().saturating_sub(LAST_MOMENT))
}

fn out_of_time(what: &str) -> Failure {
    Failure::new(Name::Timeout, Retry::AtOnce, what, "run the command again").of(Scope::Process)
}

fn into_failure(denial: Denial) -> Failure {
    match denial {
        Denial::Failed(failure) => failure,
        Denial::ContainerTokenExpired => Failure::new(
            Name::ContainerTokenRejected,
            Retry::WhenMended,
            "the worker says that the container token it has just renewed has expired",
            "check the worker's clock; set GASTOWN_CONTAINER_TOKEN to a new one",
        ),
    }
}

/// The container JWTs at hand, the one to present first, and why others cannot be used.
pub(crate) fn container_tokens(
    Context { settings, messages, cache, .. }: &Context<'_>,
    place: Place<'_>,
) -> (Vec<ContainerToken>, Option<String>) {
    let (mut tokens, fault) = settings.container_tokens();
    let renewal = cache.read(&place.town_key());
    tokens.extend(renewal.map(|secret| ContainerToken::new(secret, Source::Renewal)));
    tokens.iter().for_each(|token| messages.remember(&token.secret));
    (latest_first(tokens), fault)
}

pub(crate) fn no_container_token(settings: &Settings) -> Failure {
    let (_, fault) = settings.container_tokens();
    let why = fault.unwrap_or_else(|| "GASTOWN_CONTAINER_TOKEN is unset".to_owned());
    let what = format!("no container token to ask the worker with: {why}");
    let advice = match settings.container_token_file.origin() {
        None => {
            "set GASTOWN_CONTAINER_TOKEN, GASTOWN_CONTAINER_TOKEN_FILE or GITHUB_CLI_PAT".into()
        }
        Some(file) => format!(
            "make {file} name a file that you can read, with a token in it, or set \
             GASTOWN_CONTAINER_TOKEN"
        ),
    };
    Failure::new(Name::ConfigMissing, Retry::WhenMended, what, &advice).of(Scope::Process)
}
