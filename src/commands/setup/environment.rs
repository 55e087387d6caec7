//! `--print-env`: the same settings as environment variables, which reach every git below a
//! process whatever its home. What is printed is for the shell to evaluate.
//!
//! <https://git-scm.com/docs/git-config#Documentation/git-config.txt-GITCONFIGCOUNT>

use git_credential_gastown::failure::Failure;
use git_credential_gastown::git_config::{Line, helpers_for};

use super::{Bench, line};

/// The settings that the environment holds already stay, and are not repeated.
pub(super) fn exports(bench: &Bench<'_>) -> Result<String, Failure> {
    let mut effective = bench.git.effective_lines()?;
    effective.retain(|line| line.scope == "command");
    let mut pairs: Vec<(String, String)> = Vec::new();
    for (host, line) in line::all(bench)? {
        let is_set = |chain: Vec<&Line>| chain.len() == 1 && chain[0].value == line;
        if !is_set(helpers_for(&effective, &host)) {
            let key = line::key(&host);
            pairs.extend([(key.clone(), String::new()), (key, line)]);
        }
    }
    let first = bench.surroundings.git_config_count;
    let mut text = export("GIT_CONFIG_COUNT", &(first + pairs.len()).to_string());
    for (index, (key, value)) in pairs.iter().enumerate() {
        let number = first + index;
        text += &export(&format!("GIT_CONFIG_KEY_{number}"), key);
        text += &export(&format!("GIT_CONFIG_VALUE_{number}"), value);
    }
    bench.context.messages.hint(
        "for the shell: eval \"$(git credential-gastown setup --print-env)\"; the empty values make \
         git forget helpers that would answer first with a stale token",
    );
    Ok(text)
}

fn export(name: &str, value: &str) -> String {
    format!("export {name}='{}'\n", value.replace('\'', r"'\''"))
}
