#!/usr/bin/python3
"""Writes the bill of materials of a build: SPDX 2.3, as JSON. meson runs it with what it has found.

    sbom.py VERSION NAME=VERSION=LICENCE…
"""

import datetime
import hashlib
import json
import os
import sys
import uuid


def package(name, version, licence, **more):
    return {"SPDXID": f"SPDXRef-{name}", "name": name, "versionInfo": version, "downloadLocation": "NOASSERTION",
            "filesAnalyzed": False, "licenseConcluded": licence, "licenseDeclared": licence, "copyrightText": "NOASSERTION", **more}


def bill(version, libraries):
    packages = [package("sstorefs", version, "MIT", primaryPackagePurpose="APPLICATION")]
    packages += [package(*library, primaryPackagePurpose="LIBRARY") for library in sorted(libraries)]
    # The same libraries have the same name, wherever and whenever they were built with.
    digest = hashlib.sha256(json.dumps(packages, sort_keys=True).encode()).hexdigest()
    created = datetime.datetime.fromtimestamp(int(os.environ.get("SOURCE_DATE_EPOCH", "0")), datetime.timezone.utc)
    relations = [("SPDXRef-DOCUMENT", "DESCRIBES", "SPDXRef-sstorefs")]
    relations += [("SPDXRef-sstorefs", "DYNAMIC_LINK", entry["SPDXID"]) for entry in packages[1:]]
    return {"spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT", "name": f"sstorefs-{version}",
            "documentNamespace": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, digest)}",
            "creationInfo": {"created": created.strftime("%Y-%m-%dT%H:%M:%SZ"), "creators": [f"Tool: sstorefs-sbom-{version}"]},
            "packages": packages,
            "relationships": [{"spdxElementId": one, "relationshipType": kind, "relatedSpdxElement": other} for one, kind, other in relations]}


if __name__ == "__main__":
    json.dump(bill(sys.argv[1], [library.split("=") for library in sys.argv[2:]]), sys.stdout, indent=1)
    print()
