"""Progress as people and logs see it, with a clock that the test sets."""

import io
from collections.abc import Callable

import pytest

from pairvae.progress import LINE_INTERVAL_S, Progress, clock, track


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def ticking(step: float) -> Callable[[], float]:
    moments = iter(step * number for number in range(10_000))
    return lambda: next(moments)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (59.4, "0:59"), (59.6, "1:00"), (3599.6, "1:00:00"), (7384, "2:03:04")]
)
def test_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text


def test_log_gets_plain_lines_and_only_from_time_to_time() -> None:
    stream = io.StringIO()
    progress = Progress(60, "train", stream=stream, now=ticking(1.0))
    for _ in range(60):
        progress.advance("loss 1")
    lines = stream.getvalue().splitlines()
    assert len(lines) == 60 // LINE_INTERVAL_S
    assert lines[0] == "train: 15/60, 0:15 < 0:45 left  loss 1"
    assert lines[-1] == "train: 60/60, took 1:00  loss 1"
    assert "\r" not in stream.getvalue()


def test_terminal_gets_one_line_that_is_overwritten() -> None:
    stream = Terminal()
    progress = Progress(4, "train", stream=stream, now=ticking(1.0))
    for _ in range(4):
        progress.advance()
    shown = stream.getvalue()
    assert shown.count("\r") == 4
    assert shown.count("\n") == 1
    assert shown.endswith("\n")
    assert "[######..................] 1/4 0:01 < 0:03 left" in shown


def test_steps_of_an_earlier_process_do_not_count_towards_the_speed() -> None:
    stream = Terminal()
    Progress(100, "train", start_at=90, stream=stream, now=ticking(2.0)).advance()
    assert "91/100 0:02 < 0:18 left" in stream.getvalue()


def test_track_yields_everything_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(track("abc", 3, "letters")) == ["a", "b", "c"]
    assert "letters: 3/3, took 0:00" in capsys.readouterr().err


def test_nothing_to_do_is_no_error() -> None:
    assert list(track([], 0, "none")) == []
