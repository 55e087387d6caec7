#!/bin/sh
# A shell loop that lives for hours: every call gets the token that is live at that moment.
# Usage: poll.sh [SECONDS [TIMES]]
set -eu
api=${GITHUB_API_URL:-https://api.github.com}
times=${2:--1}

call() {
    token=$(git credential-gastown token) || return
    # By a config file on stdin, because arguments can be read by every user of the machine.
    printf 'header = "Authorization: Bearer %s"\n' "$token" |
        curl --silent --show-error --fail --config - "$api/installation/repositories"
}

while [ "$times" -ne 0 ]; do
    # A call that fails is made again the next time. If it is refused, the worker may have another
    # token by then.
    call || git credential-gastown refresh >/dev/null || true
    times=$((times - 1))
    [ "$times" -eq 0 ] || sleep "${1:-60}"
done
