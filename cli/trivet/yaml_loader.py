"""A YAML loader for what JSON can hold, in which no key may be there twice."""

from typing import Any

import yaml


class Loader(yaml.SafeLoader):
    """Loads strings, numbers, booleans, null, lists and objects; a date is a string."""

    yaml_implicit_resolvers = {  # noqa: RUF012
        letter: [(tag, pattern) for tag, pattern in found if not tag.endswith(":timestamp")]
        for letter, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def _mapping(loader: Loader, node: yaml.MappingNode) -> dict[str, Any]:
    own = [key.value for key, _ in node.value]
    for key, _ in node.value:
        if not key.tag.endswith((":str", ":merge")):
            raise _error(f"the key {key.value} is not a string: quote it", key)
        if own.count(key.value) > 1:
            raise _error(f"the key {key.value!r} is there twice", key)
    # What is merged in with `<<` comes first; the mapping's own keys win over it.
    loader.flatten_mapping(node)
    return {key.value: loader.construct_object(value, deep=True) for key, value in node.value}


def _error(said: str, node: yaml.Node) -> yaml.YAMLError:
    return yaml.constructor.ConstructorError(None, None, said, node.start_mark)


def _refused(_: Loader, node: yaml.Node) -> Any:
    raise _error(f"a declaration holds no {node.tag}", node)


Loader.add_constructor("tag:yaml.org,2002:map", _mapping)
for _kind in ("binary", "set", "omap", "pairs", "timestamp"):
    Loader.add_constructor(f"tag:yaml.org,2002:{_kind}", _refused)
