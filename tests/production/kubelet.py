"""
What a node does with a manifest, done by podman: containers in their order, volumes with their propagation, probes. podman kube play itself knows
neither native sidecars nor propagation.
"""

import ctypes
import json
import os
import socket
import subprocess
import threading
from pathlib import Path

import yaml

from containers import Pod
from systemd_container import podman

NOSUID_NODEV = 0x2 | 0x4
PLUGIN_USER = 65534


def pass_descriptor(path, target, volume):
    """
    What meta-fuse-csi-plugin does on a node for a pod's volume (pkg/csi_mounter of October 2024): a stream socket in the emptyDir, its own and its
    directory's owner nobody; whoever connects first gets /dev/fuse, mounted, and JSON with the volume's name. Process numbers are the plugin's.
    """
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    listener.listen()
    for owned in (path.parent, path):
        os.chown(owned, PLUGIN_USER, PLUGIN_USER)

    def serve():
        asker, _ = listener.accept()
        device = os.open("/dev/fuse", os.O_RDWR)
        options = f"allow_other,default_permissions,rootmode=40000,user_id=0,group_id=0,fd={device}"
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.mount(volume.encode(), str(target).encode(), b"fuse", ctypes.c_ulong(NOSUID_NODEV), options.encode()) == 0:
            socket.send_fds(asker, [json.dumps({"volumeName": volume}).encode()], [device])
        for end in (asker, listener):
            end.close()
        os.close(device)
        path.unlink()

    threading.Thread(target=serve, daemon=True).start()


PROPAGATION = {"Bidirectional": "rshared", "HostToContainer": "rslave", None: "rprivate"}


TOOLS = Path(os.environ.get("SSTOREFS_TOOLS", Path.home() / ".cache/sstorefs-tests/tools"))  # contrib/install-dependencies.sh


def kustomized(folder):
    """What `kubectl apply -k` would send."""
    done = subprocess.run([TOOLS / "trixie/usr/bin/kustomize", "build", folder], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    return list(yaml.safe_load_all(done.stdout))


def pod_of(document):
    """The pod in a manifest, whatever makes it."""
    return document["spec"]["template"]["spec"] if "template" in document["spec"] else document["spec"]


class Kubelet(Pod):
    def __init__(self, image, work, spec, secrets, adjust, host_paths=None):
        """`adjust` changes a container's arguments; `host_paths` are directories that stand for the node's."""
        super().__init__(image, work)
        self.spec = spec
        self.adjust = adjust
        self.security = spec.get("securityContext", {})
        self.paths = {volume["name"]: self._make(volume, secrets, host_paths or {}) for volume in spec["volumes"]}
        self.first = None
        for volume in spec["volumes"]:
            if "csi" in volume:
                wanted = volume["csi"]["volumeAttributes"]
                socket_path = self.paths[wanted["fdPassingEmptyDirName"]] / wanted["fdPassingSocketName"]
                pass_descriptor(socket_path, self.paths[volume["name"]], volume["name"])

    def _make(self, volume, secrets, host_paths):
        if "hostPath" in volume:
            return host_paths[volume["hostPath"]["path"]]
        path = self.work / "volumes" / volume["name"]
        path.mkdir(parents=True)
        group = self.security.get("fsGroup", 0)
        if "secret" in volume:
            for name, value in secrets[volume["secret"]["secretName"]].items():
                (path / name).write_text(value)
                os.chown(path / name, 0, group)
                (path / name).chmod(volume["secret"]["defaultMode"])
        else:
            os.chown(path, 0, group)
            path.chmod(0o2775 if group else 0o777)
            subprocess.run(["mount", "-t", "tmpfs", "-o", f"size=1m,mode={path.stat().st_mode & 0o7777:o},gid={group}", "tmpfs", path],
                           check=True)
            subprocess.run(["mount", "--make-rshared", path], check=True)
        return path

    def _options(self, container):
        security = {**self.security, **container.get("securityContext", {})}
        options = ["--memory", container["resources"]["limits"]["memory"].replace("Mi", "m")]
        options += ["--user", f"{security.get('runAsUser', 0)}:{security.get('runAsGroup', 0)}"]
        options += [f"--group-add={security['fsGroup']}"] if "fsGroup" in security else []
        options += ["--privileged"] if security.get("privileged") else []
        options += [f"--cap-drop={name}" for name in security.get("capabilities", {}).get("drop", [])]
        options += [f"--cap-add={name}" for name in security.get("capabilities", {}).get("add", [])]
        options += ["--security-opt=no-new-privileges"] if security.get("allowPrivilegeEscalation") is False else []
        options += ["--read-only"] if security.get("readOnlyRootFilesystem") else []
        if self.spec.get("hostPID"):
            options += ["--pid=host"]
        elif self.spec.get("shareProcessNamespace") and self.first:
            options += [f"--pid=container:{self.name(self.first)}"]
        for mount in container["volumeMounts"]:
            how = PROPAGATION[mount.get("mountPropagation")] + (",ro" if mount.get("readOnly") else "")
            options += ["-v", f"{self.paths[mount['name']]}:{mount['mountPath']}:{how}"]
        return options

    def begin(self, container):
        """Starts one; returns when its startup probe says that it has."""
        entry, *rest = container["command"]
        self.start(container["name"], *rest, *self.adjust(container.get("args", [])),
                   options=[*self._options(container), f"--entrypoint={entry}"])
        if "startupProbe" in container:
            for _ in range(100):
                if self.probe(container, "startupProbe") == 0:
                    return
            raise AssertionError(f"{container['name']} did not start:\n{self.log()}")

    def run_all(self):
        if self.spec.get("shareProcessNamespace"):  # the pause container's, whose end no other's is
            self.first = "pause"
            self.start("pause", "infinity", options=["--init", "--entrypoint=sleep"])
        for container in self.spec.get("initContainers", []):
            assert container["restartPolicy"] == "Always"
            self.begin(container)
        for container in self.spec["containers"]:
            self.begin(container)
        return self

    def probe(self, container, kind):
        done = podman("exec", self.name(container["name"]), *container[kind]["exec"]["command"], check=False)
        return done.returncode

    def finish(self):
        super().finish()
        for path in self.paths.values():
            for inner in (path / "prod", path):
                while subprocess.run(["umount", "-l", inner], capture_output=True).returncode == 0:
                    pass
