//! `erase`: takes note that a server refused a token. Compares before it forgets: a hundred
//! parallel fetches each erase the old token after one of them has renewed it, and none of them
//! may cost the new one. Waits for no lock and no network.

use std::process::ExitCode;

use git_credential_gastown::failure::Name;
use git_credential_gastown::freshness::refused_again;
use git_credential_gastown::healing::Handed;
use git_credential_gastown::protocol::Request;
use git_credential_gastown::scope::Host;
use git_credential_gastown::token::{Entry, Rejection, Secret};

use super::Context;
use crate::clock;

pub(super) fn run(context: &Context<'_>) -> ExitCode {
    if let Some((request, host)) = context.request()
        && let Some(token) = request.rejected_secret()
    {
        context.messages.remember(&token);
        erase(context, &request, &host, &token);
    }
    ExitCode::SUCCESS
}

fn erase(context: &Context<'_>, request: &Request, host: &Host, token: &Secret) {
    let entry = context.cached_entry(host);
    let hash = token.hash();
    let can_heal = request.keeps_state() || Handed::of(request).is_some();
    if entry.as_ref().is_some_and(|entry| entry.token.hash() == hash) {
        context.note_rejection(token);
        if !can_heal {
            context.messages.hint(format_args!(
                "{host} rejected the token; a fresh one will be fetched: run the command again \
                 [{}]",
                Name::TokenRejected
            ));
        }
    } else if let Some(name) = context.settings.static_name(token) {
        context.note_rejection(token);
        context.messages.warning(format_args!(
            "{host} rejected {name}; replace it, or unset it to use the worker's token [{}]",
            Name::TokenRejected
        ));
    } else if entry.is_some_and(|entry| was_replaced(&entry, token)) {
        if !can_heal {
            context.messages.hint(format_args!(
                "{host} rejected a token that has since been replaced: run the command again"
            ));
        }
    } else if token.is_installation_token() {
        warn_embedded(context, host);
    } else {
        context.messages.trace(format_args!("erase: {} is not ours", hash.prefix()));
    }
}

fn was_replaced(entry: &Entry, token: &Secret) -> bool {
    entry.predecessors.contains(&token.hash())
}

/// git uses a token in the remote's URL without asking any helper, and a helper like `store`
/// answers with what it once saw.
fn warn_embedded(context: &Context<'_>, host: &Host) {
    context.messages.warning(format_args!(
        "{host} rejected a token that did not come from here: it is in the remote's URL or in \
         another credential helper; look at `git remote -v`, then run: git remote set-url origin \
         {host}/OWNER/REPOSITORY.git, and: git config --unset-all credential.helper [{}]",
        Name::EmbeddedToken
    ));
}

impl Context<'_> {
    fn cached_entry(&self, host: &Host) -> Option<Entry> {
        let key = self.settings.place().ok()?.key(host);
        self.cache.entry(&key).record
    }

    /// Puts a refusal on record, for every process of the machine.
    pub(super) fn note_rejection(&self, token: &Secret) -> Rejection {
        let hash = token.hash();
        let before = self.cache.rejection(&hash).unwrap_or_else(|| Rejection::none(hash));
        let after = refused_again(before.clone(), clock::now(), &self.policy);
        if after != before
            && let Err(reason) = self.cache.keep_rejection(&after)
        {
            self.messages.warning(format_args!("{reason:#} [{}]", Name::CacheUnusable));
        }
        self.messages.trace(format_args!(
            "rejected: {}, {} time(s) so far",
            after.hash.prefix(),
            after.count
        ));
        after
    }
}
