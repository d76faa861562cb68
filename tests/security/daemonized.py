"""A daemon in the background, as mount(8) leaves it: its log is the system's."""

from daemon import PROGRAM, Mount, daemon_at, mounts_at, run_program, wait_for_end


class InTheBackground(Mount):
    """A Mount that is no child of ours. `devices` have the system's log."""

    def __init__(self, work, service, devices, **settings):
        super().__init__(work, service, **settings)
        self.devices = devices

    def __enter__(self):
        self.path.mkdir()
        mounted = run_program([PROGRAM, self.source, self.path, "-o", self.options], self.work)
        assert mounted.returncode == 0, mounted.stderr
        self.pid = daemon_at(self.path)
        return self

    def __exit__(self, *failure):
        unmounted = run_program(["umount", self.path], self.work)
        assert unmounted.returncode == 0, f"a file left open keeps the daemon: {unmounted.stderr}"
        ended = wait_for_end(self.pid)
        (self.work / "system.log").write_text(self.devices.log())
        assert ended and not mounts_at(self.path) and not self.sanitizer_reports()

    def log(self):
        return self.devices.log()
