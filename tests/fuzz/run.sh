#!/usr/bin/env bash
# Runs the fuzzers of a build (clang, -Dfuzzers=true -Db_sanitize=address,undefined).
#
#     tests/fuzz/run.sh BUILD [SECONDS [TARGET…]]      each target so long, 3 seconds by default
#     RUNS=10000000 tests/fuzz/run.sh BUILD 0 TARGET…  so many runs
#     SEED=1                                           the same inputs each time
#     CORPUS=DIRECTORY                                 keeps what is found there, and begins with it next time
#
# Whatever is found is written to DIRECTORY or a temporary one, and named; the status is then 1.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
build=${1:?which build?}
seconds=${2:-3}
shift $(($# < 2 ? $# : 2))
kept=${CORPUS:-$(mktemp -d)}
[[ -n ${CORPUS:-} ]] || trap 'rm -rf "$kept"' EXIT

targets=("$@")
if [[ ${#targets[@]} -eq 0 ]]; then
	for program in "$build"/tests/fuzz/fuzz-*; do
		[[ -f $program && -x $program ]] && targets+=("${program##*/fuzz-}")
	done
fi

# Small blocks come and go by the thousand: what was freed need not be watched for so long.
export ASAN_OPTIONS=quarantine_size_mb=8:malloc_context_size=10:detect_leaks=1
export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1

failed=
for target in "${targets[@]}"; do
	mkdir -p "$kept/$target"
	words=(-timeout=20 -rss_limit_mb=3000 -max_len=4096 -entropic=0 -print_final_stats=1)
	words+=(-max_total_time="$seconds" -runs="${RUNS:--1}" -artifact_prefix="$kept/$target-")
	[[ -n ${SEED:-} ]] && words+=(-seed="$SEED")
	[[ -f $here/$target.dict ]] && words+=(-dict="$here/$target.dict")
	seeds=()
	[[ -d $here/corpus/$target ]] && seeds+=("$here/corpus/$target")
	if "$build/tests/fuzz/fuzz-$target" "${words[@]}" "$kept/$target" "${seeds[@]}" >"$kept/$target.log" 2>&1; then
		printf '%-14s %10s runs\n' "$target" "$(sed -n 's/^stat::number_of_executed_units: *//p' "$kept/$target.log")"
	else
		failed=yes
		tail -n 60 "$kept/$target.log"
		printf '%s: something was found:' "$target"
		for found in "$kept/$target"-*; do
			[[ -f $found ]] && printf ' %s' "$found" && base64 -w0 "$found"
		done
		printf '\n'
	fi
done
[[ -z $failed ]]
