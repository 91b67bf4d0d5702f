#!/usr/bin/env python3
"""Prints what notify-bridge is made of, as an SPDX 2.3 document: the program, the Swift packages in it and the Swift runtime.

    Packaging/sbom.py VERSION >notify-bridge.spdx.json

Run it in the root of the checkout, after the packages were resolved. A container image's and a Debian package's libraries
(libpq, OpenSSL, zlib) are Debian's, whose own records name them.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

# Words by which a licence's text is known.
LICENSES = {
    "Apache License": "Apache-2.0",
    "Permission is hereby granted, free of charge": "MIT",
}


def license_of(folder: Path) -> str:
    """The licence of a package's sources, by its text."""
    for file in sorted(folder.glob("LICENSE*")):
        text = file.read_text(errors="replace")
        for words, name in LICENSES.items():
            if words in text:
                return name
    return "NOASSERTION"


def package(name: str, version: str, location: str, license: str, purl: str | None = None) -> dict[str, object]:
    entry: dict[str, object] = {
        "SPDXID": "SPDXRef-" + re.sub(r"[^A-Za-z0-9.-]", "-", name),
        "name": name, "versionInfo": version, "downloadLocation": location, "filesAnalyzed": False,
        "licenseConcluded": "NOASSERTION", "licenseDeclared": license, "copyrightText": "NOASSERTION",
    }
    if purl:
        entry["externalRefs"] = [
            {"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": purl}]
    return entry


def swift_packages() -> list[dict[str, object]]:
    found = []
    for pin in json.loads(Path("Package.resolved").read_text())["pins"]:
        location, state = pin["location"], pin["state"]
        repository = location.removesuffix(".git")
        found.append(package(
            pin["identity"], state["version"], f"git+{location}@{state['revision']}",
            license_of(Path(".build/checkouts") / repository.rsplit("/", 1)[1]),
            f"pkg:swift/{repository.removeprefix('https://')}@{state['version']}"))
    return found


def main() -> None:
    version = sys.argv[1]
    told = subprocess.run(["swift", "--version"], capture_output=True, text=True, check=True).stdout
    runtime = re.search(r"Swift version (\S+)", told)
    assert runtime, told
    program = package("notify-bridge", version, "NOASSERTION", license_of(Path()))
    linked = [
        *swift_packages(),
        package("swift-runtime", runtime[1], "https://www.swift.org/install/linux", "Apache-2.0 WITH Swift-exception")]
    # The same sources have the same document, apart from its date.
    digest = hashlib.sha256(json.dumps([program, linked]).encode()).hexdigest()
    created = time.gmtime(int(os.environ.get("SOURCE_DATE_EPOCH", time.time())))
    json.dump({
        "spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT", "name": f"notify-bridge-{version}",
        "documentNamespace": f"https://spdx.org/spdxdocs/notify-bridge-{version}-{digest[:32]}",
        "creationInfo": {"created": time.strftime("%Y-%m-%dT%H:%M:%SZ", created), "creators": ["Tool: notify-bridge-sbom"]},
        "packages": [program, *linked],
        "relationships": [
            {"spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES", "relatedSpdxElement": program["SPDXID"]},
            *({"spdxElementId": program["SPDXID"], "relationshipType": "DEPENDS_ON", "relatedSpdxElement": each["SPDXID"]}
              for each in linked)],
    }, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
