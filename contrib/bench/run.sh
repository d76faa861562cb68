#!/bin/sh
# Installs what is missing, builds, measures, and writes a table and plots into a folder; options are those of bench.py.
#
#     contrib/bench/run.sh [--quick] [--output FOLDER] [--only GROUP…]
set -eu

here=$(cd "$(dirname "$0")" && pwd)
if [ "$(id -u)" != 0 ]; then
	echo "run.sh: mounting needs root: trying sudo"
	exec sudo "$here/run.sh" "$@"
fi

# shellcheck source=contrib/install-dependencies.sh
. "$here/../install-dependencies.sh"
# shellcheck disable=SC2086 # one word a package
install_missing $build_packages $try_packages $bench_packages
exec /usr/bin/python3 "$here/bench.py" "$@"
