"""The matrix: reads its table, and runs its commands at a mount. What is to be expected is the table's and test_matrix.py's."""

import base64
import hashlib
import os
import platform
import re
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from waiting import TIMEOUT

HERE = Path(__file__).resolve().parent
OLD = b"the old value"
VALUE_MAX = 65536  # bytes; no service takes more

SERVICES = ("fastly", "cloudflare", "stripe", "github")


@dataclass(frozen=True)
class Row:
    """One line of the table; `cells` by column."""

    number: int
    shells: tuple
    starts: tuple
    unlinks: bool
    stores: str
    cells: dict
    command: str

    def __str__(self):
        return self.command.replace("⏎", " ")

    def cell(self, column, shell):
        """`told:1/2` is told:1 in bash and told:2 in dash; `told:1/hidden` has another word, too."""
        alternatives = self.cells[column].split("/")
        word = alternatives[min(self.shells.index(shell), len(alternatives) - 1)]
        return f"{alternatives[0].partition(':')[0]}:{word}" if word.isdigit() and ":" in alternatives[0] else word


SHELLS = {"both": ("bash", "dash"), "bash": ("bash",), "dash": ("dash",)}
STARTS = {"any": ("existing", "new"), "unlinks": ("existing", "new"), "existing": ("existing",), "new": ("new",)}
# testing and unstable have no number, and what is newer than 12.
RELEASE = "12" if int(platform.freedesktop_os_release().get("VERSION_ID", 13)) <= 12 else "13"
CELLS = ("open", "WRITE", "published", "answered", "killed", "sync")


def read_table(path):
    rows = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if line and not line.startswith("#"):
            shells, start, stores, *cells, command = re.split(" {2,}", line, maxsplit=3 + len(CELLS))
            shells, _, release = shells.partition("@")
            if release not in ("", RELEASE):
                continue
            cells = dict(zip(CELLS, cells, strict=True))
            rows.append(Row(number, SHELLS[shells], STARTS[start], start == "unlinks", stores, cells, command))
    return rows


@dataclass
class Run:
    """One command in one shell on one name, in one column."""

    row: Row
    shell: str
    start: str
    column: str
    name: str
    status: int = None
    stderr: str = ""
    value: bytes = b""
    text: bytes = b""
    errors: list = field(default_factory=list)
    synced: list = field(default_factory=list)
    puts: list = field(default_factory=list)
    deletes: list = field(default_factory=list)
    others: list = field(default_factory=list)
    held: bytes = None
    state: str = None
    failure: Exception = None  # what the test itself could not do

    @property
    def stored(self):
        """What the service should hold when all went well."""
        template = self.row.stores.replace("\\n", "\n").encode()
        return template.replace(b"VALUE", self.value).replace(b"FILE", self.text)

    @property
    def cannot_be_killed(self):
        """On its way out with the file open: then the kernel interrupts nothing any more, and the upload goes on."""
        return self.column == "killed uploading" and self.row.cell("killed", self.shell) == "0"

    @property
    def before(self):
        """What the service should hold when nothing was stored."""
        unlinked = self.row.unlinks and self.column != "open"
        return OLD if self.start == "existing" and not unlinked else None

    def outcome(self, why):
        """How the user learns of it, in the table's words; `why` are the words of the cause."""
        explained = any(word in self.stderr for word in why)
        if self.status == 0:
            return "shown" if self.stderr else "hidden"
        return f"{'told' if explained else 'said' if self.stderr else 'mute'}:{self.status}"


class Workplace:
    """A directory with all that an command may need, and its environment."""

    def __init__(self, path, run, mount_directory, gnupg_home):
        self.path = path
        self.gnupg_home = gnupg_home
        path.mkdir()
        name = mount_directory / run.name
        file = path / "file"
        file.write_bytes(run.text)
        command = run.row.command
        if ".base64" in command:
            Path(f"{file}.base64").write_bytes(base64.b64encode(run.text))
        if ".gpg" in command:
            self._gpg("-o", f"{file}.gpg", "-c", file)
        self.environment = {
            "PATH": f"{HERE}/programs:/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C", "HOME": str(path), "NAME": str(name),
            "DIR": str(mount_directory), "BASE": run.name, "FILE": str(file), "VALUE": run.value.decode(),
            "TEXT": run.text.decode().removesuffix("\n"), "GNUPGHOME": str(gnupg_home),
        }

    def _gpg(self, *arguments):
        subprocess.run(["gpg", "--batch", "--quiet", "--homedir", self.gnupg_home, "--passphrase", "x", "--pinentry-mode", "loopback",
                        *arguments], check=True, capture_output=True)

    def command(self, run, *before):
        return subprocess.Popen([*map(str, before), run.shell, "-c", run.row.command.replace("⏎", "\n")], cwd=self.path,
                                env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                stderr=subprocess.PIPE, text=True, errors="replace", process_group=0)


# What goes wrong, and in which mount.
COLUMNS = {
    "works": "good",
    "open": "refused",
    "WRITE": "good",
    "published": "good",
    "answered": "short_timeout",
    "answered once": "good",
    "killed writing": "good",
    "killed uploading": "good",
}
FAULTS = {
    "published": {"status": 403, "detail": "not by you"},
    "answered": {"reset": "after"},
    "answered once": {"reset": "after", "times": 1},
    "killed uploading": {"hang": "forever"},
}
AT_ONCE = 8
# More than one block of dd's, and with a value before it still less than Stripe's 5000 characters.
LINES = "".join(f"~ line {line:03d} of many\n" for line in range(2, 80)).encode()


class Matrix:
    """Runs each column of the rows that are asked for when the first of its results is."""

    def __init__(self, environment, work, runs, kill_after_write, gnupg_home):
        self.environment = environment
        self.work = work
        self.gnupg_home = gnupg_home
        self.kill_after_write = kill_after_write
        self.runs = {column: [run for run in runs if run.column == column] for column in COLUMNS}
        self.done = set()
        for run in runs:
            size = VALUE_MAX + 2 if run.column == "WRITE" else 0
            # Nothing of its name, which may be said everywhere.
            run.value = hashlib.blake2b(run.name.encode(), digest_size=8).hexdigest().encode().ljust(size, b"x")
            run.text = run.value + b"\n" + LINES

    def start(self):
        existing = [run.name for runs in self.runs.values() for run in runs if run.start == "existing"]
        self.environment.start(existing, OLD)

    def column(self, column):
        """Several at once, but those of one column only: the next may want another mood of the service."""
        if column in self.done:
            return
        self.done.add(column)
        runs = self.runs[column]
        while runs:
            with ThreadPoolExecutor(len(runs) if column == "answered" else AT_ONCE) as pool:
                list(pool.map(self._try, runs))
            runs = [run for run in runs if column == "answered" and self._came_too_late(run)]

    def _came_too_late(self, run):
        """Others had failed for good before it was opened, so it was refused there: it has to be run again, by another name."""
        if not any(line[1] == "open" for line in run.errors):
            return False
        run.name += "_AGAIN"
        if run.start == "existing":
            self.environment.put(run.name, OLD)
        self.environment.wait_until_up("short_timeout")
        return True

    def _try(self, run):
        """What one command's run can't do is no other's failure."""
        try:
            self._run(run)
        except Exception as why:  # pylint: disable=broad-except
            run.failure = why

    def _run(self, run):
        mount = self.environment.mounts[COLUMNS[run.column]]
        directory = self.environment.directory(COLUMNS[run.column])
        place = Workplace(self.work / run.name, run, directory, self.gnupg_home)
        if run.column in FAULTS:
            self.environment.fault(f"{run.name}*", **FAULTS[run.column] | ({"hang": 2} if run.cannot_be_killed else {}))
        writer = place.command(run, *((self.kill_after_write, mount.path) if run.column == "killed writing" else ()))
        try:
            if run.column == "killed uploading":
                self.environment.wait_for_upload(run.name)
                os.killpg(writer.pid, signal.SIGKILL)
            run.stderr = writer.communicate(timeout=TIMEOUT)[1]
        finally:
            if writer.poll() is None:
                os.killpg(writer.pid, signal.SIGKILL)
        run.status = writer.returncode
        self._look(run, directory / run.name, mount)

    def _look(self, run, path, mount):
        lines = [line.split("\t") for line in mount.control("errors").splitlines()]
        run.errors = [line for line in lines if f"{run.name}." in f"{line[2]}."]
        if run.column in ("published", "answered"):
            run.state = _state(path)
        if run.column in ("published", "answered"):
            run.synced = [subprocess.run(["sync", path], capture_output=True, text=True, env={"LC_ALL": "C"}) for _ in range(2)]
        if run.column.startswith("killed"):
            self.environment.wait_for_end_of_calls(run.name)
        run.puts, run.deletes, run.others = self.environment.calls(run.name)
        run.held = self.environment.held(run.name)


def _state(path):
    try:
        return os.getxattr(path, "user.sstorefs.state").decode()
    except FileNotFoundError:
        return None
