"""How much is told, where, and how: -v and -q, one line each, bars on a terminal only."""

import io
import os
import sys
from argparse import ArgumentParser, Namespace

import pytest

from ssd.telling import LOG, add_options, gauge, listen, on_one_line, progress, tell_versions

MINDSPORES = "GLOG_v"
"""Its own level, from the environment; 2: warnings."""


class Terminal(io.StringIO):
    """Text that is taken for a terminal."""

    def isatty(self) -> bool:
        return True


def tell_all() -> None:
    LOG.debug("a fact")
    LOG.info("what was done")
    LOG.warning("what one should know")
    LOG.error("a fault")


def given(*arguments: str) -> Namespace:
    parser = ArgumentParser()
    add_options(parser)
    return parser.parse_args(arguments)


def test_what_was_done_goes_to_standard_output_and_the_rest_to_standard_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    listen(**vars(given()))
    tell_all()
    said = capsys.readouterr()
    assert (said.out, said.err) == ("what was done\n", "what one should know\na fault\n")


def test_quiet_tells_faults_alone(capsys: pytest.CaptureFixture[str]) -> None:
    listen(**vars(given("-q")))
    tell_all()
    tell_versions()
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "a fault\n")


def test_verbose_tells_facts_with_the_time_and_versions(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(MINDSPORES, "")  # to be as it was afterwards
    monkeypatch.delenv(MINDSPORES)
    listen(**vars(given("--verbose")))
    tell_versions()
    LOG.debug("a fact")
    versions, fact = capsys.readouterr().err.splitlines()
    assert " s] Python 3." in versions and "numpy 1." in versions
    assert fact.startswith("[") and fact.endswith(" s] a fact")
    assert os.environ[MINDSPORES] == "2"


def test_ones_own_level_of_mindspore_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(MINDSPORES, "4")
    listen(verbose=True, quiet=False)
    assert os.environ[MINDSPORES] == "4"


def test_both_at_once_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        given("-v", "-q")
    assert "not allowed with argument" in capsys.readouterr().err


def test_to_listen_twice_tells_once(capsys: pytest.CaptureFixture[str]) -> None:
    listen(verbose=False, quiet=False)
    listen(verbose=False, quiet=False)
    LOG.info("what was done")
    assert capsys.readouterr().out == "what was done\n"


def test_a_line_stays_one_line_and_moves_no_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    LOG.info("a\nb\x1b[2J %s", "größer日")
    assert capsys.readouterr().out == "a\\nb\\x1b[2J größer日\n"
    assert on_one_line("a\tb") == "a\\tb"


@pytest.mark.parametrize(("quiet", "shown"), [(False, True), (True, False)])
def test_a_terminal_gets_a_bar_with_rate_and_time_left_unless_quiet(
    quiet: bool, shown: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    listen(verbose=False, quiet=quiet)
    assert list(progress("detect", iter("ab"), 2)) == ["a", "b"]
    with gauge("copy", 2000, "B", 1000) as bar:
        bar.update(1000)
    told = terminal.getvalue()
    assert ("detect: 100%" in told and "image/s]" in told) is shown
    assert ("copy: 100%" in told and "2.00k/2.00k" in told) is shown
    assert bool(told) is shown


def test_a_pipe_gets_no_bar(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(progress("detect", [1, 2])) == [1, 2]
    with gauge("copy", 2, "B") as bar:
        bar.update(2)
    assert capsys.readouterr().err == ""
