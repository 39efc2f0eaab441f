"""Read YAML with the line of every value, and write YAML. PyYAML is an optional extra, imported only here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

_MAX_CHARACTERS = 250_000
_MAX_VALUES = 20_000
_MAX_DEPTH = 50
REPEATED = " repeated in line "
"""A duplicate key is stored as the key, this text and its line, so that its value can be checked as well."""
_MERGE = "tag:yaml.org,2002:merge"


class YamlError(ValueError):
    """A text that is not valid YAML, or exceeds a limit. ``line``: the line of the error, from 1."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True, slots=True)
class Located:
    """A value and its line. The values inside a mapping or list are `Located` as well."""

    value: Any
    line: int

    def plain(self) -> Any:
        """Return the value without lines."""
        if isinstance(self.value, dict):
            return {key: inner.plain() for key, inner in self.value.items()}
        if isinstance(self.value, list):
            return [inner.plain() for inner in self.value]
        return self.value


ReportMistake = Callable[[int, str], None]
"""Receives the line and the text of a mistake."""


def load(text: str, report: ReportMistake | None = None) -> list[Located]:
    """Return the documents of a text.

    ``report``: receives the mistakes that leave the rest of the text readable (a duplicate key, a key that is not text,
    a value that YAML cannot convert), so that one of them does not hide the others. Without it they raise, too.

    Raises `YamlError` for invalid YAML, for a duplicate key, and for a text above the limits on characters, values and
    depth. An alias counts as many values as its target, so that a small file cannot expand to a huge one.
    """
    if len(text) > _MAX_CHARACTERS:
        raise YamlError(f"the file is too long, allowed: {_MAX_CHARACTERS:,} characters", 1)
    yaml = _yaml()
    try:
        loader = _loader(yaml)(text)
        try:
            return _Reader(yaml, loader, report or _raise).documents()
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        if error.context_mark and mark is error.problem_mark and not text[mark.index :].strip():
            mark = error.context_mark  # the unclosed part began there; the problem mark is just the end of the file
        raise YamlError(str(error.problem or error.context), mark.line + 1 if mark else 1) from None
    except yaml.YAMLError as error:
        place = getattr(error, "position", 0)  # an error about a character that YAML does not allow has its position
        line = text.count("\n", 0, place) + 1 if isinstance(place, int) else 1
        raise YamlError(str(error).splitlines()[0], line) from None


@dataclass(frozen=True, slots=True)
class _Alias:
    """An alias (``*name``) with its line. PyYAML replaces an alias by its target node, which loses the line."""

    node: Any
    line: int


def _loader(yaml: ModuleType) -> Any:
    class Loader(yaml.SafeLoader):  # type: ignore[misc, name-defined]  # the module is loaded lazily
        depth = 0

        def compose_node(self, parent: Any, index: Any) -> Any:
            event = self.peek_event()
            line = event.start_mark.line + 1
            if isinstance(event, yaml.AliasEvent):
                return _Alias(super().compose_node(parent, index), line)
            if self.depth >= _MAX_DEPTH:
                raise YamlError(f"nested too deeply, allowed: {_MAX_DEPTH} levels", line)
            self.depth += 1
            try:
                return super().compose_node(parent, index)
            finally:
                self.depth -= 1

    return Loader


class _Reader:
    """A converter of PyYAML's nodes to values with their lines."""

    def __init__(self, yaml: ModuleType, loader: Any, report: ReportMistake) -> None:
        self._report = report
        self._yaml = yaml
        self._loader = loader
        self._values_left = _MAX_VALUES
        self._open: set[int] = set()

    def documents(self) -> list[Located]:
        """Return all documents."""
        found = []
        while self._loader.check_node():
            found.append(self._located(self._loader.get_node(), None))
        return found

    def _located(self, node: Any, alias: int | None) -> Located:
        """Return the value of a node. ``alias``: the line of the alias through which it is read, if any."""
        if isinstance(node, _Alias):
            node, alias = node.node, node.line if alias is None else alias
        line: int = node.start_mark.line + 1 if alias is None else alias
        self._values_left -= 1
        if self._values_left < 0:
            raise YamlError(f"too many values with aliases expanded, allowed: {_MAX_VALUES:,}", line)
        if id(node) in self._open:
            raise YamlError("an alias inside its own target", line)
        self._open.add(id(node))
        try:
            return Located(self._value(node, line, alias), line)
        finally:
            self._open.discard(id(node))

    def _value(self, node: Any, line: int, alias: int | None) -> Any:
        if isinstance(node, self._yaml.MappingNode):
            self._check_tag(node, "map", line)
            return self._mapping(node, alias)
        if isinstance(node, self._yaml.SequenceNode):
            self._check_tag(node, "seq", line)
            return [self._located(item, alias) for item in node.value]
        try:
            return self._loader.construct_object(node, deep=True)
        except (ValueError, OverflowError) as error:  # `!!int x`, 2001-99-99, more digits than Python reads
            self._report(line, f"not a value: {error}")
            return None

    def _mapping(self, node: Any, alias: int | None) -> dict[str, Located]:
        values: dict[str, Located] = {}
        for key_node, value_node in node.value:
            if getattr(key_node, "tag", "") == _MERGE:
                line = key_node.start_mark.line + 1 if alias is None else alias
                self._report(line, "merge keys (<<) are not supported: write the fields out")
                continue
            named = self._located(key_node, alias)
            key = named.value
            if not isinstance(key, str):
                self._report(named.line, f"a key that is not text: {named.plain()!r}; put it in quotes")
                key = str(key)
            if key in values:
                self._report(named.line, f"duplicate key {key}, first in line {values[key].line}")
                key = f"{key}{REPEATED}{named.line}"  # so that its value is checked as well
            # PyYAML marks a block at its first entry. Readers expect the line with the block's name.
            values[key] = Located(self._located(value_node, alias).value, named.line)
        return values

    def _check_tag(self, node: Any, kind: str, line: int) -> None:
        if node.tag != f"tag:yaml.org,2002:{kind}":
            raise YamlError(f"the tag {node.tag!r} is not supported", line)


def _raise(line: int, text: str) -> None:
    raise YamlError(text, line)


def dump(*documents: Mapping[str, Any], comment: str = "") -> str:
    """Return YAML in the order of the keys, with multi-line texts as blocks. ``comment``: lines above the documents."""
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
