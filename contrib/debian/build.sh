#!/bin/sh
# Builds a Debian package of this tree with Debian's own tools, and prints its path.
#
#     contrib/debian/build.sh [DIRECTORY]
#
# DIRECTORY receives the package; default: the current directory. The tree is not changed. The maintainer of the package is
# DEBFULLNAME <DEBEMAIL>, or git's user.name and user.email.
set -eu

top=$(cd "$(dirname "$0")/../.." && pwd)
to=$(cd "${1-.}" && pwd)
# shellcheck source=contrib/install-dependencies.sh
. "$top/contrib/install-dependencies.sh"
# shellcheck disable=SC2086 # one word a package
install_missing $build_packages $package_packages >&2

work=$(mktemp -d /tmp/sstorefs-package.XXXXXX)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# What is part of the project, as it is now; of an unpacked archive everything is.
mkdir "$work/sstorefs"
cd "$top"
if git rev-parse --git-dir >/dev/null 2>&1; then
	# shellcheck disable=SC2016 # the inner shell expands it
	git ls-files -z --cached --others --exclude-standard | xargs -0 sh -c 'for file; do [ ! -e "$file" ] || printf "%s\\0" "$file"; done' sh
else
	find . -path './build*' -prune -o ! -type d -print0
fi | tar --null -c -T - | tar -x -C "$work/sstorefs"

cd "$work/sstorefs"
cp -r contrib/debian debian
rm debian/build.sh
version=$(sed -n "s/^  version: '\(.*\)',/\1/p" meson.build)
SOURCE_DATE_EPOCH=$(git -C "$top" log -1 --format=%ct 2>/dev/null || stat -c %Y "$top/CHANGELOG.md")
export SOURCE_DATE_EPOCH
name=${DEBFULLNAME:-$(git -C "$top" config user.name || echo "sstorefs developers")}
address=${DEBEMAIL:-$(git -C "$top" config user.email || echo sstorefs@sstorefs.example)}
maintainer="$name <$address>"
sed -i "s/@MAINTAINER@/$(printf %s "$maintainer" | sed 's/[\\&/]/\\&/g')/" debian/control
cat >debian/changelog <<CHANGELOG
sstorefs ($version-1) UNRELEASED; urgency=medium

  * See CHANGELOG.md.

 -- $maintainer  $(date -u -R -d "@$SOURCE_DATE_EPOCH")
CHANGELOG

dpkg-buildpackage --build=binary --no-sign >"$work/log" 2>&1 || {
	cat "$work/log" >&2
	exit 1
}
for package in "$work"/sstorefs_*.deb; do
	cp "$package" "$to/"
	echo "$to/$(basename "$package")"
done
