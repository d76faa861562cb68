#!/usr/bin/env bash
# Installs what is missing, builds with both compilers, with sanitizers and on Debian 13, runs every
# test. A skip is a failure.
#
#     tests/run.sh            all of it
#
# BUILD_ROOT is where the builds go (build-test in the tree); the output of each step stays there in
# logs/. MODEL_STEPS, SANITIZED_STEPS and SOAK_SECONDS say how long the random tests go on, and
# SANITIZED_ROWS and DEBIAN13_ROWS how much of each table runs on these builds: tests/README.md says
# what is left out.
set -euo pipefail

top=$(cd "$(dirname "$0")/.." && pwd)
cd "$top"
# shellcheck source=contrib/install-dependencies.sh
. contrib/install-dependencies.sh
# shellcheck disable=SC2086 # one word a package
install_missing $build_packages $try_packages $test_packages
install_prometheus_programs
install_npm_packages
install_tools

builds=${BUILD_ROOT:-$top/build-test}
logs=$builds/logs
sanitizers=(-Db_sanitize=address,undefined -Db_lundef=false)
begun=$SECONDS
mkdir -p "$logs"

# step NAME COMMAND…: what the command says is printed in one piece at its end, since another step
# may run beside it.
step()
{
	local name=$1 log=$logs/${1//[ \/]/-}.log at=$SECONDS status=0
	shift
	"$@" >"$log" 2>&1 </dev/null || status=$?
	{
		flock 9
		printf '\n== %s (%d s, ended at %d s)\n' "$name" $((SECONDS - at)) $((SECONDS - begun))
		cat "$log"
		[[ $status == 0 ]] || printf '\n== %s FAILED with status %d\n' "$name" "$status"
	} 9>"$logs/lock"
	return "$status"
}

# beside COMMAND…: a lane, which runs while the others do, in a process group of its own.
lanes=()
beside()
{
	set -m
	("$@") &
	set +m
	lanes+=($!)
}

# Waits for all lanes, so that one failure does not hide another.
join_lanes()
{
	local lane failed=0
	for lane in "${lanes[@]}"; do
		wait "$lane" || failed=1
	done
	lanes=()
	return "$failed"
}

end_lanes()
{
	local lane
	for lane in "${lanes[@]}"; do
		kill -- "-$lane" 2>/dev/null || true
	done
}
trap end_lanes EXIT
trap 'exit 130' INT TERM

# build NAME COMPILER TARGET [MESON OPTION…]
build()
{
	local directory=$builds/$1 compiler=$2 target=$3
	shift 3
	if [[ ! -f $directory/build.ninja ]]; then
		CC=$compiler meson setup "$directory" -Dwerror=true -Dtests=true -Dman=enabled "$@"
	fi
	ninja -C "$directory" "$target"
}

# mounts FOLDER BUILD WORKERS [PYTEST OPTION…]: the tests of one folder, over real mounts of one build
mounts()
{
	local name="tests/$1, build $2" words=("tests/$1" -n "$3" "${@:4}")
	if [[ $2 == debian13 ]]; then
		step "$name" tests/debian13.sh env SSTOREFS_BUILD=build-test/debian13 python3 -m pytest "${words[@]}"
		return
	fi
	# One build logs all that it can (-d), for the search for leaked secrets.
	[[ $2 == gcc ]] && export SSTOREFS_DEBUG=1 || unset SSTOREFS_DEBUG
	SSTOREFS_BUILD=$builds/$2 step "$name" /usr/bin/python3 -m pytest "${words[@]}"
}

check_format()
{
	git ls-files 'src/*.[ch]' 'include/*.h' 'tests/*.[ch]' 'contrib/*.[ch]' | xargs "$pinned_clang_format" --dry-run -Werror
}

check_sources()
{
	# One thread: what is not reentrant does no harm.
	# From 2.17 on cppcheck takes a struct that lives on through its embedded `struct call` or
	# `struct task` for lost: leaks are the sanitizers' business. Without the macros of
	# <sys/queue.h> it cannot parse a list.
	local queue_h
	queue_h=$(echo '#include <sys/queue.h>' | cc -E -M -xc - | grep -o '/[^ ]*sys/queue\.h')
	cppcheck --include="$queue_h" --quiet --error-exitcode=1 --std=c11 --enable=warning,performance,portability --inline-suppr \
		--suppress=missingIncludeSystem --suppress=getpwnamCalled --suppress=getgrnamCalled --suppress=getpwuidCalled --suppress=getgrgidCalled --suppress=readdirCalled \
		'--suppress=memleak:src/fs/*' --suppress=normalCheckLevelMaxBranches --library=posix \
		-D_GNU_SOURCE '-DSSTOREFS_VERSION=""' -I include -j 2 src
}

unit_tests()
{
	# All three at once, and those of the sanitizers take their time.
	meson test -C "$builds/$1" --no-rebuild --print-errorlogs --timeout-multiplier 4
}

try()
{
	local service
	rm -f "$logs/try"
	for service in fastly cloudflare stripe github; do
		contrib/try.sh --service "$service" >>"$logs/try" 2>&1 || {
			cat "$logs/try"
			return 1
		}
	done
	cat "$logs/try"
	# The search for leaked secrets, as pytest does it for its runs.
	if grep -F sandbox-token "$logs/try"; then
		echo "contrib/try.sh shows its token" >&2
		return 1
	fi
}

# What keeps the processors busy.
busy_lane()
{
	mounts integration gcc 2
	mounts shell_matrix gcc 2 --dist loadgroup
	mounts integration sanitizers 2 --rows "${SANITIZED_ROWS:-8}"
	mounts integration debian13 2 --rows "${DEBIAN13_ROWS:-2}"
	mounts model gcc 2
}

# What waits most of its time: for time-outs, for machines to start, for what libraries wipe late.
# These stand one after the other because several look through all processes of the machine.
waiting_lane()
{
	mounts security gcc 2
	# A file at a time: the tests of one share an image, a machine, a package.
	mounts production gcc 2 --dist loadfile
	mounts production sanitizers 2 -k 'test_check.py or test_log.py or test_metrics.py or test_notify.py'
	mounts faults gcc 2
	mounts security debian13 2
	MODEL_STEPS=${SANITIZED_STEPS:-600} mounts model sanitizers 2
	mounts schema gcc 1
	step "the sandbox itself" /usr/bin/python3 -m pytest tests/sandbox -n 2
	# Beside the end of the other lane: it has a processor to itself in neither.
	SOAK_SECONDS=${SOAK_SECONDS:-40} mounts soak gcc 1
}

# Debian's packages are fetched while the processor builds ours.
beside step "Debian 13, the system" tests/debian13.sh prepare
beside step "npm's packages for tests/schema" install_schema_packages
preparing=("${lanes[@]}")
step "format" check_format
step "build gcc" build gcc gcc all
step "build clang" build clang clang all
step "build sanitizers" build sanitizers gcc all "${sanitizers[@]}"
step "build fuzzers" build fuzzers clang fuzzers -Dfuzzers=true "${sanitizers[@]}"
step "cppcheck" check_sources
lanes=("${preparing[@]}")
for name in gcc clang sanitizers; do
	beside step "unit tests, build $name" unit_tests "$name"
done
beside step "fuzzers" env SEED=1 tests/fuzz/run.sh "$builds/fuzzers" 3
join_lanes
step "Debian 13, build and unit tests" tests/debian13.sh build
step "contrib/try.sh" try
beside busy_lane
beside waiting_lane
join_lanes
printf '\n== everything passed (%d s)\n' $((SECONDS - begun))
