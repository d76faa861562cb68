"""Type=notify: what the service manager is sent, and when."""

import signal

import pytest

from notify_socket import Manager
from daemon import Mount, mounts_at
from programs import start


@pytest.fixture(params=["path", "abstract"])
def manager(request, tmp_path):
    with Manager(tmp_path / "notify" if request.param == "path" else f"@sstorefs-test-{tmp_path.name}") as manager:
        yield manager


def test_ready_once_it_is_mounted(make_mount, direct, manager):
    mount = make_mount(direct, start=False, NOTIFY_SOCKET=manager.path)
    mount.start()
    reported = manager.wait_for("READY=1")
    assert mounts_at(mount.path) == ["fuse.sstorefs"]
    assert "fastly:" in reported["STATUS"] and str(mount.path) in reported["STATUS"]
    mount.unmount()
    manager.wait_for("STOPPING=1")


def test_ready_with_a_long_path(make_mount, direct, manager):
    mount = make_mount(direct, start=False, NOTIFY_SOCKET=manager.path)
    mount.path = mount.path.joinpath(*["directory" * 20] * 7)
    mount.path.mkdir(parents=True)
    mount.start()
    assert str(mount.path) in manager.wait_for("READY=1", timeout=10)["STATUS"]


def test_not_ready_while_the_service_has_not_answered(tmp_path, direct, sandbox, manager):
    sandbox.fault(operation="fastly.list_stores", hold="before")
    mount = Mount(tmp_path, direct, NOTIFY_SOCKET=manager.path)
    mount.path.mkdir()
    daemon = start(*mount.arguments("-f"), NOTIFY_SOCKET=manager.path)
    try:
        sandbox.wait_for_call("fastly.list_stores", state="held")
        assert not manager.has("READY=1")
        sandbox.release()
        manager.wait_for("READY=1")
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(60) == 0
    finally:
        daemon.kill()
        mount.kill()


def test_a_refused_token_is_never_ready(tmp_path, direct, manager):
    mount = Mount(tmp_path, direct, NOTIFY_SOCKET=manager.path)
    mount.write_token("another-token")
    mount.path.mkdir()
    assert start(*mount.arguments("-f"), NOTIFY_SOCKET=manager.path).wait(60) == 32
    assert not manager.has("READY=1")


def test_reloading_and_ready_again(make_mount, direct, manager):
    mount = make_mount(direct, NOTIFY_SOCKET=manager.path)
    manager.wait_for("READY=1")
    mount.signal(signal.SIGHUP)
    assert int(manager.wait_for("RELOADING=1")["MONOTONIC_USEC"]) > 0
    manager.wait_for("READY=1")


def test_stopping_with_time_to_finish(make_mount, direct, sandbox, manager):
    """The manager must not kill what is storing a value: the daemon's `timeout` and a little more."""
    mount = make_mount(direct, options="timeout=77", NOTIFY_SOCKET=manager.path)
    sandbox.fault(operation="fastly.put_secret", hold="before")
    writer = start("cp", "/etc/hostname", mount / "prod/NAME")
    sandbox.wait_for_call("fastly.put_secret", state="held")
    mount.signal(signal.SIGTERM)
    assert int(manager.wait_for("STOPPING=1")["EXTEND_TIMEOUT_USEC"]) > 77_000_000
    sandbox.release()
    assert writer.wait(60) == 0 and mount.wait() == 0


def test_the_watchdog_is_fed(make_mount, direct, manager):
    make_mount(direct, NOTIFY_SOCKET=manager.path, WATCHDOG_USEC="200000")
    for _ in range(3):
        manager.wait_for("WATCHDOG=1")


def test_the_watchdog_of_another_process_is_not(make_mount, direct, manager, tmp_path):
    """While a daemon whose it is feeds its own."""
    make_mount(direct, NOTIFY_SOCKET=manager.path, WATCHDOG_USEC="100000", WATCHDOG_PID="1")
    manager.wait_for("READY=1")
    with Manager(tmp_path / "another") as another:
        make_mount(direct, NOTIFY_SOCKET=another.path, WATCHDOG_USEC="100000")
        for _ in range(3):
            another.wait_for("WATCHDOG=1")
    assert not manager.has("WATCHDOG=1")
