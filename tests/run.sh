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
install_promtool
install_npm_packages

builds=${BUILD_ROOT:-$top/build-test}
sanitizers=(-Db_sanitize=address,undefined -Db_lundef=false)
begun=$SECONDS

step()
{
	printf '\n== %s (%d s)\n' "$*" "$((SECONDS - begun))"
}

# build NAME COMPILER TARGET [MESON OPTION…]
build()
{
	local directory=$builds/$1 compiler=$2 target=$3
	shift 3
	step "build $directory"
	if [[ ! -f $directory/build.ninja ]]; then
		CC=$compiler meson setup "$directory" -Dwerror=true -Dtests=true -Dman=enabled "$@"
	fi
	ninja -C "$directory" "$target"
}

# mounts FOLDER BUILD WORKERS [PYTEST OPTION…]: the tests of one folder, over real mounts of one build
mounts()
{
	compgen -G "tests/$1/test_*.py" >/dev/null || return 0
	step "tests/$1, build $2"
	# One build says all that it can (-d), for the canaries.
	[[ $2 == gcc ]] && export SSTOREFS_DEBUG=1 || unset SSTOREFS_DEBUG
	SSTOREFS_BUILD=$builds/$2 /usr/bin/python3 -m pytest "tests/$1" -n "$3" "${@:4}"
}

step "format"
git ls-files 'src/*.[ch]' 'include/*.h' 'tests/*.[ch]' 'contrib/*.[ch]' | xargs clang-format --dry-run -Werror

build gcc gcc all
build clang clang all
build sanitizers gcc all "${sanitizers[@]}"
build fuzzers clang fuzzers -Dfuzzers=true "${sanitizers[@]}"

step "cppcheck"
# One thread: what is not reentrant does no harm.
# From 2.17 on cppcheck takes a struct that lives on through its embedded `struct call` or `struct task` for lost:
# leaks are the sanitizers' business.
cppcheck --quiet --error-exitcode=1 --std=c11 --enable=warning,performance,portability --inline-suppr \
	--suppress=missingIncludeSystem --suppress=getpwnamCalled --suppress=getgrnamCalled --suppress=getpwuidCalled --suppress=getgrgidCalled --suppress=readdirCalled \
	'--suppress=memleak:src/fs/*' --suppress=normalCheckLevelMaxBranches --library=posix \
	-D_GNU_SOURCE '-DSSTOREFS_VERSION=""' -I include -j 2 src

for name in gcc clang sanitizers; do
	step "unit tests, build $name"
	meson test -C "$builds/$name" --print-errorlogs
done

step "fuzzers"
SEED=1 tests/fuzz/run.sh "$builds/fuzzers" 3

step "the sandbox itself"
/usr/bin/python3 -m pytest tests/sandbox -n 2

step "contrib/try.sh"
contrib/try.sh | tee "$builds/try.log"
# What the canaries of pytest do for its runs.
if grep -F sandbox-token "$builds/try.log"; then
	echo "contrib/try.sh shows its token" >&2
	exit 1
fi

mounts integration gcc 4
mounts model gcc 2
mounts integration sanitizers 4
mounts security gcc 3
MODEL_STEPS=1000 mounts model sanitizers 2
# A file at a time: the tests of one share an image, a machine, a package.
mounts production gcc 2 --dist loadfile
mounts shell_matrix gcc 2 --dist loadgroup
mounts faults gcc 2
SOAK_SECONDS=120 mounts soak gcc 1
mounts production sanitizers 2 -k 'test_check.py or test_log.py or test_metrics.py or test_notify.py'
step "everything passed"
