"""Tasks act in the order of their times."""

from collections.abc import Generator

from l0.backtest.virtual_time import VirtualClock, run_alone, run_in_order


class Sleeper:
    def __init__(self, name: str, started: float, waits: list[float], clock: VirtualClock, log: list[str]) -> None:
        self.name, self.started, self._waits, self._clock, self._log = name, started, waits, clock, log

    def run(self) -> Generator[float, None, str]:
        at = self.started
        self._log.append(f"{self.name} {self._clock():g}")
        for wait in self._waits:
            at += wait
            yield at
            self._log.append(f"{self.name} {self._clock():g}")
        return self.name


def test_actions_run_in_the_order_of_their_times() -> None:
    clock, log = VirtualClock(), list[str]()
    tasks = [Sleeper("a", 1, [5, 1], clock, log), Sleeper("b", 0, [3, 3], clock, log), Sleeper("c", 9, [], clock, log)]
    ended = list(run_in_order(tasks, clock))
    assert log == ["b 0", "a 1", "b 3", "a 6", "b 6", "a 7", "c 9"]
    assert ended == [(1, "b"), (0, "a"), (2, "c")]


def test_task_alone_returns_its_result() -> None:
    assert run_alone(Sleeper("a", 1, [5, 1], VirtualClock(), [])) == "a"
