"""A service manager's side of sd_notify(3): a socket, and what came through it."""

import select
import socket


class Manager:
    def __init__(self, path):
        """`path` may begin with @: an abstract name."""
        self.path = str(path)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0" + self.path[1:] if self.path.startswith("@") else self.path)
        self.reported = []

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        self.socket.close()

    def wait_for(self, assignment, timeout=60):
        """All assignments of the message that has it."""
        while True:
            assert select.select([self.socket], [], [], timeout)[0], f"{assignment} was not sent; this was: {self.reported}"
            message = dict(line.split("=", 1) for line in self.socket.recv(4096).decode().splitlines())
            self.reported.append(message)
            if "=".join([key := assignment.split("=")[0], message.get(key, "")]) == assignment:
                return message

    def has(self, assignment):
        """What has come without waiting."""
        while select.select([self.socket], [], [], 0)[0]:
            self.reported.append(dict(line.split("=", 1) for line in self.socket.recv(4096).decode().splitlines()))
        name, value = assignment.split("=")
        return any(message.get(name) == value for message in self.reported)
