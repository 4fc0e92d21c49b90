"""Declarations from files: one or many, JSON or YAML, a directory of them too."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

Declaration = dict[str, Any]

_SUFFIXES = (".json", ".yaml", ".yml")


def read(path: Path) -> list[Declaration]:
    """Read the declarations in a file, or in all files of a directory and what is in it.

    A file holds one declaration or a list of them; one of YAML, several documents too. What a
    declaration may hold is the API's to say; here it only has to have a name.

    Raises:
        click.UsageError: a file cannot be read, or holds something else; one names no environment,
            or two the same.
    """
    found: dict[str, Path] = {}
    declarations: list[Declaration] = []
    for file in _files(path):
        for each in _declarations(file):
            name = str(each["name"])
            if name in found:
                raise click.UsageError(f"{name} is declared twice: in {found[name]} and {file}.")
            found[name] = file
            declarations.append(each)
    return declarations


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    files = sorted(
        each
        for each in path.rglob("*")
        if each.suffix in _SUFFIXES
        and each.is_file()
        and not any(part.startswith(".") for part in each.relative_to(path).parts)
    )
    if not files:
        raise click.UsageError(f"There is no {', '.join(_SUFFIXES)} file in {path}.")
    return files


def _declarations(file: Path) -> Iterator[Declaration]:
    documents = list(_documents(file))
    if not documents:
        raise click.UsageError(f"{file} holds no declaration.")
    for each in documents:
        if not isinstance(each, dict) or not isinstance(each.get("name"), str):
            raise click.UsageError(f"{file}: a declaration is an object that has a name.")
        for field in ("dry_run", "wait"):
            if field in each:
                raise click.UsageError(
                    f"{file}: {field} concerns one call and is no part of a declaration. "
                    "`trivet plan` shows what would change; `trivet apply` does it."
                )
        yield each


def _documents(file: Path) -> Iterator[Any]:
    try:
        content = file.read_text(encoding="utf-8")
        documents = [_json(content)] if file.suffix == ".json" else _yaml(content)
    except (OSError, ValueError) as error:
        raise click.UsageError(f"{file} cannot be read: {error}") from error
    for each in documents:
        yield from each if isinstance(each, list) else [each]


def _json(content: str) -> Any:
    return json.loads(content, object_pairs_hook=_once)


def _yaml(content: str) -> list[Any]:
    """Return the documents of a YAML file, holding nothing but what JSON can hold."""
    import yaml

    from trivet.yaml_loader import Loader

    try:
        documents = [each for each in yaml.load_all(content, Loader) if each is not None]
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error
    return documents


def _once(items: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the object of these items, none of which may be there twice, as with the API."""
    found: dict[str, Any] = {}
    for key, value in items:
        if key in found:
            raise ValueError(f"the key {key!r} is there twice")
        found[key] = value
    return found
