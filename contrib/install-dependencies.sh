# The Debian packages for building, trying and testing. Sourced by try.sh and run.sh; does nothing by itself.

build_packages='gcc libc6-dev meson ninja-build pkg-config libfuse3-dev libcurl4-openssl-dev libjansson-dev
	libseccomp-dev libsodium-dev'

# mount.fuse3, getfattr, chattr, and the packages of the sandbox.
try_packages='fuse3 attr e2fsprogs mount procps python3 python3-nacl python3-h11'

# What the unit, integration and security tests run: on Debian 13, too (tests/debian13.sh).
suite_packages='libcmocka-dev scdoc openssl ca-certificates nginx-light rsync vim-tiny gdb binutils git
	curl cpio p7zip-full perl-base sed tar ansible-core rust-coreutils gh
	rclone python3-paramiko openssh-client openssh-sftp-server make
	fish ruby php-cli zsh ksh busybox nodejs
	python3-pytest python3-pytest-timeout python3-pytest-xdist iproute2 libfaketime util-linux liburing-dev'

test_packages='clang libclang-rt-dev cppcheck bash dash coreutils gpg gpg-agent mawk moreutils
	sqlite3 lz4 socat tcl neovim unzip zip libarchive-tools iptables debootstrap'

# Programs that write aside and then rename (tests/shell_matrix/test_rename_ways.py); java runs a source file only with the compiler at hand.
rename_packages='default-jdk-headless emacs-nox git lftp libpath-tiny-perl moreutils openssh-client openssh-sftp-server php-cli python3-gi rsync ruby unison vim-tiny'

# What contrib/bench measures with and draws with; the services' own clients are npm's (@fastly/cli, wrangler), and never needed.
bench_packages='curl findutils nginx-light openssl python3-matplotlib util-linux valgrind'

# What contrib/debian/build.sh needs beside build_packages.
package_packages='build-essential debhelper scdoc'

# Machines and containers to try what operators do (tests/production).
production_packages="$package_packages podman runc catatonit nftables libdevmapper1.02.1 systemd adduser yamllint python3-yaml python3-dotenv bash-completion man-db git
	lintian gpg gpg-agent xz-utils"

test_packages="$test_packages $suite_packages $rename_packages $production_packages $bench_packages"

# install_missing PACKAGE…: asks apt-get for those that are not there.
install_missing()
{
	missing=
	for package in "$@"; do
		case $(dpkg-query -W -f '${Status}' "$package" 2>/dev/null) in
		*' installed') ;;
		*) missing="$missing $package" ;;
		esac
	done
	[ -n "$missing" ] || return 0
	echo "installing:$missing"
	as_root=
	if [ "$(id -u)" != 0 ]; then
		as_root=sudo
	fi
	# shellcheck disable=SC2086 # one word a package
	$as_root apt-get update -q >/dev/null &&
		$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing >/dev/null
}

# install_npm_packages: npm's libraries that copy, and that write aside, into a cache that the tests know (SSTOREFS_NPM names another);
# and the one clang-format whose word counts, since each release of Debian has another.
install_npm_packages()
{
	cache=${SSTOREFS_NPM:-$HOME/.cache/sstorefs-tests/npm}
	pinned_clang_format=$cache/node_modules/clang-format/bin/linux_x64/clang-format
	set -- write-file-atomic@5.0.1 atomically@2.0.3 steno@4.0.2 tmp@0.2.3 fs-extra@11.3.0 clang-format@1.8.0
	missing=
	for package in "$@"; do
		[ -d "$cache/node_modules/${package%@*}" ] || missing=yes
	done
	[ -n "$missing" ] || return 0
	command -v npm >/dev/null || install_missing npm
	echo "installing: npm's $*"
	npm install --prefix "$cache" --no-save --no-audit --no-fund --ignore-scripts --loglevel=error "$@" >/dev/null
}

# install_unpacked PACKAGE PROGRAM: into /usr/local/bin, without the service that the package would start.
install_unpacked()
{
	! command -v "$2" >/dev/null || return 0
	echo "installing: $2"
	as_root=
	if [ "$(id -u)" != 0 ]; then
		as_root=sudo
	fi
	unpacked=$(mktemp -d)
	(cd "$unpacked" &&
		{ apt-get download -q "$1" >/dev/null 2>&1 || { $as_root apt-get update -q && apt-get download -q "$1"; } >/dev/null; } &&
		dpkg-deb -x "$1"_*.deb . && $as_root install -m 755 "usr/bin/$2" /usr/local/bin/)
	rm -rf "$unpacked"
	command -v "$2" >/dev/null
}

# install_prometheus_programs: promtool, which has a package of its own from Debian 13 on and is the server's on 12, and the node exporter.
install_prometheus_programs()
{
	if command -v promtool >/dev/null || ! apt-cache show promtool >/dev/null 2>&1; then
		install_unpacked prometheus promtool
	else
		install_missing promtool
	fi
	install_unpacked prometheus-node-exporter prometheus-node-exporter
}

# install_tools: podman-compose of Debian 12 and 13, docker of 12, docker compose and kustomize of 13, unpacked into a cache
# that the tests know (SSTOREFS_TOOLS names another). No release has all of them, and apt's own lists and packages stay as they are.
install_tools()
{
	tools=${SSTOREFS_TOOLS:-$HOME/.cache/sstorefs-tests/tools}
	set -- 'bookworm podman-compose docker.io containerd tini' 'trixie podman-compose docker-compose kustomize'
	[ "$*" != "$(cat "$tools/made" 2>/dev/null)" ] || return 0
	echo "installing: $* into $tools"
	rm -rf "$tools"
	for wanted in "$@"; do
		unpack_from_release $wanted || return 1
	done
	echo "$*" >"$tools/made"
}

# unpack_from_release RELEASE PACKAGE…: into $tools/RELEASE
unpack_from_release()
{
	(
		into=$tools/$1
		apt=$(mktemp -d)
		mkdir -p "$apt/lists/partial" "$apt/archives/partial" "$into"
		echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] ${DEBIAN_MIRROR:-http://deb.debian.org/debian} $1 main" >"$apt/sources"
		printf '%s\n' "Dir::Etc::sourcelist \"$apt/sources\";" 'Dir::Etc::sourceparts "/dev/null";' "Dir::State::lists \"$apt/lists\";" \
			"Dir::Cache \"$apt\";" 'APT::Sandbox::User "root";' >"$apt/conf"
		shift
		cd "$apt" && export APT_CONFIG="$apt/conf"
		{ apt-get update -q && apt-get download -q "$@"; } >/dev/null || exit 1
		for package in "$apt"/*.deb; do
			dpkg-deb -x "$package" "$into"
		done
		rm -rf "$apt"
	)
}

# install_schema_packages: what tests/schema runs, in the versions of its package-lock.json, into a cache (SSTOREFS_SCHEMA_NPM names another).
install_schema_packages()
{
	schema=$(dirname "${BASH_SOURCE[0]}")/../tests/schema
	cache=${SSTOREFS_SCHEMA_NPM:-$HOME/.cache/sstorefs-tests/schema}
	! cmp -s "$schema/package-lock.json" "$cache/installed" || return 0
	command -v npm >/dev/null || install_missing npm
	echo "installing: npm's packages for tests/schema"
	mkdir -p "$cache"
	cp "$schema/package.json" "$schema/package-lock.json" "$cache/"
	npm ci --prefix "$cache" --no-audit --no-fund --ignore-scripts --loglevel=error >/dev/null &&
		cp "$cache/package-lock.json" "$cache/installed"
}
