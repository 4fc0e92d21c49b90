"""The SDK's descriptions of AWS and its services, read in a fraction of the time.

Left to itself, botocore looks through the folders of more than 400 services before it makes its
first client, twice, and reads more than a megabyte of JSON into ordered dictionaries. That is a
sixth of a cold start.
"""

import gzip
from pathlib import Path
from typing import Any

import msgspec
from botocore.loaders import JSONFileLoader, Loader


class _Files(JSONFileLoader):
    def load_file(self, file_path: str) -> Any:
        """Return what a file says, `None` where there is no such file.

        Args:
            file_path: without its suffix.
        """
        plain, packed = Path(f"{file_path}.json"), Path(f"{file_path}.json.gz")
        if plain.is_file():
            return msgspec.json.decode(plain.read_bytes())
        if packed.is_file():
            return msgspec.json.decode(gzip.decompress(packed.read_bytes()))
        # Whatever other form a later botocore has.
        return super().load_file(file_path)


class _Models(Loader):
    def list_available_services(self, type_name: str) -> list[str]:  # noqa: ARG002 - botocore's
        """Return the services that Trivet calls: botocore makes clients of these alone."""
        return ["dynamodb", "events", "iam", "stepfunctions", "sts"]


MODELS = _Models(file_loader=_Files())
"""For all sessions: each file is read once, whatever the number of accounts."""
