# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
# shellcheck shell=sh
#
# private-apt.sh - look into another suite of Debian without touching the system; sourced
#
# private_apt TYPE SUITE DIR: from now on apt works with a package list of its own in
# DIR, of TYPE (deb or deb-src) and SUITE, on the mirror that the system takes its
# release from.  What apt says goes to DIR.log.  Fails with a message in $apt_error.

private_apt() {
    # shellcheck disable=SC1091
    codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
    # shellcheck disable=SC2016
    mirror=$(apt-get indextargets --format '$(REPO_URI)|$(RELEASE)|$(COMPONENT)' \
        'Identifier: Packages' | awk -F '|' -v release="$codename" \
        '$2 == release && $3 == "main" { print $1; exit }')
    apt_error="no package list of $codename main: run apt-get update"
    [ -n "$mirror" ] || return 1
    keyring=/usr/share/keyrings/debian-archive-keyring.gpg
    signed=
    [ ! -e $keyring ] || signed="[signed-by=$keyring] "

    mkdir -p "$3/lists/partial" "$3/cache/archives/partial"
    echo "$1 $signed$mirror $2 main" > "$3/sources.list"
    cat > "$3/apt.conf" <<END
Dir::Etc::SourceList "$3/sources.list";
Dir::Etc::SourceParts "-";
Dir::State::Lists "$3/lists";
Dir::Cache "$3/cache";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
APT::Sandbox::User "root";
APT::Default-Release "$2";
Acquire::Languages "none";
END
    export APT_CONFIG="$3/apt.conf"
    apt_error="cannot read $2 (see $3.log)"
    # shellcheck disable=SC2034
    apt-get -q -o Acquire::Retries=5 update > "$3.log" 2>&1 && apt_error=
}
