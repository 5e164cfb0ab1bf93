"""YAML without surprises: a key that is given twice is refused, where YAML itself lets the last one win."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from engram.errors import ConfigError


def read_yaml(path: Path) -> Any:
    """The content of a YAML file in UTF-8.

    Raises ConfigError where it cannot be read, is not UTF-8 or not YAML, or gives keys twice, naming all of them.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror or error})") from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        value = error.object[error.start : error.start + 1]
        raise ConfigError(
            f"{path}: line {line} is not UTF-8 text (value: {value!r}). Save the file as UTF-8."
        ) from error
    loader = _Loader(text)
    try:
        content = loader.get_single_data()
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: is not valid YAML: {error}") from error
    finally:
        loader.dispose()
    if loader.repeated:
        raise ConfigError("\n".join([f"{path}: {len(loader.repeated)} problem(s)", *loader.repeated]))
    return content


class _Loader(yaml.SafeLoader):
    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.repeated: list[str] = []

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        lines: dict[Hashable, list[int]] = defaultdict(list)
        for key_node, _ in node.value:
            if isinstance(key_node, yaml.ScalarNode) and key_node.tag != "tag:yaml.org,2002:merge":
                lines[self.construct_object(key_node)].append(key_node.start_mark.line + 1)
        self.repeated += [
            f"  - '{key}' is given {len(at)} times, in lines {', '.join(map(str, at))}. Keep one."
            for key, at in lines.items()
            if len(at) > 1
        ]
        return super().construct_mapping(node, deep=deep)
