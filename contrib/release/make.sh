#!/bin/sh
# Makes a signed source release of the commit that is checked out: sstorefs-VERSION.tar.xz, its SHA256SUMS, and a detached
# signature of each. The archive depends on the commit alone: the repository is enough to make it again and compare.
#
#     contrib/release/make.sh [--key KEY] [DIRECTORY]
#
# KEY is gpg's name of the key (gpg's default key without it); DIRECTORY receives the files (the current one). The version is
# meson.build's; the commit must have the tag vVERSION, and no file may be changed.
set -eu

key=
if [ "${1-}" = --key ]; then
	key=${2?"release: --key needs the name of a key"}
	shift 2
fi
to=$(cd "${1-.}" && pwd)
cd "$(dirname "$0")/../.."

die()
{
	echo "release: $*" >&2
	exit 1
}

version=$(sed -n "s/^  version: '\(.*\)',/\1/p" meson.build)
name=sstorefs-$version
[ -z "$(git status --porcelain)" ] || die "files are changed: commit them, or put them away"
[ "$(git rev-parse -q --verify "v$version^{commit}")" = "$(git rev-parse HEAD)" ] ||
	die "this commit has no tag v$version: git tag -s v$version"
grep -q "^## \[*$version" CHANGELOG.md || die "CHANGELOG.md has no chapter $version"

git archive --format=tar --prefix="$name/" HEAD | xz --threads=1 >"$to/$name.tar.xz"
cd "$to"
sha256sum "$name.tar.xz" >SHA256SUMS
for file in "$name.tar.xz" SHA256SUMS; do
	rm -f "$file.asc"
	gpg --batch ${key:+--local-user "$key"} --armor --detach-sign "$file" || die "gpg did not sign $file"
	gpg --batch --verify "$file.asc" "$file" 2>/dev/null || die "the signature of $file is not good"
done
printf '%s\n' "$to/$name.tar.xz" "$to/$name.tar.xz.asc" "$to/SHA256SUMS" "$to/SHA256SUMS.asc"
