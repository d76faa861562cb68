"""GitHub's secrets: stores of a repository, environments, organizations (doc/apis.md, GitHub)."""

import base64
import errno
import json
import os
import threading
from functools import partial

import pytest

from daemon import PROGRAM, run_program
from dirents import attributes
from programs import errno_of, together, write_file
from services import GitHub
from waiting import wait_until

KINDS = ["actions", "agents", "codespaces", "dependabot"]


@pytest.fixture
def github(sandbox):
    return GitHub("direct", sandbox).make_store()


@pytest.fixture
def mount(request, make_mount, github):
    marker = request.node.get_closest_marker("mount_options")
    made = make_mount(github, options=marker.args[0] if marker else "")
    github.sandbox.clear()
    return made


def message(mount):
    return mount.control("errors").splitlines()[0].split("\t")[-1]


# Stores


def test_a_repository_has_a_directory_a_kind_and_one_for_each_environment(mount):
    assert sorted(os.listdir(mount.path)) == sorted(KINDS + ["prod"])


@pytest.mark.parametrize("source, store", [("github:octo/app/actions", "actions"), ("github:octo/app/prod", "prod")])
def test_one_store_can_be_mounted(make_mount, github, source, store):
    mount = make_mount(github, source=source)
    write_file(mount / "NAME", b"val")
    assert github.value(store, "NAME") == b"val" and os.listdir(mount.path) == ["NAME"]


def test_an_organization_has_a_directory_a_kind_and_no_other(make_mount, github):
    mount = make_mount(github, source="github:octo-org")
    assert sorted(os.listdir(mount.path)) == KINDS
    assert errno_of(os.mkdir, mount / "prod") == errno.EPERM


def test_mkdir_makes_an_environment_and_never_resets_one(mount, github):
    os.mkdir(mount / "new")
    assert errno_of(os.mkdir, mount / "new") == errno.EEXIST
    github.seed("behind", 0)
    assert errno_of(os.mkdir, mount / "behind") == errno.EEXIST
    assert [call["mode"] for call in github.calls("put_environment")] == ["create"]
    assert "behind" in os.listdir(mount.path)


def test_an_environment_has_one_spelling_and_mkdir_of_another_says_which(make_mount, github):
    mount = make_mount(github, options="ttl=minimal")
    assert errno_of(os.stat, mount / "PROD") == errno.ENOENT
    assert errno_of(os.mkdir, mount / "PROD") == errno.EEXIST
    assert "has it as prod" in message(mount) and github.calls("put_environment") == []
    assert len(github.calls("get_environment")) <= 2, "each answer was believed"
    write_file(mount / "prod/NAME", b"val")


def test_rmdir_removes_environments_without_secrets_and_no_fixed_directory(mount, github):
    write_file(mount / "prod/NAME", b"val")
    assert errno_of(os.rmdir, mount / "prod") == errno.ENOTEMPTY
    os.remove(mount / "prod/NAME")
    os.rmdir(mount / "prod")
    assert sorted(os.listdir(mount.path)) == KINDS
    for kind in KINDS:
        assert errno_of(os.rmdir, mount / kind) == errno.EPERM
        assert errno_of(os.mkdir, mount / kind) == errno.EEXIST
    assert len(github.calls("delete_environment")) == 1


def test_environments_are_escaped_as_other_names_are(mount, github):
    os.mkdir(mount / "a%2Fb")
    os.mkdir(mount / "50%2525")
    write_file(mount / "a%2Fb/NAME", b"val")
    assert github.value("a/b", "NAME") == b"val"
    assert attributes(mount / "50%2525")["user.id"] == "environments/50%25"


def test_a_name_with_a_nul_is_no_environment(mount, github):
    assert errno_of(os.stat, mount / "a%00") == errno.ENOENT
    assert errno_of(os.mkdir, mount / "a%00") == errno.EINVAL
    assert "without NUL" in message(mount) and github.calls("*_environment") == []


def test_an_environment_called_as_a_kind_is_shown_with_its_id(make_mount, mount, github):
    github.seed("repos/octo/app/environments/actions", 0)
    mount.refresh()
    other = mount / "actions~environments%2Factions"
    write_file(other / "NAME", b"env")
    write_file(mount / "actions/NAME", b"kind")
    assert github.value("repos/octo/app/environments/actions", "NAME") == b"env"
    assert github.value("actions", "NAME") == b"kind"
    alone = make_mount(github, source="github:octo/app/actions~environments%2Factions")
    assert os.listdir(alone.path) == ["NAME"]
    os.remove(other / "NAME")
    os.rmdir(other)
    assert "actions" in os.listdir(mount.path)


# Names


@pytest.mark.parametrize("name", ["lower", "Mixed", "9NINE", "GITHUB_TOKEN", "A-B", "A.B"])
def test_a_name_that_the_service_changes_or_refuses_is_refused_and_explained(mount, github, name):
    assert errno_of(write_file, mount / "actions" / name, b"val") == errno.EINVAL
    assert "capitals" in message(mount) and "GITHUB_" in message(mount)
    assert not os.path.exists(mount / "actions" / name)
    assert github.calls("put_secret") == []


# Keys


def test_each_store_has_its_own_key_which_is_fetched_once(mount, github):
    for store in ("prod", "actions"):
        for name in ("ONE", "TWO"):
            write_file(mount / store / name, b"val")
            assert github.value(store, name) == b"val"
    assert len(github.calls("get_public_key")) == 2


def test_a_key_that_was_changed_is_fetched_anew_once(mount, github):
    write_file(mount / "prod/NAME", b"one")
    github.variant(key_generation=1)
    write_file(mount / "prod/NAME", b"two")
    assert github.value("prod", "NAME") == b"two"
    assert [call["status"] for call in github.calls("put_secret")] == [201, 422, 204]
    assert len(github.calls("get_public_key")) == 2


def test_a_value_that_is_refused_under_a_new_key_too_is_not_sent_a_third_time(mount, github):
    github.fault("put_secret", status=422, detail="improperly encrypted secret", times=10)
    assert errno_of(write_file, mount / "prod/NAME", b"val") == errno.EINVAL
    assert len(github.calls("put_secret")) == 2 and len(github.calls("get_public_key")) == 2


def test_a_value_leaves_sealed_for_its_store_alone(mount, github):
    value = b"a value that is to be found nowhere"
    github.sandbox.record()
    for store in ("prod", "actions"):
        write_file(mount / store / "NAME", value)
    sent = [exchange["body"] for exchange in github.sandbox.exchanges() if exchange["body"]]
    github.sandbox.record(False)
    assert len(sent) == 2 and len({json.loads(body)["key_id"] for body in sent}) == 2
    for body in sent:
        sealed = base64.b64decode(json.loads(body)["encrypted_value"])
        assert value not in body and value not in sealed and len(sealed) == len(value) + 48


# Values


def test_values_are_text_of_48_kib(mount, github):
    assert errno_of(write_file, mount / "prod/NAME", b"\xff") == errno.EILSEQ
    assert errno_of(write_file, mount / "prod/NAME", b"x" * 49153) == errno.EFBIG
    write_file(mount / "prod/NAME", b"x" * 49152)
    assert github.value("prod", "NAME") == b"x" * 49152
    assert os.stat(mount / "prod/NAME").st_size == 49152


def test_the_log_tells_a_new_secret_from_one_that_was_replaced(mount, github):
    write_file(mount / "prod/NAME", b"one")
    write_file(mount / "prod/NAME", b"two")
    wait_until(lambda: 'effect="created"' in mount.log() and 'effect="replaced"' in mount.log())


def test_an_exclusive_create_and_nocreate_look_first(make_mount, mount, github):
    github.put("prod", "TAKEN", b"theirs")
    flags = os.O_CREAT | os.O_EXCL
    assert errno_of(write_file, mount / "prod/TAKEN", b"mine", flags) == errno.EEXIST
    write_file(mount / "prod/FREE", b"mine", flags)
    replaces = make_mount(github, options="nocreate")
    assert errno_of(write_file, replaces / "prod/NEW", b"val") == errno.EPERM
    write_file(replaces / "prod/TAKEN", b"new", os.O_TRUNC)
    assert github.value("prod", "TAKEN") == b"new" and github.value("prod", "FREE") == b"mine"


def test_the_digest_is_made_of_name_and_time_of_the_last_change(make_mount, mount, github):
    for name in ("ONE", "TWO"):
        github.put("prod", name, b"val", created=1.6e9, modified=1.7e9)
    digests = {name: attributes(mount / "prod" / name)["user.digest"] for name in ("ONE", "TWO")}
    assert len(set(digests.values())) == 2 and {len(base64.b64decode(digest)) for digest in digests.values()} == {32}
    assert attributes(make_mount(github) / "prod/ONE")["user.digest"] == digests["ONE"]
    github.put("prod", "ONE", b"another value", created=1.6e9, modified=1.7e9)
    github.put("prod", "TWO", b"val", created=1.6e9, modified=1.7e9 + 1)
    mount.refresh()
    assert attributes(mount / "prod/ONE")["user.digest"] == digests["ONE"], "nothing tells two changes of a second apart"
    assert attributes(mount / "prod/TWO")["user.digest"] != digests["TWO"]


def test_a_rename_sends_the_sealed_value_again(mount, github):
    write_file(mount / "prod/OLD", b"val")
    os.rename(mount / "prod/OLD", mount / "prod/NEW")
    assert github.value("prod", "NEW") == b"val" and os.listdir(mount / "prod") == ["NEW"]
    os.rename(mount / "prod/NEW", mount / "prod/NEWER")
    assert github.value("prod", "NEWER") == b"val"
    github.variant(key_generation=1)
    assert errno_of(os.rename, mount / "prod/NEWER", mount / "prod/LAST") == errno.EOPNOTSUPP
    assert os.listdir(mount / "prod") == ["NEWER"]


def test_a_rename_does_not_undo_what_another_client_wrote(mount, github):
    write_file(mount / "prod/OLD", b"mine")
    github.sandbox.variant(clock=10)
    github.put("prod", "OLD", b"theirs")
    assert errno_of(os.rename, mount / "prod/OLD", mount / "prod/NEW") == errno.EOPNOTSUPP
    assert github.value("prod", "OLD") == b"theirs"


# Limits


def test_nothing_is_sent_before_a_secondary_limit_ends(mount, github):
    github.variant(changes=1)
    write_file(mount / "prod/ONE", b"val")
    assert errno_of(write_file, mount / "prod/TWO", b"val") == errno.EAGAIN
    calls = len(github.calls())
    assert errno_of(write_file, mount / "prod/THREE", b"val") == errno.EAGAIN
    assert errno_of(os.remove, mount / "prod/ONE") == errno.EAGAIN
    assert len(github.calls()) == calls
    assert "pause" in message(mount)


@pytest.mark.parametrize("status", ["403", "429"])
def test_nothing_is_sent_before_the_primary_limit_ends(make_mount, github, status):
    github.variant(rate_limit=4, limit_status=status)
    mount = make_mount(github)
    for number in range(3):
        errno_of(write_file, mount / f"prod/NAME_{number}", b"val")
    calls = len(github.calls())
    assert errno_of(write_file, mount / "prod/LAST", b"val") == errno.EAGAIN
    assert len(github.calls()) == calls


def test_changes_are_sent_one_after_the_other_and_slowly(make_mount, github):
    github.variant(changes=80, points=900)
    mount = make_mount(github, options="pace=asked")
    names = [f"NAME_{number}" for number in range(23)]
    github.fault("put_secret", latency=0.02)
    together(*(partial(write_file, mount / "prod" / name, b"val") for name in names))
    puts = github.calls("put_secret")
    assert [call["status"] for call in puts] == [201] * 23
    assert puts[-1]["at"] - puts[0]["at"] > 2
    assert all(later["at"] >= call["at"] + call["duration"] for call, later in zip(puts, puts[1:]))


def test_changes_that_wait_for_the_pace_are_sent_in_their_order(make_mount, github):
    mount = make_mount(github, options="pace=asked")
    for number in range(20):
        write_file(mount / "prod/BEFORE", b"val")
    names = [f"NAME_{number}" for number in range(6)]
    writers = []
    for number, name in enumerate(names):
        writers.append(threading.Thread(target=write_file, args=(mount / "prod" / name, b"val")))
        writers[-1].start()
        # Stored or in flight: `pending` is a file from its first byte on, before its close.
        wait_until(lambda: sum(github.value("prod", name) is not None for name in names) + figure(mount, "uploads") > number, f"{name} is not on its way")
    for writer in writers:
        writer.join()
    assert [call["name"] for call in github.calls("put_secret")][20:] == names


# Conditional requests


def figure(mount, name):
    """The only sample of a metric, whatever its labels."""
    return next(float(line.split()[-1]) for line in mount.control("metrics").splitlines() if line.startswith(f"sstorefs_{name}{{"))


@pytest.mark.parametrize("count", [3, 250])
def test_a_listing_that_has_not_changed_is_refreshed_for_nothing(make_mount, github, count):
    github.seed("prod", count)
    mount = make_mount(github, source="github:octo/app/prod")
    names = sorted(os.listdir(mount.path))
    assert len(names) == count
    github.sandbox.clear()
    mount.refresh()
    assert sorted(os.listdir(mount.path)) == names
    assert {call["status"] for call in github.calls("list_secrets")} == {304}
    assert figure(mount, "pages_not_modified_total") == -(-count // 100)
    assert {call["status"] for call in github.calls()} == {304}
    mount.refresh()
    os.stat(mount / names[0])


@pytest.mark.parametrize("name", ["A_FIRST", "Z_LAST"])
def test_a_listing_that_has_changed_is_fetched_anew(make_mount, github, name):
    github.seed("prod", 250)
    mount = make_mount(github, source="github:octo/app/prod")
    names = os.listdir(mount.path)
    inodes = {name: os.stat(mount / name).st_ino for name in names}
    github.put("prod", name, b"new")
    mount.refresh()
    assert sorted(os.listdir(mount.path)) == sorted([*names, name])
    assert {one: os.stat(mount / one).st_ino for one in names} == inodes
    github.delete("prod", name)
    mount.refresh()
    assert sorted(os.listdir(mount.path)) == sorted(names)


def test_a_change_on_a_later_page_alone_is_seen(make_mount, github):
    github.seed("prod", 250)
    mount = make_mount(github, source="github:octo/app/prod")
    names = sorted(os.listdir(mount.path))
    github.put("prod", names[-1], b"new", created=1.7e9)
    github.sandbox.clear()
    mount.refresh()
    assert sorted(os.listdir(mount.path)) == names
    assert os.stat(mount / names[-1]).st_ctime == 1.7e9
    assert [call["status"] for call in github.calls("list_secrets")][:3] == [304, 304, 200]


def test_own_changes_are_not_undone_by_what_has_not_changed(make_mount, github):
    github.seed("prod", 3)
    mount = make_mount(github, source="github:octo/app/prod")
    names = os.listdir(mount.path)
    write_file(mount / "NEW", b"val")
    os.remove(mount / names[0])
    for _ in range(2):
        mount.refresh()
        assert sorted(os.listdir(mount.path)) == sorted(["NEW", *names[1:]])


def test_a_service_without_etags_is_asked_for_everything(make_mount, github):
    github.variant(etags="no")
    mount = make_mount(github)
    mount.refresh()
    assert "prod" in os.listdir(mount.path)
    assert all("If-None-Match" not in dict(call["headers"]) for call in github.calls())


# Quotas


def quota(path):
    figures = os.statvfs(path)
    return figures.f_files, figures.f_files - figures.f_ffree


def test_the_quota_of_each_store_is_shown_as_inodes(mount, github):
    github.seed("prod", 3)
    assert quota(mount / "prod") == (100, 3)
    write_file(mount / "prod/NEW", b"val")
    write_file(mount / "actions/NEW", b"val")
    assert quota(mount / "prod") == (100, 4) and quota(mount / "actions") == (100, 1)
    os.remove(mount / "prod/NEW")
    assert quota(mount / "prod") == (100, 3)
    assert quota(mount.path) == (500, 4)


def test_an_organization_has_room_for_more(make_mount, github):
    mount = make_mount(github, source="github:octo-org")
    assert quota(mount / "actions") == (1000, 0)


def test_a_store_that_is_known_to_be_full_takes_no_new_name(make_mount, github):
    github.seed("prod", 100)
    mount = make_mount(github)
    names = os.listdir(mount / "prod")
    assert errno_of(os.open, mount / "prod/NEW", os.O_WRONLY | os.O_CREAT) == errno.EDQUOT
    assert github.calls("put_secret") == []
    write_file(mount / "prod" / names[0], b"val")
    os.remove(mount / "prod" / names[1])
    write_file(mount / "prod/NEW", b"val")


@pytest.mark.parametrize("status", ["422", "403"])
def test_the_service_has_the_last_word_on_its_quota(make_mount, github, status):
    github.variant(quota_secrets=2, quota_status=status)
    mount = make_mount(github)
    write_file(mount / "prod/ONE", b"val")
    write_file(mount / "prod/TWO", b"val")
    assert errno_of(write_file, mount / "prod/THREE", b"val") == errno.EDQUOT
    write_file(mount / "actions/OTHER", b"val")


# Credentials, and servers of one's own


TOKENS = ("GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN", "GH_TOKEN", "GITHUB_TOKEN")


def check(work, options, **variables):
    ended = run_program([PROGRAM, "--check", "github:octo/app", "-o", f"{options},timeout=5", "--json"], work, **variables)
    return {step["step"]: step for step in json.loads(ended.stdout)["steps"]}


@pytest.mark.parametrize("variable", TOKENS)
def test_a_token_comes_from_a_variable(github, tmp_path, variable):
    others = {name: "wrong" for name in TOKENS[TOKENS.index(variable) + 1:]}
    found = check(tmp_path, github.options, **{variable: github.token}, **others)
    assert variable in found["token"]["says"] and found["access"]["result"] == "good"


def test_the_service_itself_gets_no_token_of_another_server(tmp_path):
    ended = run_program([PROGRAM, "--check", "github:octo/app", "-o", "timeout=1"], tmp_path, GH_ENTERPRISE_TOKEN="wrong")
    assert "there is no token for github" in ended.stdout and "GH_TOKEN" in ended.stdout


def test_a_server_that_gh_host_names_gets_its_own_tokens_alone(github, front, tmp_path):
    host = front.url.removeprefix("https://")
    options = f"cacert={front.cacert},pace=none"
    found = check(tmp_path, options, GH_HOST=host, GH_TOKEN="of the service itself", GITHUB_ENTERPRISE_TOKEN=github.token)
    assert "GITHUB_ENTERPRISE_TOKEN" in found["token"]["says"] and found["write"]["result"] == "good"
    assert {call["path"].partition("/repos")[0] for call in github.calls()} == {"/api/v3"}
    assert check(tmp_path, options, GH_HOST=host, GH_TOKEN=github.token)["token"]["result"] == "failed"


def test_a_token_file_that_was_replaced_is_read_when_the_old_token_is_refused(make_mount, github):
    """An installation's token lives for an hour."""
    mount = make_mount(github)
    write_file(mount / "prod/ONE", b"val")
    github.sandbox.tokens("next-token")
    mount.write_token("next-token")
    write_file(mount / "prod/TWO", b"val")
    assert github.value("prod", "TWO") == b"val"
    github.sandbox.tokens(github.token)


@pytest.mark.parametrize("source, words", [
    ("github:octo/none", "token may not see it"), ("github:octo/app/none", "has no such store"), ("github:other-org", "token may not see it")])
def test_what_is_not_there_or_not_to_be_seen_is_told(make_mount, github, source, words):
    mount = make_mount(github, source=source, start=False)
    mount.path.mkdir()
    ended = run_program(mount.arguments(), mount.work)
    assert ended.returncode != 0 and words in ended.stderr


def test_a_repository_that_was_renamed_is_told(make_mount, mount, github):
    github.fault("*", status=301, detail="Moved Permanently", header="Location:https://api.github.com/repositories/1/x")
    assert errno_of(write_file, mount / "prod/NAME", b"val") == errno.EIO
    assert "was renamed" in message(mount)
    late = make_mount(github, start=False)
    late.path.mkdir()
    assert "was renamed" in run_program(late.arguments(), late.work).stderr


@pytest.mark.parametrize("source", ["github:", "github:/", "github:octo/", "github:octo/..", "github:a b", "github:octo/app/a/b"])
def test_what_is_no_source_is_refused(tmp_path, source):
    ended = run_program([PROGRAM, "--check", source], tmp_path)
    assert ended.returncode == 1 and ended.stderr.count("\n") == 1
