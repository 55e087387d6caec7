#!/bin/sh
# Installs git-credential-gastown with its man page, built from this directory or as a file that was
# built before, or removes both again. Leaves nothing else behind but cargo's own target directory:
# no service, and no configuration unless --setup asks for it.
set -eu

NAME=git-credential-gastown
# The first Rust whose musl is recent, as 1.N.
MUSL_RUST=93

usage() {
    cat <<USAGE
Usage: sh install.sh [--prefix DIR | --system] [--musl | --glibc | --binary FILE] [--setup]
       sh install.sh --uninstall [--prefix DIR | --system]

  --prefix DIR    install below DIR (default: /usr/local as root, else ~/.local):
                  DIR/bin/$NAME
                  DIR/share/man/man1/$NAME.1
  --system        the same as --prefix /usr/local
  --musl          build for musl, and have rustup add what Rust needs for that; the program
                  starts in two thirds of the time. Done anyway if nothing has to be added
  --glibc         build for the GNU C library in any case
  --binary FILE   install this program instead of building one
  --setup         then run: $NAME setup --global
                  (with --system, as root: setup --system)
  --uninstall     remove both files
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

# rust_is_at_least MINOR
rust_is_at_least() {
    minor=$(rustc --version 2>/dev/null | sed -n 's/^rustc 1\.\([0-9]*\)\..*/\1/p')
    # What cannot be read is for cargo to judge.
    [ "${minor:-999}" -ge "$1" ]
}

# Says everything that is missing at once.
check_needs() {
    missing=
    if [ -z "$binary" ]; then
        [ -e Cargo.toml ] ||
            fail "there is no source here to build it from; run: sh $(quoted "$0") --binary $(quoted "$PWD/$NAME")"
        oldest=$(sed -n 's/^rust-version = "1\.\([0-9]*\).*/\1/p' Cargo.toml)
        if ! has cargo || ! has rustc; then
            missing="$missing
  cargo and rustc 1.$oldest or newer, to build it; on Debian 12 and 13:
  apt-get install rustc-web cargo-web; else: https://rustup.rs"
        elif ! rust_is_at_least "$oldest"; then
            missing="$missing
  rustc 1.$oldest or newer; this is $(rustc --version). With rustup: rustup update;
  on Debian 12 and 13: apt-get install rustc-web cargo-web; else: https://rustup.rs"
        fi
        if ! has "${CC:-cc}"; then
            missing="$missing
  a C compiler (${CC:-cc}), because the TLS library is partly C; on Debian:
  apt-get install gcc libc6-dev; on Alpine: apk add gcc musl-dev"
        fi
    fi
    if [ -n "$setup" ] && ! has git; then
        missing="$missing
  git, to be set up"
    fi
    [ -z "$missing" ] || fail "these are missing:$missing"
    has git || say 'note: git is not on PATH; the helper is of no use without it'
}

# Rust's library for a target; its directory is named even if there is nothing in it.
has_library() {
    directory=$(rustc --print target-libdir --target "$1" 2>/dev/null) || return 1
    for file in "$directory"/libstd-*.rlib; do
        [ -e "$file" ] && return 0
    done
    return 1
}

# Sets platform, or leaves it empty for whatever cargo builds for, and hint, to be said at the end.
choose_target() {
    host=$(rustc -vV | sed -n 's/^host: //p')
    platform=
    hint=
    case $host in
        *-linux-gnu) ;;
        # As on Alpine, where Rust has a name of its own for the processor.
        *-linux-musl)
            [ "$libc" != glibc ] || fail "--glibc needs a machine with glibc, and this is $host"
            platform=$host
            return
            ;;
        *)
            [ -z "$libc" ] || fail "--$libc is not known for $host"
            return
            ;;
    esac
    quick=${host%%-*}-unknown-linux-musl
    platform=$host
    [ "$libc" != glibc ] || return 0
    # Older ones bring a musl of 2022.
    if ! rust_is_at_least "$MUSL_RUST"; then
        [ -z "$libc" ] ||
            fail "--musl needs rustc 1.$MUSL_RUST or newer, and this is $(rustc --version); run: rustup update"
        hint="rustc 1.$MUSL_RUST or newer could build one for musl, which starts sooner"
    elif has_library "$quick"; then
        platform=$quick
    elif [ -z "$libc" ] && ! has rustup; then
        hint='a Rust from https://rustup.rs could build one for musl, which starts sooner'
    elif [ -z "$libc" ]; then
        hint="for one that starts sooner: sh install.sh --musl --prefix $(quoted "$prefix")"
    elif ! has rustup; then
        fail "--musl needs Rust's library for $quick, and there is no rustup to add it; see https://rustup.rs"
    else
        rustup target add "$quick" || fail "rustup could not add $quick; without --musl it is built for glibc"
        has_library "$quick" || fail "rustup added $quick, but not for the rustc on PATH: $(command -v rustc)"
        platform=$quick
    fi
}

build() {
    choose_target
    say "building $NAME for ${platform:-$host} ..."
    # Starting is most of what a helper costs: with the C library linked in, one static file at
    # fixed addresses spares the loader and the relocations (docs/performance.md). Needs --target,
    # or cargo would link its own build scripts and macros so as well.
    if [ -n "$platform" ]; then
        RUSTFLAGS="${RUSTFLAGS-} -C target-feature=+crt-static -C relocation-model=static"
        export RUSTFLAGS
        if [ "$platform" != "$host" ]; then
            # The compiler for this machine will do, as what the TLS library needs of a C library is
            # the same in both, except for the checks that some compilers add.
            suffix=$(say "$platform" | tr - _)
            eval "CC_$suffix=\${CC_$suffix:-\${CC:-cc}}"
            eval "CFLAGS_$suffix=\"\${CFLAGS_$suffix-} -U_FORTIFY_SOURCE\""
            export "CC_$suffix" "CFLAGS_$suffix"
        fi
        set -- --target "$platform"
    else
        set --
    fi
    # The list of dependencies inside the program, for those who look for known vulnerabilities.
    if has cargo-auditable; then auditable=yes; else auditable=; fi
    messages=$(cargo ${auditable:+auditable} build --release --locked --bin "$NAME" "$@" --message-format json-render-diagnostics) ||
        fail 'the build failed; see above'
    # cargo knows where the program went: CARGO_TARGET_DIR and configuration move it.
    program=$(printf '%s\n' "$messages" | sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' | tail -n 1)
    [ -x "$program" ] || fail 'cargo did not say where it put the program'
}

# place FILE MODE TARGET: by a name of its own and a rename, so that a running helper is never cut
# short.
place() {
    target=$3
    [ ! -d "$target" ] || fail "$target is a directory"
    mkdir -p "${target%/*}" || fail "cannot create ${target%/*}; say another place with --prefix DIR"
    unfinished=${target%/*}/.$NAME.$$
    trap 'rm -f "$unfinished"' EXIT
    trap 'exit 1' HUP INT TERM
    cp "$1" "$unfinished" || fail "cannot write to ${target%/*}; say another place with --prefix DIR"
    chmod "$2" "$unfinished"
    if [ "$target" = "$bin/$NAME" ]; then
        # Before it takes the place of one that works.
        version=$("$unfinished" --version) || fail "$1 cannot be run on this machine"
        case $version in "$NAME "*) ;; *) fail "$1 is not $NAME" ;; esac
    fi
    mv -f "$unfinished" "$target"
    trap - EXIT HUP INT TERM
}

install_files() {
    place "$program" 0755 "$bin/$NAME"
    say "installed $bin/$NAME ($version${platform:+, $platform})"
    [ -z "$hint" ] || say "$hint"
    place "man/$NAME.1" 0644 "$man/$NAME.1"
    say "installed $man/$NAME.1"
}

# A word that a shell reads as it is.
quoted() {
    case $1 in
        *[!A-Za-z0-9/._+-]*) printf "'%s'" "$(say "$1" | sed "s/'/'\\\\''/g")" ;;
        *) printf '%s' "$1" ;;
    esac
}

# How to call what was installed.
command_line() {
    if [ "$(command -v "$NAME" || true)" = "$bin/$NAME" ]; then
        say 'git credential-gastown'
    else
        quoted "$bin/$NAME"
    fi
}

explain_configuration() {
    command=$(command_line)
    scope=
    [ -z "$system" ] || [ "$(id -u)" -ne 0 ] || scope=' --system'
    cat <<CONFIGURATION

To have git use it, to check that, and to take it back:

  $command setup$scope
  $command doctor
  $command setup --undo$scope

To remove it:

  sh install.sh --uninstall --prefix $(quoted "$prefix")
CONFIGURATION
}

remove() {
    if [ -e "$1" ] || [ -L "$1" ]; then
        rm -f "$1" || fail "cannot remove $1"
        say "removed $1"
    else
        say "there is no $1"
    fi
}

# Whether git calls the program, for this user or for all: sets scope.
is_configured() {
    for scope in --global --system; do
        # The helper line is quoted by backslashes.
        git config "$scope" --get-regexp '^credential\..*helper$' 2>/dev/null |
            sed 's/\\//g' | grep -qF " $bin/$NAME" && return 0
    done
    return 1
}

# Only the program itself can take its configuration back, so that goes first.
uninstall() {
    if is_configured && "$bin/$NAME" --version >/dev/null 2>&1; then
        as=
        [ "$scope" = --global ] || [ "$(id -u)" -eq 0 ] || as=', as root'
        fail "git is still configured to call it; first run$as: $(command_line) setup --undo $scope"
    fi
    remove "$bin/$NAME"
    remove "$man/$NAME.1"
    case $prefix in
        /usr | /usr/local | "${HOME:-}/.local") ;;
        *) rmdir "$man" "${man%/*}" "$prefix/share" "$bin" "$prefix" 2>/dev/null || true ;;
    esac
}

configure() {
    scope=--global
    [ -z "$system" ] || [ "$(id -u)" -ne 0 ] || scope=--system
    "$bin/$NAME" setup "$scope"
}

prefix=
system=
binary=
libc=
platform=
hint=
setup=
action=install
while [ $# -gt 0 ]; do
    case $1 in
        --prefix | --binary) [ $# -ge 2 ] || usage_error "$1 needs a value" ;;
    esac
    case $1 in
        --prefix)
            prefix=$2
            shift
            ;;
        --prefix=*) prefix=${1#--prefix=} ;;
        --binary)
            binary=$2
            shift
            ;;
        --binary=*) binary=${1#--binary=} ;;
        --system) system=yes ;;
        --musl | --glibc)
            [ "${libc:-${1#--}}" = "${1#--}" ] || usage_error '--musl and --glibc exclude each other'
            libc=${1#--}
            ;;
        --setup) setup=yes ;;
        --uninstall) action=uninstall ;;
        -h | --help)
            usage
            exit 0
            ;;
        *) usage_error "unknown argument: $1" ;;
    esac
    shift
done

[ -z "$system" ] || [ -z "$prefix" ] || usage_error '--system and --prefix exclude each other'
if [ "$action" = uninstall ]; then
    [ -z "$binary$libc$setup" ] || usage_error '--uninstall goes with --prefix or --system only'
fi
[ -z "$binary" ] || [ -z "$libc" ] || usage_error "--binary and --$libc exclude each other"
[ -z "$system" ] || prefix=/usr/local
[ -n "$prefix" ] || prefix=$(default_prefix)

# From wherever it was called.
absolute() {
    case $1 in
        /*) say "$1" ;;
        *) say "$PWD/$1" ;;
    esac
}
prefix=$(absolute "$prefix")
prefix=${prefix%/}
bin=$prefix/bin
man=$prefix/share/man/man1
if [ -n "$binary" ]; then
    binary=$(absolute "$binary")
    [ -f "$binary" ] || fail "there is no file $binary"
    # A text would be run as a script.
    [ "$(od -An -N4 -tx1 <"$binary" | tr -d ' ')" = 7f454c46 ] || fail "$binary is not a program"
fi

if [ "$action" = uninstall ]; then
    uninstall
    exit 0
fi
cd "$(dirname "$0")"
check_needs
program=$binary
[ -n "$program" ] || build
install_files
if [ -n "$setup" ]; then
    configure
else
    explain_configuration
fi
