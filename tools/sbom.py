"""`make package`: writes what the Lambda package holds beside it, as a CycloneDX document.

https://cyclonedx.org/docs/1.6/json/, to whose schema it is held. The components are those that the
package itself names in its `*.dist-info` folders, and Chalice's runtime, which Chalice adds without
one. It holds no time and no random number: the same package has the same document.
"""

import hashlib
import json
import sys
from collections.abc import Iterator
from email.message import Message
from email.parser import BytesParser
from importlib.metadata import metadata
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from chalicelib import VERSION
from tools.licences import licence_of

Component = dict[str, Any]


def bill_of_materials(package: Path) -> dict[str, Any]:
    """Return the CycloneDX document of a deployment package."""
    with ZipFile(package) as zipped:
        components = sorted(_components(zipped), key=lambda each: each["name"].lower())
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": "trivet",
                "name": "trivet",
                "version": VERSION,
                "hashes": [
                    {
                        "alg": "SHA-256",
                        "content": hashlib.sha256(package.read_bytes()).hexdigest(),
                    }
                ],
            }
        },
        "components": components,
        "dependencies": [
            {"ref": "trivet", "dependsOn": [each["bom-ref"] for each in components]},
        ],
    }


def _components(zipped: ZipFile) -> Iterator[Component]:
    for name in zipped.namelist():
        if name.endswith(".dist-info/METADATA"):
            yield _component(BytesParser().parsebytes(zipped.read(name)))
    if "chalice/app.py" in zipped.namelist():
        chalice = metadata("chalice")
        assert isinstance(chalice, Message)
        yield _component(chalice)


def _component(of: Message) -> Component:
    name, version = str(of["Name"]), str(of["Version"])
    purl = f"pkg:pypi/{name.lower().replace('_', '-')}@{version}"
    return {
        "type": "library",
        "bom-ref": purl,
        "name": name,
        "version": version,
        "purl": purl,
        "licenses": [{"expression": licence_of(of)}],
    }


def breach_of_schema(document: dict[str, Any]) -> str | None:
    """Return what CycloneDX's schema finds wrong with a document, if anything."""
    found = JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(document))
    return str(found) if found else None


def _main() -> int:
    folder = Path(sys.argv[1])
    document = bill_of_materials(folder / "deployment.zip")
    if breach := breach_of_schema(document):
        print(f"make package: the bill of materials is no CycloneDX: {breach}", file=sys.stderr)
        return 1
    (folder / "sbom.json").write_text(json.dumps(document, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(_main())
