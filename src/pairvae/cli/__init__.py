"""The command line. Heavy imports are inside the commands, so that `--help` is fast."""

from __future__ import annotations

import errno
import io
import os
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from pairvae.cli import data, models, serving, stages, study, suggest, tune, upkeep
from pairvae.errors import InputError
from pairvae.parallel.parent_process import end_with_repro

FIRST = ("init", "data", "repro", "params", "predict", "app", "ui")  # what a new user needs, in this order
LAST = "register"  # a stage, too


class ByUse(TyperGroup):
    """Commands in the order of use: those of the first hour, then the others; stages, which `repro` runs, last."""

    def list_commands(self, ctx: Any) -> list[str]:  # typer has no public name of its context's base
        """Names, as the help lists them."""
        names = super().list_commands(ctx)
        return [*FIRST, *(name for name in names if name not in (*FIRST, LAST)), LAST]


app = typer.Typer(
    cls=ByUse,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain text: rich takes longer to import than everything else of `--help`
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
    help="PairVAE: predict SEM images from SAXS patterns and back. Start with `pairvae init DIR`; in the "
    "project, `pairvae repro` runs everything.",
)
app.add_typer(data.app, name="data")
app.add_typer(tune.app, name="tune")
for family in (study, models, suggest, serving, upkeep, stages):
    app.add_typer(family.app)


def _print_version(requested: bool) -> None:
    if requested:
        from pairvae import __version__

        typer.echo(f"pairvae {__version__}")
        raise typer.Exit


@app.callback()
def common(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="print the version")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="show the traceback of an error")] = False,
) -> None:
    """Options of every command."""
    if debug:
        os.environ["PAIRVAE_DEBUG"] = "1"


def main() -> None:
    """Run the command line; a user error prints one line and exits with code 1."""
    end_with_repro()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a file name may not be valid text
    try:
        app()
    except (InputError, OSError) as error:
        if os.environ.get("PAIRVAE_DEBUG"):
            raise
        message = error if isinstance(error, InputError) else _file_error(error)
        typer.secho(str(message), fg=typer.colors.RED, err=True)
        sys.exit(1)


def _file_error(error: OSError) -> InputError:
    """An error of the operating system as one line."""
    remedies = {
        errno.ENOSPC: "free some space and run it again",
        errno.EDQUOT: "free some of your quota and run it again",
        errno.EACCES: "check the permissions",
        errno.EPERM: "check the permissions",
        errno.EROFS: "choose a folder that can be written",
    }
    code = error.errno or 0
    reason = error.strerror or str(error) or type(error).__name__
    if not code and "requested and" in reason:  # numpy's message for a truncated write
        code, reason = errno.ENOSPC, f"truncated write, {reason}"
    return InputError(
        expected="a file that can be read or written",
        found=reason,
        where=str(error.filename or ""),
        remedy=remedies.get(code, ""),
    )
