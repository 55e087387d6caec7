#!/bin/sh
# Builds git-credential-gastown from this directory and installs it, or removes it again.
# Leaves nothing else behind but cargo's own target directory: no configuration, no service.
set -eu

NAME=git-credential-gastown

usage() {
    cat <<USAGE
Usage: sh install.sh [--prefix DIR] [--uninstall]

  --prefix DIR   install to DIR/bin (default: /usr/local as root, else ~/.local)
  --uninstall    remove DIR/bin/$NAME
USAGE
}

say() { printf '%s\n' "$*"; }

fail() {
    printf 'install.sh: %s\n' "$*" >&2
    exit 1
}

usage_error() {
    printf 'install.sh: %s\n\n' "$*" >&2
    usage >&2
    exit 2
}

default_prefix() {
    if [ "$(id -u)" -eq 0 ]; then
        say /usr/local
    elif [ -n "${HOME:-}" ]; then
        say "$HOME/.local"
    else
        fail 'HOME is unset; say where to install with --prefix DIR'
    fi
}

has() { command -v "$1" >/dev/null 2>&1; }

# Says everything that is missing at once.
check_needs() {
    missing=
    if ! has cargo; then
        missing="$missing
  cargo, to build it: https://rustup.rs"
    fi
    if ! has "${CC:-cc}"; then
        missing="$missing
  a C compiler (${CC:-cc}), because the TLS library is partly C; on Debian: apt-get install gcc libc6-dev"
    fi
    [ -z "$missing" ] || fail "these are missing:$missing"
    has git || say 'note: git is not on PATH; the helper is of no use without it'
}

build() {
    say "building $NAME ..."
    # Starting is most of what a helper costs: where the C library can be linked in, one static
    # file at fixed addresses spares the loader and the relocations (docs/performance.md). Name
    # resolution works all the same (.ci/static-image). Needs --target, or cargo would link its own
    # build scripts and macros so as well.
    host=$(rustc -vV | sed -n 's/^host: //p')
    case $host in
        *-linux-gnu)
            RUSTFLAGS="${RUSTFLAGS-} -C target-feature=+crt-static -C relocation-model=static"
            export RUSTFLAGS
            set -- --target "$host"
            ;;
        *) set -- ;;
    esac
    messages=$(cargo build --release --locked --bin "$NAME" "$@" --message-format json-render-diagnostics) ||
        fail 'the build failed; see above'
    # cargo knows where the program went: CARGO_TARGET_DIR and configuration move it.
    program=$(printf '%s\n' "$messages" | sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' | tail -n 1)
    [ -x "$program" ] || fail 'cargo did not say where it put the program'
}

# By a name of its own and a rename, so that a running helper is never cut short.
install_program() {
    [ ! -d "$bin/$NAME" ] || fail "$bin/$NAME is a directory"
    mkdir -p "$bin" || fail "cannot create $bin; say another place with --prefix DIR"
    unfinished=$bin/.$NAME.$$
    trap 'rm -f "$unfinished"' EXIT
    trap 'exit 1' HUP INT TERM
    cp "$program" "$unfinished" || fail "cannot write to $bin; say another place with --prefix DIR"
    chmod 0755 "$unfinished"
    mv -f "$unfinished" "$bin/$NAME"
    trap - EXIT HUP INT TERM
    say "installed $bin/$NAME ($("$bin/$NAME" --version))"
}

# git finds a helper by name on PATH; else by its absolute path.
explain_configuration() {
    helper=gastown
    case ":$PATH:" in
        *":$bin:"*) ;;
        *)
            # git hands a path to a shell.
            helper="'$(say "$bin/$NAME" | sed 's|[^A-Za-z0-9/._+-]|\\&|g')'"
            say "note: $bin is not on PATH, so git must be told the whole path"
            ;;
    esac
    cat <<CONFIGURATION

To have git use it for github.com:

  git config --global credential.https://github.com.helper ''
  git config --global --add credential.https://github.com.helper $helper

In a repository whose remote URL carries a token, take it out; git would ask no helper:

  git remote set-url origin https://github.com/OWNER/REPOSITORY.git

To undo:

  git config --global --unset-all credential.https://github.com.helper
  sh install.sh --uninstall --prefix '$prefix'
CONFIGURATION
}

uninstall() {
    if [ -e "$bin/$NAME" ] || [ -L "$bin/$NAME" ]; then
        rm -f "$bin/$NAME" || fail "cannot remove $bin/$NAME"
        say "removed $bin/$NAME"
    else
        say "there is no $bin/$NAME"
    fi
    say 'git may still be configured to call it; to undo that:'
    say '  git config --global --unset-all credential.https://github.com.helper'
}

prefix=
action=install
while [ $# -gt 0 ]; do
    case $1 in
        --prefix)
            [ $# -ge 2 ] || usage_error '--prefix needs a directory'
            prefix=$2
            shift
            ;;
        --prefix=*) prefix=${1#--prefix=} ;;
        --uninstall) action=uninstall ;;
        -h | --help)
            usage
            exit 0
            ;;
        *) usage_error "unknown argument: $1" ;;
    esac
    shift
done

[ -n "$prefix" ] || prefix=$(default_prefix)
case $prefix in
    /*) ;;
    *) prefix=$PWD/$prefix ;;
esac
prefix=${prefix%/}
bin=$prefix/bin

if [ "$action" = uninstall ]; then
    uninstall
    exit 0
fi
cd "$(dirname "$0")"
check_needs
build
install_program
explain_configuration
