"""`make package-check`: what the Lambda package must hold, and what it must not.

The package is what `chalice package` wrote: `deployment.zip` beside its SAM template.
"""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from zipfile import ZipFile

from tools.child import REPOSITORY

REQUIRED_LIBRARIES = ("aws_lambda_powertools", "chalice", "jmespath", "msgspec")
NATIVE_MODULE = "msgspec/_core."
ALLOWED = {"app.py", "chalicelib", "policies", "typing_extensions.py", *REQUIRED_LIBRARIES}
OWN_FOLDERS = ("chalicelib", "policies")
MOST_MEGABYTES = 5


def found_in(package: Path, repository: Path) -> list[str]:
    """Return what is wrong with a package of this checkout; empty when nothing is."""
    own = sorted(own_files(repository))
    with ZipFile(package) as zipped:
        names = zipped.namelist()
        stale = [
            f"{name} is not as in the checkout"
            for name in own
            if name in names and zipped.read(name) != (repository / name).read_bytes()
        ]
    return problems(names, own, package.stat().st_size) + stale


def problems(names: Iterable[str], own_files: Iterable[str], compressed_bytes: int) -> list[str]:
    """Return what is wrong with the contents of a package; empty when nothing is.

    Args:
        names: the paths in the package.
        own_files: the paths in the repository that the package must hold, all under its root.
        compressed_bytes: the size of the package.
    """
    return list(_problems(set(names), set(own_files), compressed_bytes))


def _problems(names: set[str], own_files: set[str], compressed_bytes: int) -> Iterator[str]:
    top_level = {name.partition("/")[0] for name in names}
    yield from (f"{name} is missing" for name in sorted(own_files - names))
    yield from (
        f"{library} is missing" for library in REQUIRED_LIBRARIES if library not in top_level
    )
    for name in sorted(top_level - ALLOWED):
        if not name.endswith((".dist-info", ".data")):
            yield f"{name} does not belong into it"
    for name in sorted(names):
        own = name.partition("/")[0] in OWN_FOLDERS and not name.endswith("/")
        if "__pycache__" in name or (own and own_files and name not in own_files):
            yield f"{name} does not belong into it"
    natives = [name for name in names if name.startswith(NATIVE_MODULE) and name.endswith(".so")]
    if not any("linux" in name for name in natives):
        yield f"{NATIVE_MODULE}* is not built for Lambda (Linux)"
    if compressed_bytes > MOST_MEGABYTES * 1_000_000:
        yield f"it has {compressed_bytes / 1e6:.1f} MB, more than {MOST_MEGABYTES} MB"


def own_files(repository: Path) -> Iterator[str]:
    """Yield the paths of the files that Trivet itself puts into the package."""
    yield "app.py"
    for folder in OWN_FOLDERS:
        for path in (repository / folder).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                yield path.relative_to(repository).as_posix()


def _main() -> int:
    package = Path(sys.argv[1]) / "deployment.zip"
    found = found_in(package, REPOSITORY)
    for problem in found:
        print(f"{package}: {problem}", file=sys.stderr)
    if not found:
        print(f"{package}: as it should be, {package.stat().st_size / 1e6:.1f} MB")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(_main())
