"""`pairvae watch`: predictions from the files of a folder as they appear."""

from pairvae.commands.watch.options import Options, Summary
from pairvae.commands.watch.status import Status
from pairvae.commands.watch.watcher import watch

__all__ = ["Options", "Status", "Summary", "watch"]
