//! The ends of the help texts: examples, and what the exit codes mean.

pub(super) const PROGRAM: &str = "\
Examples:
  git credential-gastown setup           # make git ask this helper
  git credential-gastown doctor          # would a push from here succeed?
  git credential-gastown token | wc -c   # a token for a script
  git credential-gastown exec -- npm ci  # a program that takes a token

Exit codes:
  0              answered, or not a host of ours
  1              failed; stderr says why, and what to do
  2              the command line is wrong
  125, 126, 127  exec and gh: no token, program not executable, not found

Settings without a flag:
  GASTOWN_CONTAINER_TOKEN, or GASTOWN_CONTAINER_TOKEN_FILE: the token that the
  worker knows this container by

All variables, files and errors: man git-credential-gastown";

pub(super) const SETUP: &str = "\
Examples:
  git credential-gastown setup
  git credential-gastown setup --town my-town --rig my-rig
  git credential-gastown setup --system --dry-run
  git credential-gastown setup --migrate .
  git credential-gastown setup --gh-shim ~/bin
  git credential-gastown setup --undo
  eval \"$(git credential-gastown setup --print-env)\"";

pub(super) const DOCTOR: &str = "\
Examples:
  git credential-gastown doctor
  git -C /workspace/rigs/my-rig credential-gastown doctor --offline";

pub(super) const TOKEN: &str = "\
Examples:
  TOKEN=$(git credential-gastown token)
  git credential-gastown token --min-life 20m https://github.com/acme/app
  git credential-gastown token --json | jq -r .lives_until";

pub(super) const EXEC: &str = "\
Examples:
  git credential-gastown exec -- npm ci
  git credential-gastown exec --env NPM_TOKEN --min-life 20m -- npm publish";

pub(super) const GH: &str = "\
Examples:
  git credential-gastown gh pr create --fill
  git credential-gastown --rig my-rig gh api user";
