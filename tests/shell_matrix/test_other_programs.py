"""Programs that fail by themselves half-way, and programs that store nothing: what is published of theirs (rules 3, 4, 6, 16)."""

import os
import subprocess

import pytest

from environment import Environment
from matrix import OLD

pytestmark = pytest.mark.xdist_group("other programs")
BOTH = ("bash", "dash")
GPG = "gpg -q --no-permission-warning --batch --yes --passphrase x --pinentry-mode loopback"
SSL = "openssl enc -aes-256-cbc -pbkdf2 -pass pass:x"
PLAIN = "".join(f"{line:07d}\n" for line in range(7000)).encode()

# What goes wrong half-way: in which shells, the command, its status, what is published of it.
#
# A program that fails with the file still open publishes nothing. One that has closed it first looks like one that succeeded,
# and neither can the last but one of a pipeline. Where dash publishes and bash does not, dash has opened the file itself and bash in
# the program's own process. These are the man page's caveats: if a line changes, so must they.
NOTHING, HALF = "nothing", "half"
FAILING = [
    (BOTH, '(cat plain; exit 3) > "$NAME"', 3, NOTHING),
    (BOTH, 'cp nothing "$NAME"', 1, NOTHING),
    (BOTH, 'curl -sSf file:///nothing > "$NAME"', 37, NOTHING),
    (BOTH, 'curl -sS -o "$NAME" file:///nothing', 37, NOTHING),
    (("bash",), f'{GPG} -d broken.gpg > "$NAME"', 2, NOTHING),
    (("dash",), f'{GPG} -d broken.gpg > "$NAME"', 2, HALF),
    (("bash",), f'{GPG} -d cut.gpg > "$NAME"', 2, NOTHING),
    (("dash",), f'{GPG} -d cut.gpg > "$NAME"', 2, HALF),
    (BOTH, f'{GPG} -o "$NAME" -d broken.gpg', 2, HALF),
    (BOTH, f'{GPG} -d broken.gpg > new && cp new "$NAME"', 2, NOTHING),
    (BOTH, f'{GPG} -d broken.gpg | cat > "$NAME"', 0, HALF),
    (BOTH, f'{GPG} -d broken.gpg | tee "$NAME" > out', 0, HALF),
    (("bash",), f'set -o pipefail; {GPG} -d broken.gpg | sponge "$NAME"', 2, HALF),
    (("bash",), f'{SSL} -d -in broken.enc > "$NAME"', 1, NOTHING),
    (("dash",), f'{SSL} -d -in broken.enc > "$NAME"', 1, HALF),
    (BOTH, f'{SSL} -d -in broken.enc -out "$NAME"', 1, HALF),
    (("bash",), 'zcat broken.gz > "$NAME"', 1, NOTHING),
    (("dash",), 'zcat broken.gz > "$NAME"', 1, HALF),
    (BOTH, 'cat plain nothing > "$NAME"', 1, HALF),
    (BOTH, """awk 'BEGIN { print "half" > ENVIRON["NAME"]; exit 3 }'""", 3, HALF),
    (BOTH, """node -e 'fs = require("fs"); fs.writeSync(fs.openSync(process.env.NAME, "w"), "half"); process.exit(3)'""", 3, NOTHING),
    (BOTH, """perl -e 'use POSIX; $d = POSIX::creat($ENV{NAME}, 0600); POSIX::write($d, "half", 4); POSIX::_exit(3)'""", 3, NOTHING),
    (BOTH, """perl -e 'open F, ">", $ENV{NAME}; print F "half"; exit 3'""", 3, HALF),
    (BOTH, 'python-that-exits "$NAME"', 3, HALF),
    (BOTH, 'python-that-is-stopped "$NAME"', 3, NOTHING),
]

# What stores nothing, at an existing secret: the command, its status, what it says (None: nothing).
STORES_NOTHING = [
    ('touch "$NAME"', 0, None),
    ('touch -d 2020-01-01 "$NAME"', 0, None),
    ('truncate -s 0 "$NAME"', 0, None),
    ('truncate -s 10 "$NAME"', 1, "Invalid argument"),
    (': > "$NAME"', 0, None),
    ('cp /dev/null "$NAME"', 0, None),
    ('sync "$NAME"', 0, None),
    ('chmod 600 "$NAME"', 0, None),
    ('chmod 664 "$NAME"', 0, None),
    ('chmod 000 "$NAME"', 0, None),
    ('chmod u+s,g+s "$NAME"', 0, None),
    ('chown 0:0 "$NAME"', 0, None),
    ('chown 1:1 "$NAME"', 0, None),
    ('fallocate -l 10 "$NAME"', 1, "Invalid argument"),
    ('setfattr -x user.digest "$NAME"', 0, None),
    ('cat "$NAME"', 1, "Permission denied"),
    ('cp "$NAME" copy', 1, "Permission denied"),
    ('tail -c 1 "$NAME"', 1, "Permission denied"),
    ('grep -c . "$NAME"', 2, "Permission denied"),
    ('sed -i s/a/b/ "$NAME"', 2, "Permission denied"),
    ('perl -i -pe s/a/b/ "$NAME"', 0, "Permission denied"),
    ('set -C; echo a > "$NAME"', 2, "File exists"),
    ('echo a >> "$NAME"', 2, "Operation not supported"),
    ('tee -a "$NAME" < plain', 1, "Operation not supported"),
    ('dd if=plain of="$NAME" conv=excl status=none', 1, "File exists"),
    ('dd if=plain of="$NAME" oflag=append conv=notrunc status=none', 1, "Operation not supported"),
    ('dd if=plain of="$NAME" seek=1 status=none', 1, "Invalid argument"),
    ('cp -n plain "$NAME"', 0, None),
    ('ln "$NAME" "$NAME.2"', 1, "Operation not supported"),
    ('ln -s "$NAME" "$NAME.2"', 1, "Operation not permitted"),
    ('mkfifo "$NAME.2"', 1, "Operation not permitted"),
]


def corrupted(data, at):
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1:]


@pytest.fixture(scope="session")
def place(tmp_path_factory, gnupg_home):
    """A directory with what the commands read: plain, encrypted and packed, whole and corrupt."""
    place = tmp_path_factory.mktemp("place")
    (place / "plain").write_bytes(PLAIN)
    for command in (f"{GPG} -z 0 -o whole.gpg -c plain", f"{SSL} -in plain -out whole.enc", "gzip -c plain > whole.gz"):
        subprocess.run(command, shell=True, check=True, cwd=place, env={**os.environ, "GNUPGHOME": gnupg_home})
    for kind, at in ("gpg", 40000), ("enc", -1), ("gz", -6):
        whole = (place / f"whole.{kind}").read_bytes()
        (place / f"broken.{kind}").write_bytes(corrupted(whole, at % len(whole)))
    (place / "cut.gpg").write_bytes((place / "whole.gpg").read_bytes()[:30000])
    return place


@pytest.fixture(scope="session")
def matrix_environment(tmp_path_factory):
    environment = Environment(tmp_path_factory.mktemp("other_programs"), "fastly")
    environment.start([f"{kind}_{number}_{shell}" for kind, rows in (("failing", FAILING), ("nothing", STORES_NOTHING))
                 for number in range(len(rows)) for shell in BOTH], OLD)
    yield environment
    environment.stop()


@pytest.fixture
def run(matrix_environment, place, gnupg_home):
    def run(shell, command, name):
        programs = f"{os.path.dirname(os.path.abspath(__file__))}/programs"
        return subprocess.run([shell, "-c", command], cwd=place, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL,
                              env={"PATH": f"{programs}:/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C", "GNUPGHOME": gnupg_home,
                                   "NAME": str(matrix_environment.directory("good") / name)})
    return run


@pytest.mark.parametrize("number,shell,command,status,published", [
    pytest.param(number, shell, *row[1:], id=f"{shell}: {row[1].replace(GPG, 'gpg').replace(SSL, 'openssl enc')[:90]}")
    for number, row in enumerate(FAILING) for shell in row[0]])
def test_a_program_fails_half_way(matrix_environment, run, number, shell, command, status, published):
    name = f"failing_{number}_{shell}"
    done = run(shell, command, name)
    assert done.returncode == status, done.stderr
    puts = matrix_environment.calls(name)[0]
    assert len(puts) == (published == HALF)
    assert (matrix_environment.held(name) == OLD) == (published == NOTHING)


@pytest.mark.parametrize("number,command,status,output", [pytest.param(number, *row, id=row[0]) for number, row in enumerate(STORES_NOTHING)])
def test_a_program_stores_nothing(matrix_environment, run, number, command, status, output):
    name = f"nothing_{number}_dash"
    done = run("dash", command, name)
    assert done.returncode == status and (output in done.stderr if output else done.stderr == ""), done.stderr
    assert matrix_environment.held(name) == OLD
    assert matrix_environment.calls(name)[:2] == ([], [])
