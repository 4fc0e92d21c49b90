"""What must be right before a package or a deployment is begun: `python -m tools.deploy.preflight`.

It runs before anything is removed or asked of AWS.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tools.child import REPOSITORY

LAMBDA_PYTHON = (3, 11)
"""The Lambda runtime. Chalice takes the version of the Python that runs it."""


class NotReadyError(RuntimeError):
    """A stage cannot be packaged or deployed; says what to do."""


def check(stage: str, repository: Path, python: tuple[int, int] = sys.version_info[:2]) -> None:
    """Check that a stage can be packaged from a checkout by this Python.

    Raises:
        NotReadyError: it cannot; the message says what to do.
    """
    if python != LAMBDA_PYTHON:
        running, wanted = (".".join(map(str, version)) for version in (python, LAMBDA_PYTHON))
        raise NotReadyError(
            f"the functions run on Python {wanted}, and Chalice would deploy Python {running}, "
            f"since that runs it. Set up anew: make clean, then make PYTHON=python{wanted}"
        )
    stages = _stages(repository)
    if stage not in stages:
        raise NotReadyError(
            f'.chalice/config.json has no stage "{stage}" (it has {", ".join(stages)}). Add it '
            'under "stages", with an iam_policy_file for each function as the others have; then '
            "run make policies, look at the policies that it writes, and commit them"
        )
    for function, settings in stages[stage].get("lambda_functions", {}).items():
        name = settings.get("iam_policy_file")
        if name is not None and not (repository / ".chalice" / name).exists():
            raise NotReadyError(
                f".chalice/{name}, the policy of {function}, is missing: run make policies"
            )


def variables(stage: str, repository: Path) -> dict[str, str]:
    """Return the environment variables of a stage's functions, as the configuration has them."""
    config = json.loads((repository / ".chalice" / "config.json").read_text())
    own = config["stages"][stage].get("environment_variables", {})
    return config.get("environment_variables", {}) | own  # type: ignore[no-any-return]


def _stages(repository: Path) -> Mapping[str, Any]:
    config = json.loads((repository / ".chalice" / "config.json").read_text())
    stages: Mapping[str, Any] = config["stages"]
    return stages


def _main() -> int:
    try:
        check(sys.argv[1], REPOSITORY)
    except NotReadyError as error:
        print(f"make: {error}.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(_main())
