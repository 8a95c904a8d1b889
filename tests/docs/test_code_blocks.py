"""Commands and Python of README and tutorial: every command and option exists, every block is Python."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TUTORIAL = (ROOT / "docs" / "tutorial.md").read_text("utf-8")
README = (ROOT / "README.md").read_text("utf-8")


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.M | re.S)


def test_there_is_something_to_execute() -> None:
    assert len(blocks(TUTORIAL, "python")) == 1
    for block in [*blocks(TUTORIAL, "python"), *blocks(README, "python")]:
        compile(block, "block", "exec")


@pytest.mark.parametrize("page", ["tutorial", "readme"])
def test_commands_of_the_pages_exist(page: str) -> None:
    """Every ``pairvae ...`` of the page names a command with options that it has."""
    import typer
    from typer.main import get_command

    from pairvae.cli import app

    text = TUTORIAL if page == "tutorial" else README
    for line in re.findall(r"(?:^|`)(pairvae [^`\n]+)", text, re.M):
        words = line.split("  #")[0].split()[1:]
        command = get_command(app)
        context = typer.Context(command, info_name="pairvae")
        while words and words[0] in getattr(command, "commands", {}):
            command = command.commands[words[0]]  # type: ignore[attr-defined]  # a group's
            context = typer.Context(command, info_name=words.pop(0), parent=context)
        assert context.parent is not None or words[0].startswith("-") or words[0].isupper(), line
        known = {option for parameter in command.params for option in parameter.opts} | {
            "--help",
            "--install-completion",
        }
        for word in words:
            if word.startswith("--"):
                assert word.rstrip(",.;)]").partition("=")[0] in known, line
