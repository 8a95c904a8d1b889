"""Parameters and answers of the servers' requests, with their limits, as the description of the API lists them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Query

from pairvae.app.uploads import LONGEST_NAME
from pairvae.modalities.acquisition import Acquisition, acquisition_of

MOST_SAMPLES = 32
SEEDS = 2**31

Name = Annotated[str, Query(max_length=LONGEST_NAME, description="name of the file, for the answer")]
Samples = Annotated[int, Query(ge=1, le=MOST_SAMPLES, description="images drawn from the posterior")]
Seed = Annotated[int, Query(ge=0, lt=SEEDS)]
Source = Annotated[str, Query(max_length=40, description="the modality of the file: saxs, sem")]
ModelName = Annotated[
    str, Query(max_length=40, description="name of a model in /api/about; empty: the first")
]
Scale = Annotated[
    float | None,
    Query(gt=0, allow_inf_nan=False, description="nm per px of a micrograph, q per px (1/nm) of a pattern"),
]
Coordinate = Annotated[float, Query(ge=-1e6, le=1e6, allow_inf_nan=False)]

FILE = {
    "requestBody": {
        "required": True,
        "description": "the bytes of one image file: png, jpg, tif, npy",
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}
REFUSED = {
    "description": "the file or a parameter is invalid; `error` names the problem and its remedy in one line",
    "content": {"application/json": {"schema": {"type": "object", "required": ["error"],
                                                 "properties": {"error": {"type": "string"}}}}},
}  # fmt: skip
ANSWERS: dict[int | str, dict[str, Any]] = {
    400: REFUSED,
    **{code: {**REFUSED, "description": words} for code, words in (
        (403, "another host or site"), (401, "no token"), (408, "sent too slowly"), (413, "too large"),
        (503, "too many requests at once"), (504, "took too long"), (507, "no room for the file on the server"),
    )},
}  # fmt: skip


@dataclass(frozen=True)
class Asked:
    """The request for a prediction; each field is a query parameter."""

    source: Source
    name: Name = ""
    model: ModelName = ""
    samples: Samples = 8
    seed: Seed = 0


@dataclass(frozen=True)
class Known:
    """Metadata of a file; each field is a query parameter."""

    nm_per_px: Scale = None
    q_per_px: Scale = None
    beam_centre: Annotated[str | None, Query(max_length=60, description="row,column of the beam, px")] = None
    q_unit: Annotated[str | None, Query(max_length=20, description="of a curve: 1/nm or 1/angstrom")] = None

    @property
    def acquisition(self) -> Acquisition:
        """Checked (``InputError``)."""
        return acquisition_of(self.nm_per_px, self.q_per_px, self.beam_centre, self.q_unit)


def bytes_of(kind: str) -> dict[int | str, dict[str, Any]]:
    """The description of an answer that is a file."""
    return {200: {"content": {kind: {}}}}
