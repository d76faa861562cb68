"""The log: one line an event, with priorities for the journal, as JSON where that is asked for."""

import json
import os
import subprocess

from mounting import Mount, environment, wait_until_mounted
from writers import errno_of, write_file


class JournaledMount(Mount):
    """Started as systemd starts a service: stderr is a stream to the journal, and JOURNAL_STREAM says which."""

    stream_of = None

    def start(self):
        self.path.mkdir()
        with open(self.log_path, "wb") as log:
            told = os.stat(self.stream_of or self.log_path)
            stream = {"JOURNAL_STREAM": f"{told.st_dev}:{told.st_ino}"}
            self.process = subprocess.Popen(self.words("-f"), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
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
    assert any(line.startswith("<4>") and "prod/NAME" in line for line in lines)
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
    events = [json.loads(line) for line in fail_once(mount, sandbox)]
    assert all(set(event) == {"time", "level", "message"} for event in events)
    assert {"info", "warning"} <= {event["level"] for event in events}
    assert any("prod/NAME" in event["message"] for event in events)


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
    ended = subprocess.run(mount.words("-f"), env=environment(tmp_path), capture_output=True, text=True)
    assert ended.returncode == 32
    (event,) = map(json.loads, ended.stderr.splitlines())
    assert event["level"] == "error" and "401" in event["message"]
