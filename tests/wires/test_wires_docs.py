"""docs/wires.md lists every kind of wire that is accepted although it is odd."""

from pathlib import Path

from own_wires import OWN

PAGE = Path(__file__).parents[2] / "docs" / "wires.md"


def rows() -> list[str]:
    """Return a row for each kind of the wires in `own_wires`: its dialects, and the anomalies that count it."""
    kinds = dict.fromkeys(wire.kind for wire in OWN if wire.kind)
    found = []
    for kind in kinds:
        wires = [wire for wire in OWN if wire.kind == kind]
        dialects = ", ".join(dict.fromkeys(wire.dialect for wire in wires))
        anomalies = ", ".join(f"`{odd}`" for odd in dict.fromkeys(wire.odd for wire in wires if wire.odd))
        found.append(f"| {kind} | {dialects} | {anomalies} |")
    return found


def test_docs_list_the_accepted_wires() -> None:
    _, _, table = PAGE.read_text(encoding="utf-8").partition("\n| property of the answer ")
    _, _, *listed = table.partition("\n\n")[0].splitlines()
    assert sorted(listed) == sorted(rows())
