"""
What a node does with a manifest, done by podman: containers in their order, volumes with their propagation, probes. podman kube play itself knows
neither native sidecars nor propagation.
"""

import os
import subprocess
from pathlib import Path

import yaml

from containers import Pod
from systemd_container import podman

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
        self.first = self.first or container["name"]
        if "startupProbe" in container:
            for _ in range(100):
                if self.probe(container, "startupProbe") == 0:
                    return
            raise AssertionError(f"{container['name']} did not start:\n{self.log()}")

    def run_all(self):
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
