"""YAML, read with the line of every value, and written. PyYAML is an extra, imported only here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any


class YamlError(ValueError):
    """A text that is no YAML. ``line``: where, from 1."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True, slots=True)
class Located:
    """A value and the line that it stands on. Inside a mapping or list the values are `Located` again."""

    value: Any
    line: int

    def plain(self) -> Any:
        """The value without lines."""
        if isinstance(self.value, dict):
            return {key: inner.plain() for key, inner in self.value.items()}
        if isinstance(self.value, list):
            return [inner.plain() for inner in self.value]
        return self.value


def load(text: str) -> list[Located]:
    """The documents of a text. Raises `YamlError`, also for a key that stands twice."""
    yaml = _yaml()
    loader = yaml.SafeLoader(text)
    try:
        documents = []
        while loader.check_node():
            documents.append(_located(yaml, loader, loader.get_node()))
        return documents
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise YamlError(str(error.problem or error.context), mark.line + 1 if mark else 1) from None
    except yaml.YAMLError as error:
        raise YamlError(str(error), 1) from None
    finally:
        loader.dispose()


def _located(yaml: ModuleType, loader: Any, node: Any) -> Located:
    line = node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        values: dict[str, Located] = {}
        for key_node, value_node in node.value:
            key = str(loader.construct_object(key_node, deep=True))
            if key in values:
                raise YamlError(f"{key} stands twice", key_node.start_mark.line + 1)
            found = _located(yaml, loader, value_node)
            # A block's own mark is that of its first entry; a reader looks for the line with its name.
            values[key] = Located(found.value, key_node.start_mark.line + 1)
        return Located(values, line)
    if isinstance(node, yaml.SequenceNode):
        return Located([_located(yaml, loader, item) for item in node.value], line)
    return Located(loader.construct_object(node, deep=True), line)


def dump(*documents: Mapping[str, Any], comment: str = "") -> str:
    """YAML in the order of the keys; texts of several lines as blocks. ``comment``: stands above, line by line."""
    yaml = _yaml()

    class Dumper(yaml.SafeDumper):  # type: ignore[misc, name-defined]  # the module is loaded lazily
        def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - its name and shape are PyYAML's
            return True

    def text(dumper: Any, value: str) -> Any:
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)

    Dumper.add_representer(str, text)
    body = yaml.dump_all(documents, Dumper=Dumper, sort_keys=False, width=120, allow_unicode=True)
    return "".join(f"# {line}\n" for line in comment.splitlines()) + str(body)


def _yaml() -> ModuleType:
    try:
        import yaml
    except ImportError as error:
        raise ImportError("SLO files need PyYAML: pip install 'l0-otel[slo]'") from error
    return yaml
