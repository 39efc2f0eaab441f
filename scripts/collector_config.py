"""Write what is generated of `collector-config/`: SLO rules, their tests, and dashboards.

python scripts/collector_config.py           write the files
python scripts/collector_config.py --check   write nothing; exit code 1 if a file is not what would be written
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from dashboards.overview import overview
from dashboards.reliability import reliability
from dashboards.streams import streams
from grafana_foundation_sdk.builders.dashboard import Dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder

from l0.slo import yaml_lines
from l0.slo.dashboard import dashboard as slo_dashboard
from l0.slo.objective import DEFAULTS
from l0.slo.prometheus_rules import rules
from l0.slo.prometheus_tests import promtests

FOLDER = Path(__file__).resolve().parent.parent / "collector-config"
DASHBOARDS: tuple[Callable[[], Dashboard], ...] = (overview, streams, reliability)


COMMENT = """\
Written by scripts/collector_config.py for the objectives that hold where nobody says anything else.
For your own: `l0 slo init` writes slo.yaml, `l0 slo rules` this file, `l0 slo test` tests it."""


def generated() -> Mapping[str, str]:
    """Every generated file: its text by its path in the folder."""
    texts = {f"grafana/dashboards/{make.__name__}.json": _json(make()) for make in DASHBOARDS}
    texts["grafana/dashboards/slo.json"] = slo_dashboard(DEFAULTS)
    texts["prometheus/rules/l0-slo.yml"] = yaml_lines.dump(rules(DEFAULTS), comment=COMMENT)
    texts["prometheus/tests/l0-slo.yml"] = yaml_lines.dump(promtests(DEFAULTS, "../rules/l0-slo.yml"), comment=COMMENT)
    return texts


def _json(dashboard: Dashboard) -> str:
    return json.dumps(dashboard.build(), cls=JSONEncoder, indent=2, sort_keys=True) + "\n"


def stale() -> list[str]:
    """Paths of the files that are missing or differ."""
    return [
        path
        for path, text in generated().items()
        if not (FOLDER / path).is_file() or (FOLDER / path).read_text() != text
    ]


def write() -> None:
    """Write those that are not fresh."""
    texts = generated()
    for path in stale():
        (FOLDER / path).parent.mkdir(parents=True, exist_ok=True)
        (FOLDER / path).write_text(texts[path])
        print(f"written: collector-config/{path}")


if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        sys.exit("\n".join(f"not fresh: collector-config/{path}" for path in stale()) or None)
    write()
