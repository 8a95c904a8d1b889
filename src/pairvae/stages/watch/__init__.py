"""`pairvae watch`: predictions from the files of a folder as they appear."""

from pairvae.stages.watch.run import Options, Summary, watch
from pairvae.stages.watch.status import Status

__all__ = ["Options", "Status", "Summary", "watch"]
