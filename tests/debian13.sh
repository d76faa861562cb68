#!/usr/bin/env bash
# Builds and tests in a Debian 13, whose libraries are newer than Debian 12's (libfuse, libcurl, OpenSSL, gcc).
#
#     tests/debian13.sh prepare            makes the root, if it is not there yet
#     tests/debian13.sh [COMMAND…]         runs COMMAND there, in the tree; without one: build, unit tests, contrib/try.sh,
#                                          tests/integration and tests/security
#
# DEBIAN13_ROOT is where the root lies (/var/cache/sstorefs/debian13); it is made anew when the packages it needs have
# changed. Needs root, and Debian's mirror to make it. What is mounted for a run goes with it: it has mount and process
# namespaces of its own.
set -euo pipefail

top=$(cd "$(dirname "$0")/.." && pwd)
root=${DEBIAN13_ROOT:-/var/cache/sstorefs/debian13}
mirror=${DEBIAN13_MIRROR:-http://deb.debian.org/debian}
# shellcheck source=contrib/install-dependencies.sh
. "$top/contrib/install-dependencies.sh"
# What the suites that depend on libraries need of it all.
packages=$(echo $build_packages $try_packages busybox fish ksh nodejs php-cli ruby zsh libcmocka-dev scdoc openssl ca-certificates nginx-light rsync gdb binutils \
	curl perl-base python3-pytest python3-pytest-timeout python3-pytest-xdist iproute2 libfaketime git)

# The root holds what is asked for: what was asked for when it was made stands in it.
is_made()
{
	[[ $(cat "$root/etc/sstorefs-packages" 2>/dev/null) == "$packages" ]]
}

# Without documents, translations and the syncs of dpkg: half of the time and of the space.
configure()
{
	mkdir -p "$1/etc/dpkg/dpkg.cfg.d" "$1/etc/apt/apt.conf.d"
	printf '%s\n' force-unsafe-io path-exclude=/usr/share/{doc,man,locale,info,lintian}/'*' >"$1/etc/dpkg/dpkg.cfg.d/lean"
	printf '%s\n' 'Acquire::Languages "none";' 'APT::Install-Recommends "0";' >"$1/etc/apt/apt.conf.d/lean"
	# The way to the mirror is the machine's.
	apt-config dump | grep -i '^Acquire::.*::Proxy' >"$1/etc/apt/apt.conf.d/proxy" || true
	cp -L /etc/resolv.conf "$1/etc/resolv.conf"
}

prepare()
{
	mkdir -p "$(dirname "$root")"
	exec 8>"$root.lock"
	flock 8
	if ! is_made; then
		rm -rf "$root" "$root.new"
		debootstrap --variant=minbase trixie "$root.new" "$mirror" >"$root.log" 2>&1
		configure "$root.new"
		# shellcheck disable=SC2086 # one word a package
		chroot "$root.new" env DEBIAN_FRONTEND=noninteractive sh -c 'apt-get update -q && exec apt-get install -q -y "$@"' \
			sh $packages >>"$root.log" 2>&1 </dev/null
		rm -f "$root.new"/var/cache/apt/archives/*.deb
		mkdir -p "$root.new/tree"
		echo "$packages" >"$root.new/etc/sstorefs-packages"
		mv "$root.new" "$root"
	fi
	flock -u 8
}

# Runs in the namespaces: mounts, then becomes the command.
enter()
{
	mount --make-rprivate /
	mount --bind "$root" "$root"
	mount --rbind /dev "$root/dev"
	mount --rbind /sys "$root/sys"
	mount -t proc proc "$root/proc"
	mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
	mount --bind "$top" "$root/tree"
	exec chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \
		bash -ec 'cd /tree && exec "$@"' bash "$@"
}

everything()
{
	local build=build-test/debian13
	[[ -f $build/build.ninja ]] || meson setup "$build" -Dwerror=true -Dtests=true -Dman=enabled
	ninja -C "$build"
	meson test -C "$build" --no-rebuild --print-errorlogs
	BUILD=$build contrib/try.sh
	SSTOREFS_BUILD=$build python3 -m pytest tests/integration tests/security -n 4
}

case ${1-} in
prepare)
	prepare || {
		tail -n 40 "$root.log" >&2
		exit 1
	}
	;;
enter)
	shift
	enter "$@"
	;;
everything) everything ;;
*)
	"$0" prepare
	[[ $# -gt 0 ]] || set -- tests/debian13.sh everything
	exec unshare --mount --pid --fork --kill-child "$0" enter "$@"
	;;
esac
