#!/usr/bin/env bash
# Installs what is missing, builds with both compilers and with sanitizers, runs every test. A skip is a failure.
#
#     tests/run.sh            all of it
#
# BUILD_ROOT is where the builds go (build-test in the tree).
set -euo pipefail

top=$(cd "$(dirname "$0")/.." && pwd)
cd "$top"
# shellcheck source=contrib/install-dependencies.sh
. contrib/install-dependencies.sh
# shellcheck disable=SC2086 # one word a package
install_missing $build_packages $try_packages $test_packages

builds=${BUILD_ROOT:-$top/build-test}
sanitizers=(-Db_sanitize=address,undefined -Db_lundef=false)
begun=$SECONDS

step()
{
	printf '\n== %s (%d s)\n' "$*" "$((SECONDS - begun))"
}

# build NAME COMPILER [MESON OPTION…]
build()
{
	local directory=$builds/$1 compiler=$2
	shift 2
	step "build $directory"
	if [[ ! -f $directory/build.ninja ]]; then
		CC=$compiler meson setup "$directory" -Dwerror=true -Dtests=true -Dman=enabled "$@"
	fi
	ninja -C "$directory"
}

# integration NAME: real mounts of one build
integration()
{
	step "real mounts, build $1"
	SSTOREFS_BUILD=$builds/$1 /usr/bin/python3 -m pytest tests/integration -n 4
}

step "format"
git ls-files 'src/*.[ch]' 'include/*.h' 'tests/*.[ch]' | xargs clang-format --dry-run -Werror

build gcc gcc
build clang clang
build sanitizers gcc "${sanitizers[@]}"

step "cppcheck"
# One thread: what is not reentrant does no harm.
cppcheck --quiet --error-exitcode=1 --std=c11 --enable=warning,performance,portability --inline-suppr \
	--suppress=missingIncludeSystem --suppress=getpwnamCalled --suppress=getgrnamCalled --suppress=readdirCalled --library=posix \
	-D_GNU_SOURCE '-DSSTOREFS_VERSION=""' -I include -j 2 src

for name in gcc clang sanitizers; do
	step "unit tests, build $name"
	meson test -C "$builds/$name" --print-errorlogs
done

if compgen -G 'tests/sandbox/test_*.py' >/dev/null; then
	step "the sandbox itself"
	/usr/bin/python3 -m pytest tests/sandbox -n 2
fi

step "contrib/try.sh"
contrib/try.sh

integration gcc
integration sanitizers
step "everything passed"
