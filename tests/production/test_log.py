"""The log: one line an event, with priorities for the journal, as JSON where that is asked for."""

import errno
import json
import os
import subprocess
from datetime import datetime
from pathlib import Path

from daemon import Mount, environment, wait_until_mounted
from programs import errno_of, write_file


class JournaledMount(Mount):
    """Started as systemd starts a service: stderr is a stream to the journal, and JOURNAL_STREAM says which."""

    stream_of = None

    def start(self):
        self.path.mkdir()
        with open(self.log_path, "wb") as log:
            counted = os.stat(self.stream_of or self.log_path)
            stream = {"JOURNAL_STREAM": f"{counted.st_dev}:{counted.st_ino}"}
            self.process = subprocess.Popen(self.arguments("-f"), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env=environment(self.work, **stream), cwd=self.work)
        self.pid = self.process.pid
        wait_until_mounted(self.path, self.process)
        return self


def fail_once(mount, sandbox):
    sandbox.fault(operation="fastly.put_secret", status=400)
    errno_of(lambda: write_file(mount / "prod/NAME", b"val"))
    write_lines = mount.log().splitlines()
    sandbox.clear_faults()
    return write_lines


def journaled(tmp_path, direct, options="", stream_of=None):
    work = tmp_path / "journaled"
    work.mkdir()
    mount = JournaledMount(work, direct, options=options)
    mount.stream_of = stream_of
    return mount.start()


def test_the_journal_gets_priorities(tmp_path, direct, sandbox):
    mount = journaled(tmp_path, direct)
    try:
        lines = fail_once(mount, sandbox)
    finally:
        mount.finish()
    lines = mount.log().splitlines() or lines
    assert all(line[0] == "<" and line[2] == ">" for line in lines), lines
    assert any(line.startswith("<6>") and "is mounted on" in line for line in lines)
    assert any(line.startswith("<4>") and 'store="prod" name="NAME"' in line for line in lines)
    # Several daemons share the journal.
    assert all(f'source="fastly:" mountpoint="{mount.path}"' in line for line in lines), lines
    assert not any("sstorefs: " in line for line in lines)  # the journal knows the name


def test_a_file_gets_none_though_the_environment_names_a_journal(tmp_path, direct, sandbox):
    """Somebody started us from a service with stderr redirected."""
    mount = journaled(tmp_path, direct, stream_of="/dev/null")
    try:
        lines = fail_once(mount, sandbox)
    finally:
        mount.finish()
    assert lines and all(line.startswith("sstorefs: ") for line in lines), lines


def test_json(make_mount, direct, sandbox):
    mount = make_mount(direct, options="log=json")
    fail_once(mount, sandbox)
    write_file(mount / "prod/NAME", b"val")
    events = [json.loads(line) for line in mount.log().splitlines()]
    # Whole runs of the suites have -d.
    open_below, mounted, failed, done = [event for event in events if event["level"] != "debug"]
    assert open_below["level"] == "warning" and "root can write into" in open_below["message"]
    times = [datetime.strptime(event.pop("time"), "%Y-%m-%dT%H:%M:%S.%fZ") for event in (mounted, failed, done)]
    assert times == sorted(times)
    whose = {"source": "fastly:", "mountpoint": str(mount.path)}
    assert mounted == {**whose, "level": "info", "message": f"fastly: is mounted on {mount.path}"}
    ours = {**whose, "operation": "publish", "uid": os.getuid(), "gid": os.getgid(), "pid": os.getpid(), "store": "prod", "name": "NAME",
            "program": Path("/proc/self/comm").read_text().strip(), "cgroup": cgroup()}
    assert len(failed.pop("request_id")) > 8 and len(done.pop("request_id")) > 8
    assert failed.pop("message").startswith("Bad Request") and done.pop("digest")
    assert failed == {**ours, "level": "warning", "errno": "EINVAL", "status": 400}
    assert done == {**ours, "level": "info", "errno": None, "status": 200, "effect": "created"}


def cgroup():
    """As the man page has it: of version 2, unless that is the root alone."""
    paths = [line.split(":", 2)[2] for line in Path("/proc/self/cgroup").read_text().splitlines()]
    return next((path for path in reversed(paths) if path != "/"), "/")


def test_json_of_words_with_quotes_and_backslashes(make_mount, direct):
    mount = make_mount(direct, start=False, options="log=json")
    mount.path = mount.work / 'a"b\\c'
    mount.start()
    mount.unmount()
    messages = [json.loads(line)["message"] for line in mount.log().splitlines()]
    assert f"fastly: is mounted on {mount.path}" in messages


def test_json_in_the_journal(tmp_path, direct, sandbox):
    mount = journaled(tmp_path, direct, "log=json")
    try:
        lines = fail_once(mount, sandbox)
    finally:
        mount.finish()
    assert lines
    for line in lines:
        assert line[0] == "<" and json.loads(line[3:])["message"]


def test_json_of_a_failed_start(tmp_path, direct):
    mount = Mount(tmp_path, direct, options="log=json")
    mount.write_token("another-token")
    mount.path.mkdir()
    ended = subprocess.run(mount.arguments("-f"), env=environment(tmp_path), capture_output=True, text=True)
    assert ended.returncode == 32
    (event,) = map(json.loads, ended.stderr.splitlines())
    assert event["level"] == "error" and "401" in event["message"]


def test_lines_that_repeat_are_folded(make_mount, direct, sandbox):
    """An outage that a program meets again and again."""
    mount = make_mount(direct)
    sandbox.fault(operation="fastly.put_secret", status=401)
    for _ in range(3000):
        assert errno_of(lambda: write_file(mount / "prod/NAME", b"val")) == errno.EACCES
    sandbox.clear_faults()
    mount.unmount()
    lines = [line for line in mount.log().splitlines() if "Z open " in line]
    counted = sum(int(line.rpartition("repeated ")[2].split()[0]) if "… repeated" in line else 1 for line in lines)
    assert len(lines) < 100 and counted == 2999, (len(lines), counted)
