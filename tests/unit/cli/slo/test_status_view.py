"""`l0 slo status` against a server that answers as Prometheus does."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from l0.cli.inputs import InputError
from l0.cli.main import main
from l0.cli.slo.chart import chart
from l0.cli.slo.prometheus_client import Prometheus, PrometheusStatus
from l0.cli.slo.status_view import renderables
from l0.slo import series
from l0.slo.burn import DAY, HOUR, PAIRS

LABELS = {series.SLO: "availability", series.LAYER: "attempts", series.PROVIDER: "openai"}
FEW = LABELS | {series.PROVIDER: "groq"}


class FakePrometheus(ThreadingHTTPServer):
    """Knows the value of each query; of ranges the same value at every step."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.values: dict[str, list[tuple[dict[str, str], str]]] = {}
        self.status = 200

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        url = urlsplit(self.path)
        asked = {name: values[0] for name, values in parse_qs(url.query).items()}
        found = self.server.values.get(asked["query"], [])
        if url.path.endswith("query_range"):
            at = range(int(float(asked["start"])), int(float(asked["end"])), int(asked["step"]))
            result = [{"metric": labels, "values": [[when, value] for when in at]} for labels, value in found]
        else:
            result = [{"metric": labels, "value": [float(asked["time"]), value]} for labels, value in found]
        body = json.dumps({"status": "success", "data": {"result": result}}).encode()
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def prometheus() -> Iterator[FakePrometheus]:
    server = FakePrometheus()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def fill(prometheus: FakePrometheus, budget: str = "0.25") -> None:
    prometheus.values |= {
        series.TARGET: [(LABELS | {series.WINDOW: "30d"}, "0.99")],
        series.MIN_EVENTS: [(LABELS, "20")],
        series.events(HOUR): [(LABELS, "100"), (FEW, "3")],
        series.events(30 * DAY): [(LABELS, "4000"), (FEW, "3")],
        series.BUDGET: [(LABELS, budget), (FEW, "1")],
        **{series.burn(pair.long): [(LABELS, str(pair.factor)), (FEW, "NaN")] for pair in PAIRS},
        series.select(series.errors(3 * DAY), l0_slo="masked"): [({series.PROVIDER: "openai"}, "5")],
        series.select(series.events(3 * DAY), l0_slo="masked"): [({series.PROVIDER: "openai"}, "100")],
    }


def cells(text: str, provider: str) -> list[str]:
    line = next(line for line in text.splitlines() if f"| {provider} " in line)
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_status_table_by_provider_and_chart_of_the_worst(prometheus, capsys):
    fill(prometheus)
    assert main(["slo", "status", "--prometheus", prometheus.url, "--plain"]) == 0
    text = capsys.readouterr().out
    row = ["availability", "openai", "99 %", "4000", "25 %", "14.4x", "6.0x", "3.0x", "1.0x"]
    assert cells(text, "openai") == row
    assert cells(text, "groq") == ["availability", "groq", "99 %", "3", "insufficient data", "-", "-", "-", "-"]
    assert "openai: 5 % of the calls delivered in the last 3 days were saved by recovery" in text
    assert "Budget left: availability of openai, the last 24 h" in text


def test_events_of_a_window_that_lags_are_at_least_those_of_the_last_hour(prometheus, capsys):
    fill(prometheus)
    prometheus.values[series.events(HOUR)] = [(LABELS, "70"), (FEW, "60")]
    main(["slo", "status", "--prometheus", prometheus.url, "--plain"])
    text = capsys.readouterr().out
    assert cells(text, "groq")[3:5] == ["60", "insufficient data"]
    assert cells(text, "openai")[3] == "4000"


def test_a_budget_of_which_nothing_is_left_has_a_chart():
    spent = PrometheusStatus("up", "attempts", "openai", 0.99, 20.0, 100.0, budget_left=0.0, history=[None, 0.0, 0.0])
    *_, chart = renderables([spent], {}, 24.0, plain=True)
    assert str(chart).startswith("Budget left: up of openai")


def test_a_spent_budget_is_an_exit_code(prometheus, capsys):
    fill(prometheus, budget="-1.5")
    assert main(["slo", "status", "--prometheus", prometheus.url + "/"]) == 1
    assert "-150 %!" in capsys.readouterr().out


def test_names_are_whole_if_no_terminal_shows_them(prometheus, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    name = "first-token-of-a-long-name"
    for labels in (LABELS, FEW):
        monkeypatch.setitem(labels, series.SLO, name)
    fill(prometheus)
    for arguments in ([], ["--plain"]):
        assert main(["slo", "status", "--prometheus", prometheus.url, *arguments]) == 0
        text = capsys.readouterr().out
        assert text.count(name) >= 2
        assert "…" not in text
        assert max(map(len, text.splitlines())) < 150


def test_a_page_is_marked_and_an_exit_code_even_without_a_budget(prometheus, capsys):
    """The window of the budget lags, so it may still have too few events."""
    fill(prometheus)
    prometheus.values[series.events(30 * DAY)] = [(LABELS, "10"), (FEW, "3")]
    prometheus.values[series.firing("L0SloBurn3d")] = [(LABELS, "1")]
    assert main(["slo", "status", "--prometheus", prometheus.url, "--plain"]) == 0
    assert cells(capsys.readouterr().out, "openai")[4:] == ["insufficient data", "14.4x", "6.0x", "3.0x", "1.0x!"]
    prometheus.values[series.firing("L0SloBurn1h")] = [(LABELS, "1")]
    assert main(["slo", "status", "--prometheus", prometheus.url, "--plain"]) == 1
    text = capsys.readouterr().out
    assert cells(text, "openai")[4:] == ["insufficient data", "14.4x!", "6.0x", "3.0x", "1.0x!"]
    assert "page: openai burns the budget of 'availability' 14.4 times too fast in 1h\n" in text
    assert main(["slo", "status", "--prometheus", prometheus.url, "--plain", "--fail-on", "spent"]) == 0


def test_long_windows_that_have_not_begun_leave_the_row(prometheus, capsys):
    fill(prometheus)
    for name in (series.BUDGET, series.events(30 * DAY)):
        del prometheus.values[name]
    assert main(["slo", "status", "--prometheus", prometheus.url, "--plain"]) == 0
    assert cells(capsys.readouterr().out, "openai")[3:5] == ["100", "insufficient data"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--prometheus", "localhost:9090"], "got 'localhost:9090', allowed: a URL"),
        (["--prometheus", "http://127.0.0.1:1"], "cannot query"),
        (["--prometheus", "http://127.0.0.1:1", "--hours", "0"], "--hours: got 0, allowed: 0.1 to 720"),
    ],
)
def test_invalid_input_is_reported(arguments, says, capsys):
    assert main(["slo", "status", *arguments]) == 2
    assert says in capsys.readouterr().err


def test_missing_rules_and_a_refusing_server_have_different_messages(prometheus, capsys):
    assert main(["slo", "status", "--prometheus", prometheus.url]) == 2
    assert "has loaded the rules of `l0 slo rules`" in capsys.readouterr().err
    prometheus.status = 503
    assert main(["slo", "status", "--prometheus", prometheus.url]) == 2
    assert "returned status 503" in capsys.readouterr().err


def test_connection_of_a_refused_query_is_closed(prometheus):
    prometheus.status = 503
    with pytest.raises(InputError) as raised:
        Prometheus(prometheus.url).statuses(0.0, 1.0)
    assert raised.value.__cause__.fp.closed


def test_chart_has_one_column_per_value_and_shows_the_smallest():
    lines = chart([1.0, 0.5, 0.0, None, 2.0], height=2, low=0.0, high=1.0)
    assert [line.partition("┤")[2] for line in lines] == ["█   █", "██▁ █"]
    assert [line.partition("┤")[0].strip() for line in lines] == ["100%", "50%"]


def test_a_plain_chart_is_ascii():
    lines = chart([0.1, 0.9], height=3, low=-1.0, high=1.0, plain=True)
    assert all(line.isascii() for line in lines)
    assert lines[-1].endswith("@@")
