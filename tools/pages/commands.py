"""The reference of the command line, from the Typer application itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

HEAD = """# Commands

Made from the command line itself: what `pairvae COMMAND --help` says. Exit codes: 0 done, 1 the input or the data is at
fault (one line: what was expected, what was found, where, what to do), 2 wrong usage, 130 stopped by Ctrl-C with
everything kept. `pairvae --debug COMMAND` shows the traceback of an error.

Shell completion: `pairvae --install-completion`, or `pairvae --show-completion` for a shell's own file.
"""


def page() -> str:
    """Markdown of all commands, groups before their members."""
    import typer
    from typer.main import get_command

    from pairvae.cli import app

    root = get_command(app)
    top = typer.Context(root, info_name="pairvae")
    return "\n".join([HEAD, *_entries(root, top)])


def _entries(group: Any, context: Any) -> Iterator[str]:
    import typer

    for name, command in sorted(group.commands.items()):
        if command.hidden:
            continue
        inner = typer.Context(command, info_name=name, parent=context)
        yield _entry(command, inner)
        if getattr(command, "commands", None):
            yield from _entries(command, inner)


def _entry(command: Any, context: Any) -> str:
    """Title, usage, what it does, and a table of its arguments and options."""
    lines = [f"## {context.command_path}", "", (command.help or "").strip(), ""]
    lines += ["```text", command.get_usage(context).removeprefix("Usage: "), "```", ""]
    records = [parameter.get_help_record(context) for parameter in command.params]
    told = [record for record in records if record is not None]
    if told:
        lines += ["| argument or option | |", "| --- | --- |"]
        lines += [f"| `{_line(left)}` | {_cell(right)} |" for left, right in told]
        lines.append("")
    return "\n".join(lines)


def _line(text: str) -> str:
    """Text on one line, fit for code in a cell: Markdown shows marks and bars in code as they are."""
    return " ".join(text.split())


def _cell(text: str) -> str:
    """Text fit for a cell of a Markdown table; what stands in code stays as it is."""
    parts = _line(text).split("`")
    parts[::2] = [part.replace("|", "\\|").replace("<", "&lt;") for part in parts[::2]]
    return "`".join(parts)
