"""Programs that write aside and then rename, as many as Debian and npm have: the value is stored under its real name, and nothing is left under another (rules 14, 15)."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from environment import Environment
from matrix import OLD, SERVICES
from programs import NODE_MODULES

HERE = Path(__file__).resolve().parent
STARTS = ("new", "existing")


@dataclass(frozen=True)
class Way:
    """
    `uploads` is how often a value is sent, on each service: 1 where the temporary file is staged (or there is none), 2 where it is stored first (and Cloudflare copies it by itself
    onto a free name), 0 where the service takes no such name and it looks like no temporary file's: it is refused. `stores` is what is stored; `starts` are the names that it can write to.
    """

    command: str
    uploads: tuple = (1, 1, 1, 1)
    stores: str = "VALUE"
    starts: tuple = STARTS
    program: str = ""  # the program it represents, where that is not at hand


def as_other(how, pattern, program, uploads=(1, 1, 1, 1)):
    return Way(f"aside {how} '{pattern}' \"$NAME\"", uploads, program=program)


TWICE = (2, 2, 2, 2)
DOTTED = (2, 1, 2, 1)  # stored first where the service takes dots
LETTERED = (2, 2, 2, 0)  # GitHub takes capitals, digits and _ alone
NEW = ("new",)  # it reads what is there, which can't be

WAYS = (
    # Shells, and programs that every system has
    Way('echo "$VALUE" > "$NAME.tmp" && mv "$NAME.tmp" "$NAME"', DOTTED),
    Way('echo "$VALUE" > "$NAME.new" && mv -f "$NAME.new" "$NAME"', DOTTED),
    Way('echo "$VALUE" > "$NAME.tmp.$$" && mv "$NAME.tmp.$$" "$NAME"', DOTTED),
    Way('echo "$VALUE" > "$NAME-new" && mv "$NAME-new" "$NAME"', LETTERED),
    Way('echo "$VALUE" > "${NAME}_NEW" && mv "${NAME}_NEW" "$NAME"', TWICE),
    Way('echo "$VALUE" > "$DIR/.$BASE.tmp" && mv "$DIR/.$BASE.tmp" "$NAME"', DOTTED),
    Way('T=$(mktemp "$NAME.XXXXXX") && echo "$VALUE" > "$T" && mv "$T" "$NAME"'),
    Way('T=$(mktemp -p "$DIR") && echo "$VALUE" > "$T" && mv "$T" "$NAME"'),
    Way('T=$(mktemp "$NAME-XXXXXXXX") && cat "$FILE" > "$T" && mv "$T" "$NAME"', LETTERED),
    Way('cp "$FILE" "$NAME.tmp" && mv "$NAME.tmp" "$NAME"'),
    Way('cp "$FILE" "$NAME.new" && mv "$NAME.new" "$NAME"', DOTTED),
    Way('install -m 600 "$FILE" "$NAME.tmp" && mv -T "$NAME.tmp" "$NAME"'),
    Way('tee "$NAME.partial" < "$FILE" > out && mv "$NAME.partial" "$NAME"', DOTTED),
    Way('dd if="$FILE" of="$NAME.part" status=none conv=fsync && mv "$NAME.part" "$NAME"', DOTTED),
    Way('openssl enc -base64 -d -A -in "$FILE.base64" -out "$NAME.tmp" && mv "$NAME.tmp" "$NAME"', DOTTED),
    Way('sponge "$NAME" < "$FILE"'),
    # Programs that transfer
    Way('rsync -a "$FILE" "$NAME"'),
    Way('rsync --partial-dir=.rsync-partial "$FILE" "$NAME"'),
    Way('rsync -a --delay-updates "$FILE" "$NAME"'),
    Way('curl -sS -o "$NAME.part" "file://$FILE" && mv "$NAME.part" "$NAME"', DOTTED),
    Way('lftp -c "set xfer:use-temp-file yes; get -e file://$FILE -o $NAME"'),
    Way('printf "put %s %s\\nrename %s %s\\n" "$FILE" "$NAME.part" "$NAME.part" "$NAME" | sftp -q -b - -D /usr/lib/openssh/sftp-server', DOTTED),
    Way('ansible -i localhost, -c local -m copy -a "content=$VALUE dest=$NAME mode=600" localhost > out'),
    # Editors
    Way('vim.tiny -es -u NONE "$FILE" -c "set backupcopy=no writebackup" -c "w! $NAME" -c q'),
    Way('vim.tiny -es -u NONE "$FILE" -c "set backupcopy=yes nowritebackup" -c "w! $NAME" -c q'),
    Way("""emacs -Q --batch --eval '(with-temp-file (getenv "NAME") (insert (getenv "VALUE")))'"""),
    Way("""emacs -Q --batch --eval '(progn (setq file-precious-flag t) (find-file (getenv "NAME")) (insert (getenv "VALUE")) (save-buffer))'""", LETTERED, starts=NEW),
    # What keeps its files by itself
    Way('git config -f "$NAME" a.b "$VALUE"', stores="[a]\n\tb = VALUE\n", starts=NEW),
    Way('printf "protocol=https\\nhost=a\\nusername=u\\npassword=%s\\n" "$VALUE" | git credential-store --file "$NAME" store', stores="https://u:VALUE@a", starts=NEW),
    # Languages
    Way('python-aside NamedTemporaryFile "$NAME"'),
    Way('python-aside "with a prefix" "$NAME"', LETTERED),
    Way('python-aside "with a dotted prefix" "$NAME"'),
    Way('python-aside "with a suffix" "$NAME"'),
    Way('python-aside "for bytes" "$NAME"', DOTTED),
    Way('python-aside "renamed while it is open" "$NAME"', LETTERED),
    Way('python-aside write_text "$NAME"', DOTTED),
    Way('python-aside GLib "$NAME"'),
    Way('python-aside Gio "$NAME"'),
    Way('perl-aside File::Temp "$NAME"', LETTERED),
    Way('perl-aside "with a template" "$NAME"'),
    Way('perl-aside Path::Tiny "$NAME"', TWICE),
    Way('perl-aside open "$NAME"', DOTTED),
    Way('ruby-aside Tempfile "$NAME"'),
    Way('ruby-aside write "$NAME"', DOTTED),
    Way('php-aside "$NAME"', LETTERED),
    Way('node-aside fs "$NAME"', DOTTED),
    Way('node-aside write-file-atomic "$NAME"', DOTTED),
    Way('node-aside "write-file-atomic sync" "$NAME"', DOTTED),
    Way('node-aside atomically "$NAME"', DOTTED),
    Way('node-aside "atomically sync" "$NAME"', DOTTED),
    Way('node-aside steno "$NAME"', DOTTED),
    Way('node-aside tmp "$NAME"'),
    Way('java $PROGRAMS/Aside.java File "$NAME"'),
    Way('java $PROGRAMS/Aside.java Files "$NAME"'),
    Way('java $PROGRAMS/Aside.java plain "$NAME"', TWICE),
    # Programs that are too large to be had for this, or that take another machine: their names and their flags
    as_other("mkstemp", "NAME999999999", "Go: os.CreateTemp"),
    as_other("mkstemp", ".tmpXXXXXX", "Rust: tempfile, cargo"),
    as_other("mkstemp", ".tmp-NAME999999999", "docker: its configuration"),
    as_other("mkstemp", ".com.google.Chrome.XXXXXX", "Chromium"),
    as_other("mkstemp", ".#NAMEhhhhhhhhhhhhhhhh", "systemd"),
    as_other("mkstemp", "sedXXXXXX", "sed -i, of what it may read"),
    as_other("excl", "NAME.dpkg-new", "dpkg"),
    as_other("plain", "NAME.part", "yt-dlp, browsers", DOTTED),
    as_other("plain", "NAME.tmpahhhh", "CMake: configure_file", DOTTED),
    as_other("mkstemp", ".tempXXXXX", "Perl: File::Slurp"),
)


@pytest.fixture(scope="module", params=[pytest.param(service, marks=pytest.mark.xdist_group(f"rename ways of {service}")) for service in SERVICES])
def ways_environment(request, tmp_path_factory):
    environment = Environment(tmp_path_factory.mktemp("rename_ways"), request.param)
    environment.start([name_of(number, "existing") for number in range(len(WAYS))], OLD)
    yield environment
    environment.stop()


def name_of(number, start):
    return f"WAY_{number}_{start.upper()}"


def cases():
    for number, way in enumerate(WAYS):
        for start in way.starts:
            yield pytest.param(number, start, id=f"{start}: {way.program or way.command}"[:110])


class Seen:
    """What is at the service, and what was sent since the last look."""

    def __init__(self, environment):
        self.environment = environment
        environment.sandbox.clear()
        self.before = self.names()

    def names(self):
        """As the service lists them, and what is here and not there."""
        (self.environment.mounts["good"].path / ".sstorefs/refresh").write_text("x")
        return set(os.listdir(self.environment.directory("good")))

    def uploads(self):
        return len(self.environment.sandbox.upload_records())


def environment(environment, name, work, value):
    file = work / "file"
    file.write_text(value)
    subprocess.run(f"base64 -w0 {file} > {file}.base64", shell=True, check=True)
    return {"PATH": f"{HERE}/programs:/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C.UTF-8", "HOME": str(work), "PROGRAMS": f"{HERE}/programs", "BASE": name,
            "NAME": str(environment.directory("good") / name), "DIR": str(environment.directory("good")), "FILE": str(file), "VALUE": value, "NODE_MODULES": str(NODE_MODULES),
            "GIT_CONFIG_NOSYSTEM": "1"}


def uploads_of(way, service, start):
    return 1 if service == "cloudflare" and start == "new" else way.uploads[SERVICES.index(service)]


# What has to read what it has written, or what is there: it fails, says so, and nothing is stored.
CANNOT = (
    ('git config -f "$NAME" a.b "$VALUE"', "Permission denied"),
    ('sed -i "s/.*/$VALUE/" "$NAME"', "Permission denied"),
    ('mkdir from && cp "$FILE" "from/$BASE" && unison -batch -ui text from "$DIR" -path "$BASE" -force from', "Permission denied"),
)


@pytest.mark.parametrize("command,output", CANNOT)
def test_what_has_to_read_fails_and_stores_nothing(ways_environment, tmp_path, command, output):
    name = name_of(0, "existing")
    before = ways_environment.held(name)
    seen = Seen(ways_environment)
    done = subprocess.run(["bash", "-c", command], cwd=tmp_path, env=environment(ways_environment, name, tmp_path, "value"), stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=60)
    assert done.returncode != 0 and output in done.stdout + done.stderr
    assert ways_environment.held(name) == before and seen.names() == seen.before and seen.uploads() == 0


def check_refused(environment, name, before, done):
    """What the service cannot call a secret, and what is no temporary file, is said at once; the name that was there is."""
    said = environment.mounts["good"].control("errors").splitlines()[0].split("\t")
    assert said[1] == "open" and said[3] == "EINVAL" and "capitals" in said[-1], (said, done.stderr)
    assert done.returncode != 0 and environment.held(name) == before


@pytest.mark.parametrize("number,start", cases())
def test_the_value_is_stored_and_nothing_is_left(ways_environment, tmp_path, number, start):
    way, name, value = WAYS[number], name_of(number, start), f"{os.urandom(8).hex()}_of_{number}"
    before, seen = ways_environment.held(name), Seen(ways_environment)
    done = subprocess.run(["bash", "-c", way.command], cwd=tmp_path, env=environment(ways_environment, name, tmp_path, value), stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=60)
    uploads = uploads_of(way, ways_environment.service, start)
    if not uploads and not seen.uploads():
        check_refused(ways_environment, name, before, done)
    else:  # seldom a name that is drawn has capitals and digits alone
        assert done.returncode == 0, done.stdout + done.stderr
        assert ways_environment.held(name) == way.stores.replace("VALUE", value).encode(), done.stderr
        assert seen.uploads() == (uploads or 2), done.stderr
    left = seen.names() - seen.before - {name}
    assert not left, done.stderr
