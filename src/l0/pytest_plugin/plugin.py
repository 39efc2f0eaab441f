"""The part of the plugin that pytest loads in every run: options, the marker and the fixtures."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

if TYPE_CHECKING:
    from l0.simulator.server import Simulator

    from .cassette import Cassette
    from .cassette_options import CassetteOptions

MARKER = "l0_cassette"
SIMULATOR_MARKER = "l0_simulator"
MODES = ("none", "once", "new_episodes", "all")
_KEYS = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY")
_FAILED = pytest.StashKey[bool]()
_NOT_IN_FILE_NAMES = str.maketrans(dict.fromkeys("/<>?%*:|\"'\\", "-"))


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of cassettes."""
    group = parser.getgroup("l0", "L0 cassettes")
    group.addoption(
        "--l0-record",
        choices=MODES,
        default="none",
        help="record the requests of tests with a cassette: none (default, only play), once (if the test has no file), "
        "new_episodes (requests without a recording), all (everything again)",
    )
    group.addoption(
        "--l0-speed",
        type=_speed,
        default=None,
        metavar="FACTOR",
        help="play recorded answers with their timing, this many times faster; max (default) does not wait",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Declare the markers."""
    config.addinivalue_line(
        "markers",
        f"{MARKER}(speed=, ignore=, ignore_hosts=, redact=): play the test's HTTP requests from its cassette "
        "(L0; --l0-record records it)",
    )
    config.addinivalue_line(
        "markers",
        f"{SIMULATOR_MARKER}(**options): give the test a simulated provider (L0); options of l0.testing.simulator",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Give a marked test the fixture with the name of its marker, before its other fixtures."""
    item.stash[_FAILED] = False  # a test that is run again, by a plugin, has not failed yet
    names = getattr(item, "fixturenames", None)
    for marker in (MARKER, SIMULATOR_MARKER):
        if names is not None and item.get_closest_marker(marker) is not None:
            if marker in names:
                names.remove(marker)
            names.insert(_first_function_fixture(item, names), marker)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> None:
    """Remember that a test has failed, so that its cassette does not report the same again."""
    if call.excinfo is not None:
        item.stash[_FAILED] = True


@pytest.fixture
def l0_cassette_options() -> Mapping[str, Any]:
    """Return the options of the cassettes. Define a fixture of this name to change them; those of a marker win."""
    return {}


@pytest.fixture
def l0_cassette(request: pytest.FixtureRequest, l0_cassette_options: Mapping[str, Any]) -> Iterator[Cassette]:
    """Record the HTTP requests of a test in its cassette, or play them from it, as ``--l0-record`` says."""
    from .cassette import Cassette
    from .cassette_transport import connected

    item, mode = request.node, str(request.config.getoption("--l0-record"))
    cassette = Cassette(cassette_path(item), mode, _options(request, l0_cassette_options), test=_test_name(item))
    with connected(cassette), pytest.MonkeyPatch.context() as patch:
        for name in _KEYS:
            if not cassette.records and name not in os.environ:  # the SDKs make no client without a key
                patch.setenv(name, "played")
        yield cassette
    cassette.save()
    if item.stash[_FAILED]:
        return
    if cassette.unmatched:
        pytest.fail(f"the test passed, but a request had no recording.\n{cassette.unmatched[0]}", pytrace=False)
    if not cassette.all_played:
        _warn(cassette.unplayed)


@pytest.fixture
def l0_simulator_options() -> Mapping[str, Any]:
    """Return the options of `l0_simulator`. Define a fixture of this name to change them; those of a marker win."""
    return {}


@pytest.fixture
def l0_simulator(
    request: pytest.FixtureRequest, l0_simulator_options: Mapping[str, Any], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Simulator]:
    """Run a simulated provider. `OpenAI()` and `Anthropic()` call it, because their environment variables name it."""
    from l0.simulator.simulator_config import SimulatorError
    from l0.testing import simulator

    cassette = request.getfixturevalue(MARKER) if MARKER in request.fixturenames else None
    try:
        with simulator(**_merged(request, SIMULATOR_MARKER, l0_simulator_options)) as running:
            monkeypatch.setenv("OPENAI_BASE_URL", running.openai)
            monkeypatch.setenv("ANTHROPIC_BASE_URL", running.anthropic)
            for name in _KEYS:
                monkeypatch.setenv(name, next(iter(running.config.api_keys), "simulated"))
            yield running
            if cassette is None or not cassette.play_count:  # else the cassette may have answered in its place
                _check_use(request.node, running)
    except (SimulatorError, TypeError, ValueError) as error:
        _reject_options(SIMULATOR_MARKER, error)


def cassette_path(item: pytest.Item) -> Path:
    """Return the path of a test's cassette: ``cassettes/<module>/<class>.<test>.json`` beside its module.

    Tests whose names differ only in characters that a file name cannot have, or in an outer class, have the same path:
    `cassette_file.path_of` tells them apart.
    """
    owner = getattr(item, "cls", None)
    name = item.name if owner is None else f"{owner.__name__}.{item.name}"
    return item.path.parent / "cassettes" / item.path.stem / f"{name.translate(_NOT_IN_FILE_NAMES)}.json"


def _test_name(item: pytest.Item) -> str:
    """Return the names of a test and of its classes. A node id is not used: other plugins change it."""
    return "::".join(node.name for node in item.listchain() if isinstance(node, pytest.Class | pytest.Item))


def _first_function_fixture(item: pytest.Item, names: Sequence[str]) -> int:
    """Return the index after all fixtures of a wider scope than "function": their requests belong to no single test."""
    known = getattr(getattr(item, "_fixtureinfo", None), "name2fixturedefs", {})
    wider = [index for index, name in enumerate(names) if name in known and known[name][-1].scope != "function"]
    return wider[-1] + 1 if wider else 0


def _options(request: pytest.FixtureRequest, configured: Mapping[str, Any]) -> CassetteOptions:
    from .cassette_options import CassetteOptions

    try:
        options = _merged(request, MARKER, configured)
        speed = request.config.getoption("--l0-speed")
        if speed is not None:
            options["speed"] = speed
        return CassetteOptions(**options)
    except (TypeError, ValueError) as error:
        _reject_options(MARKER, error)


def _merged(request: pytest.FixtureRequest, name: str, configured: Mapping[str, Any]) -> dict[str, Any]:
    """Return the configured options with those of the marker of this name."""
    marker = request.node.get_closest_marker(name)
    if marker and marker.args:
        raise TypeError(f"the marker {name} takes keyword arguments only")
    return dict(configured) | (marker.kwargs if marker else {})


def _reject_options(name: str, error: Exception) -> NoReturn:
    raise pytest.fail.Exception(f"options of {name}: {error}", pytrace=False) from None


def _check_use(item: pytest.Item, simulator: Simulator) -> None:
    """Warn if a test did not use its simulated provider as it seems to intend."""
    has_failed = item.stash[_FAILED]
    if not has_failed:
        _warn_of_unused_replies(simulator)
        _warn_of_missed_faults(simulator)
    if simulator.requests or not (message := _clients_elsewhere(simulator, item.config.rootpath)):
        return
    if has_failed:
        item.add_report_section(
            "teardown", SIMULATOR_MARKER, message
        )  # as an error, a warning would be a second failure
    else:
        _warn(message)


def _warn_of_unused_replies(simulator: Simulator) -> None:
    if unused := simulator.unused_replies:
        faults = ", ".join(str(reply.fault) for reply in unused)
        count = "1 reply of the script was" if len(unused) == 1 else f"{len(unused)} replies of the script were"
        _warn(f"{SIMULATOR_MARKER}: {count} not used (the faults: {faults})")


def _warn_of_missed_faults(simulator: Simulator) -> None:
    if missed := simulator.missed_faults:
        faults = ", ".join(str(fault) for fault in missed)
        _warn(f"{SIMULATOR_MARKER}: faults of the script changed nothing, perhaps after the end of an answer: {faults}")


def _clients_elsewhere(simulator: Simulator, root: Path) -> str:
    """Return a message about clients that do not call the simulator; empty if there are none."""
    from .import_time_clients import clients_elsewhere

    found = clients_elsewhere(root, simulator.origin)
    clients = ", ".join(f"{name} ({url})" for name, url in found.items())
    return clients and (
        f"{SIMULATOR_MARKER} received no request. These clients were made at import and do not call it: {clients}. "
        "Make them in a function or a fixture, or set their base_url."
    )


def _warn(message: str) -> None:
    warnings.warn(pytest.PytestWarning(message), stacklevel=2)


def _speed(text: str) -> float:
    return float("inf") if text == "max" else float(text)
