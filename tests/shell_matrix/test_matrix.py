"""
Every writer, and everything that can go wrong with it: the table is matrix.table, which explains its columns.

Of each line it is checked, at Fastly, Cloudflare, Stripe and GitHub:

- works: status 0, not a word; one upload, with exactly these bytes; for new names and for existing ones.
- open, WRITE, published: the program says what the table says; the old value stays, a new name leaves no file; nothing is sent
  (published: once, and never again); .sstorefs/errors has a line with the cause. After `published`, `sync NAME` says it once more,
  to the program that did not get the reply.
- answered: the value arrives, but no reply to it does: the program fails, or `sync NAME` does. answered once: one reply is lost,
  and no program notices: the call is made again, or what was created is found.
- killed: by SIGKILL, after its first write: nothing is sent; during the upload: the wait ends at once, and the old value stays.
"""

import re
import signal

import pytest

from environment import Environment
from matrix import COLUMNS, HERE, SERVICES, Matrix, Run, read_table

ROWS = read_table(HERE / "matrix.table")

# Texts of which a program's message has one, and the errors in .sstorefs/errors.
WHY = {
    "open": (("Permission denied", "EACCES"), {"EACCES"}),
    "WRITE": (("File too large", "EFBIG"), {"EFBIG"}),
    "published": (("Permission denied", "EACCES"), {"EACCES"}),
    "answered": (("Input/output error", "I/O error", "Connection timed out", "ETIMEDOUT", "EIO"), {"EIO", "ETIMEDOUT"}),
}


# Their one verb creates and replaces.
UPSERTS = ("stripe", "github")


def all_runs():
    for row in ROWS:
        for shell in row.shells:
            for column in COLUMNS:
                for start in row.starts if column == "works" else row.starts[:1]:
                    yield Run(row, shell, start, column, re.sub(r"\W", "_", f"{column}_{row.number}_{shell}_{start}".upper()))


def cases(*columns):
    return [pytest.param(service, run, id=f"{service}, {run.shell}: {str(run.row)[:80]} ({run.start})",
                         marks=pytest.mark.xdist_group(f"matrix of {service}"))
            for service in SERVICES for run in all_runs() if run.column in columns]


@pytest.fixture(scope="session")
def matrices(request, tmp_path_factory, kill_after_write, gnupg_home):
    """One a service, made when its first result is asked for; it runs those commands of which tests were selected."""
    made = {}

    def matrix(service):
        if service not in made:
            params = [item.callspec.params for item in request.session.items if "run" in getattr(item, "callspec", item).params]
            runs = [params["run"] for params in params if params["service_name"] == service]
            work = tmp_path_factory.mktemp(service)
            (work / "commands").mkdir()
            made[service] = Matrix(Environment(work / "mounts", service), work / "commands", runs, kill_after_write,
                                   gnupg_home)
            made[service].start()
        return made[service]

    yield matrix
    for matrix in made.values():
        matrix.environment.stop()


@pytest.fixture
def done(matrices, service_name, run):
    """The run, done."""
    matrices(service_name).column(run.column)
    if run.failure:
        raise run.failure
    return run


def assert_explained(done):
    """One place has the service's words: .sstorefs/errors."""
    assert {line[3] for line in done.errors} & WHY[done.column][1], done.errors


def assert_reported(done):
    outcome, expected = done.outcome(WHY[done.column][0]), done.row.cell(done.column, done.shell)
    # Some say why, or anything, only if a certain one of their writes is refused, and services differ in their limits.
    assert expected in (outcome, outcome.replace("told", "said"), outcome.replace("said", "mute")), done.stderr


@pytest.mark.parametrize("service_name,run", cases("works"))
def test_works(done):
    assert (done.status, done.stderr) == (0, "")
    assert done.held == done.stored
    assert len(done.puts) == 1
    assert len(done.deletes) == (done.row.unlinks and done.start == "existing")


@pytest.mark.parametrize("service_name,run", cases("open"))
def test_the_open_is_refused(done):
    assert_reported(done)
    assert_explained(done)
    assert done.held == done.before
    # What is staged is opened without asking, and its rename asks. A key can't be fetched, so Fastly is sent nothing even then.
    assert {put["status"] for put in done.puts} <= {401}


@pytest.mark.parametrize("service_name,run", cases("WRITE"))
def test_a_write_is_refused(done):
    assert_reported(done)
    assert_explained(done)
    assert done.held == done.before and done.puts == []


@pytest.mark.parametrize("service_name,run", cases("published"))
def test_the_publication_is_refused(done):
    assert_reported(done)
    assert_explained(done)
    assert done.held == done.before and len(done.puts) == 1
    first, second = done.synced
    if done.before is None:
        assert done.state is None and first.returncode == 1, "a refused create leaves no file"
        return
    assert second.returncode == 0, "it is reported once"
    assert first.returncode == int(done.row.cell("sync", done.shell))
    if first.returncode:
        assert "Permission denied" in first.stderr and done.state == "failed"


@pytest.mark.parametrize("service_name,run", cases("answered"))
def test_no_answer_arrives(done, service_name):
    assert done.held == done.stored, "the sandbox takes the value and drops the answer"
    assert done.puts
    expected = done.row.cell("answered", done.shell)
    if expected == "works" and service_name in UPSERTS:
        expected = done.row.cell("published", done.shell)  # its one verb replaces, so it is simply repeated, to the end
    if expected == "works":
        assert (done.status, done.stderr, len(done.puts)) == (0, "", 1), "the look found what was made"
        return
    outcome = done.outcome(WHY["answered"][0])
    # bash tells of EIO where it is silent about all else, and which of the two it is depends on when the time is up.
    assert outcome == expected or (expected, outcome) == ("shown", "hidden"), done.stderr
    assert_explained(done)
    if outcome in ("hidden", "shown"):
        assert done.synced[0].returncode == 1, "the program kept it to itself; sync tells"


@pytest.mark.parametrize("service_name,run", cases("answered once"))
def test_one_answer_is_lost(done, service_name):
    """PUT and PATCH are repeated; after a lost create it is looked whether it took effect."""
    assert (done.status, done.stderr) == (0, "")
    assert done.held == done.stored
    found = done.row.cell("answered", done.shell) == "works" and service_name not in UPSERTS
    kinds = {put["operation"] for put in done.puts}  # of each the first answer is lost: a create's and then a replacement's
    assert [put["state"] for put in done.puts] == ["dropped"] * len(kinds) + ["answered"] * (not found)
    assert len(done.deletes) == (done.row.unlinks and done.start == "existing")


@pytest.mark.parametrize("service_name,run", cases("killed writing"))
def test_killed_while_it_writes(done):
    assert done.status == 128 + signal.SIGKILL
    assert done.held == done.before and done.puts == []


@pytest.mark.parametrize("service_name,run", cases("killed uploading"))
def test_killed_while_it_uploads(done):
    assert len(done.puts) == 1
    if done.cannot_be_killed:
        assert (done.status, done.held) == (0, done.stored)
        return
    assert done.status == -signal.SIGKILL
    assert done.puts[0]["duration"] < 20, "the upload was given up, not waited for"
    assert done.held == done.before
    assert {line[3] for line in done.errors} == {"EINTR"}
