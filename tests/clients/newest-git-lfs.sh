#!/bin/sh
# Unpacks git-lfs of the distribution's newest suite into the current directory, and touches nothing
# else: apt's lists and cache are here, too. apt's own configuration says where packages come from.
set -eu

# shellcheck source=/dev/null
. /etc/os-release
case $ID in
debian) newest=sid ;;
ubuntu) newest=devel ;;
*) echo "no newest suite is known for $ID" >&2 && exit 1 ;;
esac

# Every stanza of the distribution itself (not its updates alone, and not other people's), with the
# suite replaced.
mkdir -p apt/lists/partial apt/cache/archives/partial
awk -v codename="$VERSION_CODENAME" -v newest="$newest" '
    BEGIN { RS = ""; FS = "\n" }
    $0 ~ "(^|\n)Suites: *" codename "( |\n|$)" {
        for (line = 1; line <= NF; line++) {
            if ($line ~ /^Suites:/) $line = "Suites: " newest
            print $line
        }
        print ""
    }' "/etc/apt/sources.list.d/$ID.sources" >apt/newest.sources

in_here() {
    apt-get --quiet --quiet -o Dir::Etc::sourcelist="$PWD/apt/newest.sources" \
        -o Dir::Etc::sourceparts=/dev/null -o Dir::State::lists="$PWD/apt/lists" \
        -o Dir::Cache="$PWD/apt/cache" -o APT::Sandbox::User=root \
        -o Acquire::Languages=none "$@"
}
in_here update
in_here download git-lfs
dpkg-deb --extract git-lfs_*.deb unpacked
mv unpacked/usr/bin/git-lfs .
rm -r unpacked apt git-lfs_*.deb
