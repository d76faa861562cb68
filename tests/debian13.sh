#!/usr/bin/env bash
# Builds and tests in a Debian 13, whose libraries are newer than Debian 12's (libfuse, libcurl, OpenSSL, gcc).
#
#     tests/debian13.sh prepare            makes the root, if it is not there yet
#     tests/debian13.sh build              builds there, in build-test/debian13; unit tests and contrib/try.sh
#     tests/debian13.sh [COMMAND…]         runs COMMAND there, in the tree; without one: all of build, tests/integration
#                                          and tests/security
#
# DEBIAN13_ROOT is where the root lies (/var/cache/sstorefs/debian13); it is made anew when the packages it needs have
# changed. Needs root, and Debian's mirror to make it. What is mounted for a run goes with it: it has mount and process
# namespaces of its own.
set -euo pipefail

top=$(cd "$(dirname "$0")/.." && pwd)
build=build-test/debian13
root=${DEBIAN13_ROOT:-/var/cache/sstorefs/debian13}
mirror=${DEBIAN13_MIRROR:-http://deb.debian.org/debian}
# shellcheck source=contrib/install-dependencies.sh
. "$top/contrib/install-dependencies.sh"
packages=$(echo $build_packages $try_packages $suite_packages $bench_packages)
# npm's libraries are the same on both releases.
npm=${SSTOREFS_NPM:-$HOME/.cache/sstorefs-tests/npm}

# The root contains how it was made: packages, and how it is set up.
wanted()
{
	printf '%s\n' "$packages"
	declare -f configure
}

is_made()
{
	[[ $(cat "$root/etc/sstorefs-packages" 2>/dev/null) == "$(wanted)" ]]
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
	# The installer makes it elsewhere; fusermount3 unmounts nothing without.
	ln -sf ../proc/self/mounts "$1/etc/mtab"
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
		mkdir -p "$root.new/tree" "$root.new/npm"
		wanted >"$root.new/etc/sstorefs-packages"
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
	mount --bind "$npm" "$root/npm"
	exec chroot "$root" /usr/bin/env -i SSTOREFS_NPM=/npm PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \
		bash -ec 'cd /tree && exec "$@"' bash "$@"
}

build()
{
	[[ -f $build/build.ninja ]] || meson setup "$build" -Dwerror=true -Dtests=true -Dman=enabled
	ninja -C "$build"
	meson test -C "$build" --no-rebuild --print-errorlogs
	BUILD=$build contrib/try.sh
}

everything()
{
	build
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
build-inside) build ;;
everything) everything ;;
*)
	"$0" prepare
	install_npm_packages
	case $* in
	'') set -- tests/debian13.sh everything ;;
	build) set -- tests/debian13.sh build-inside ;;
	esac
	exec unshare --mount --pid --fork --kill-child "$0" enter "$@"
	;;
esac
