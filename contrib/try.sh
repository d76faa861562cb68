#!/bin/sh
# Builds sstorefs, mounts the emulator of the service, and writes and describes a secret. Needs no account, and no network but for Debian's packages.
#
#     contrib/try.sh [--service SERVICE] [--keep]
set -eu

here=$(cd "$(dirname "$0")" && pwd)
top=$(dirname "$here")
keep=
service=fastly

show_help()
{
	cat <<'HELP'
usage: contrib/try.sh [--service SERVICE] [--keep]

Builds sstorefs, mounts the emulator of the service, and writes and describes a secret. Needs no
account, and no network but for Debian's packages. The program that it mounts is the one that it has
just built, whatever is installed.

  --service SERVICE   fastly (the default), cloudflare, stripe or github
  --keep              leave it mounted, and print how to end it
  BUILD=DIR           (a variable) the build directory, instead of `build`
HELP
}

refuse()
{
	echo "try.sh: $1: see contrib/try.sh --help" >&2
	exit 1
}

given=$*
while [ $# -gt 0 ]; do
	case $1 in
	--keep) keep=1 ;;
	--service)
		[ $# -gt 1 ] || refuse "--service needs the name of one"
		service=$2
		shift
		;;
	-h | --help)
		show_help
		exit 0
		;;
	*) refuse "unexpected '$1'" ;;
	esac
	shift
done
# What differs between the services: the source, the end of the address, the operation that sends a value, whether it is sealed,
# and a directory for it.
case $service in
fastly) source=fastly: path='' put=put_secret sealed=yes store=store ;;
cloudflare) source=cloudflare:ACCOUNT path=/client/v4 put=create_secrets sealed=no store=store ;;
stripe) source=stripe: path='' put=set_secret sealed=no store=usr_1 ;;
github) source=github:octo/app path='' put=put_secret sealed=yes store=store ;;
*) refuse "there is no service '$service'" ;;
esac
if [ "$(id -u)" != 0 ]; then
	command -v sudo >/dev/null || {
		echo "try.sh: mounting needs root, and there is no sudo: run it as root" >&2
		exit 1
	}
	echo "try.sh: mounting needs root: trying sudo"
	# shellcheck disable=SC2086 # no argument has a blank
	exec sudo "$here/try.sh" $given
fi

# shellcheck source=contrib/install-dependencies.sh
. "$here/install-dependencies.sh"
# shellcheck disable=SC2086 # one word a package
install_missing $build_packages $try_packages

work=$(mktemp -d /tmp/sstorefs-try.XXXXXX)
mountpoint=$work/mnt
sandbox=
daemon=

say()
{
	printf '\n# %s\n' "$*"
}

# Prints a command, then runs it. A failure ends the script.
run()
{
	printf '$ %s\n' "$1"
	eval "$1"
}

die()
{
	printf 'try.sh: %s\n' "$*" >&2
	exit 1
}

clean_up()
{
	status=$?
	trap - EXIT INT TERM
	set +e
	if [ -n "$keep" ] && [ "$status" = 0 ]; then
		exit 0
	fi
	if mountpoint -q "$mountpoint" 2>/dev/null; then
		umount "$mountpoint" || umount -l "$mountpoint"
	fi
	if [ -n "$daemon" ]; then
		timeout 40 tail -f --pid="$daemon" /dev/null || {
			echo "try.sh: the daemon (process $daemon) did not end" >&2
			kill -KILL "$daemon"
			status=1
		}
	fi
	if [ -n "$sandbox" ]; then
		kill "$sandbox" 2>/dev/null
		wait "$sandbox"
	fi
	chattr -i "$mountpoint" 2>/dev/null
	rm -rf "$work"
	exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

[ -c /dev/fuse ] || modprobe fuse 2>/dev/null || die "there is no /dev/fuse: load the kernel module 'fuse' and try again"
mkdir "$mountpoint"
# What root writes while nothing is mounted would lie there in clear text.
chattr +i "$mountpoint" 2>/dev/null || true

say "build"
cd "$top"
build=${BUILD:-build}
if [ ! -d "$build" ]; then
	run "meson setup $build -Dtests=false -Dman=disabled >/dev/null"
fi
printf '$ %s\n' "ninja -C $build"
ninja -C "$build" sstorefs >"$work/build.log" 2>&1 || {
	cat "$work/build.log" >&2
	die "the build failed"
}
tail -n 1 "$work/build.log"
say "a sandbox that behaves like the service"
(
	umask 077
	echo "token-for-trying" >"$work/token"
)
mkfifo "$work/ready"
/usr/bin/python3 contrib/sandbox --listen 127.0.0.1:0 --token token-for-trying >"$work/ready" 2>"$work/sandbox.log" &
sandbox=$!
# Lines as it prints them; it stays open, so that the sandbox can write more.
exec 9<"$work/ready"
read -r line <&9 || {
	cat "$work/sandbox.log" >&2
	die "the sandbox did not start"
}
printf '%s\n' "$line"
endpoint=${line#listening on }
read -r line <&9
printf '%s\n' "$line"
options=endpoint=$endpoint$path
[ "$service" != fastly ] || options=$options,signing_key=${line#signing_key=}
read -r line <&9
[ "$service" != cloudflare ] || source=cloudflare:${line#account=}

say "mount it"
# The type fuse.sstorefs would mount the program that is installed.
program=$(realpath "$build")/sstorefs
echo "# (once it is installed: mount -t fuse.sstorefs $source $mountpoint -o …)"
run "mount -t fuse '$program#$source' $mountpoint -o token_file=$work/token,$options"
daemon=$(pgrep -f "sstorefs $source $mountpoint" | head -n 1) || die "the daemon is not there"
cd "$mountpoint/.."

say "a store is a directory, a secret is a write-only file"
run "mkdir mnt/$store"
run "echo val > mnt/$store/NAME"
run "ls -l mnt/$store"
run "getfattr -d mnt/$store/NAME" | tee "$work/attributes"
for name in user.digest user.created_at user.expires_at; do
	grep -q "^$name=" "$work/attributes" || die "there is no $name"
done

say "nothing reads it back"
printf '$ %s\n' "cat mnt/$store/NAME"
if cat "mnt/$store/NAME" 2>&1; then
	die "the value came back out"
fi

say "what the service received"
ENDPOINT=$endpoint OPERATION=$service.$put SEALED=$sealed STORE=$store /usr/bin/python3 - <<'PYTHON' || die "that is not what the service was to receive"
import base64, json, os, sys, urllib.request

def ask(what):
    with urllib.request.urlopen(f"{os.environ['ENDPOINT']}/_sandbox/{what}") as answer:
        return json.load(answer)

puts = ask("calls?operation=" + os.environ["OPERATION"])
uploads = ask("uploads?name=NAME")
for call in puts:
    print(f"{call['method']} {call['path']}: {call['status']}")
for upload in uploads:
    how = "sealed" if upload["sealed"] else "protected by TLS alone"
    print(f"value {base64.b64decode(upload['value_base64'])!r}, {how}, in store {upload['store']!r}")
good = (len(puts) == len(uploads) == 1 and uploads[0]["sealed"] == (os.environ["SEALED"] == "yes")
        and base64.b64decode(uploads[0]["value_base64"]) == b"val" and os.environ["STORE"] in uploads[0]["store"])
sys.exit(not good)
PYTHON

cd /
if [ -n "$keep" ]; then
	say "it stays mounted on $mountpoint; to end it:"
	echo "umount $mountpoint && kill $sandbox; chattr -f -i $mountpoint; rm -r $work"
else
	say "unmount it"
	run "umount $mountpoint"
	echo
	echo "All of it held: 'val' was stored by one request, described, and not readable."
fi
