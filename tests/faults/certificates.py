"""Certificates, good ones and bad ones."""

import os
import subprocess
from functools import lru_cache
from pathlib import Path

from network import ADDRESS

HOST = "service.example"
GOOD_NAMES = f"subjectAltName=DNS:localhost,DNS:{HOST},IP:127.0.0.1,IP:{ADDRESS}\n"
OTHER_NAMES = "subjectAltName=DNS:other.example\n"


@lru_cache
def faketime_library():
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    assert found, "libfaketime is missing: see contrib/install-dependencies.sh"
    return found[0]


class Authority:
    """Signs certificates; `ca` is its own. All are two days old, so that clocks that are an hour off don't matter."""

    def __init__(self, work):
        self.work = work
        work.mkdir()
        self.ca = work / "ca.pem"
        self._openssl("req", "-x509", *self._key("ca.key"), "-days", "9", "-subj", "/CN=sstorefs test authority", "-out", self.ca)

    def _openssl(self, *words, days_ago=2):
        subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True,
                       env={**os.environ, "LD_PRELOAD": str(faketime_library()), "FAKETIME": f"-{days_ago}d"})

    def _key(self, name):
        return "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", self.work / name

    def certificate(self, name, names=GOOD_NAMES, days=9, days_ago=2):
        """(certificate, key), as files."""
        pem, key, request, extensions = (self.work / f"{name}.{end}" for end in ("pem", "key", "csr", "names"))
        self._openssl("req", *self._key(key.name), "-subj", "/CN=localhost", "-out", request)
        extensions.write_text(names)
        self._openssl("x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", self.work / "ca.key", "-CAcreateserial",
                      "-days", days, "-extfile", extensions, "-out", pem, days_ago=days_ago)
        return pem, key


class Certificates:
    def __init__(self, work):
        ours, others = Authority(work / "ours"), Authority(work / "others")
        self.ca = ours.ca
        self.good = ours.certificate("good")
        self.wrong_name = ours.certificate("wrong_name", OTHER_NAMES)
        self.expired = ours.certificate("expired", days=1)
        self.unknown = others.certificate("unknown")
