"""Parameters of requests, as FastAPI checks and describes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Query
from pydantic import Field

from pairvae.app.uploads import LONGEST_NAME
from pairvae.data.pairs.pairs_table import MOST_CONDITIONS
from pairvae.modalities.acquisition import Acquisition, acquisition_of

MOST_SAMPLES = 32
SEEDS = 2**31
LONGEST_CONDITION = 220

Name = Annotated[str, Query(max_length=LONGEST_NAME, description="name of the file, for the answer")]
Samples = Annotated[int, Query(ge=1, le=MOST_SAMPLES, description="images drawn from the posterior")]
Seed = Annotated[int, Query(ge=0, lt=SEEDS)]
Source = Annotated[str, Query(max_length=40, description="the modality of the file: saxs, sem")]
Target = Annotated[
    str, Query(max_length=40, description="the modality to predict; empty: the other one of the main pair")
]
Beside = Annotated[
    list[Annotated[str, Field(max_length=60)]] | None,
    Query(
        max_length=3,
        description="TECHNIQUE:BYTES of a further file of the same sample: the body is all files, one after the other",
    ),
]
ModelName = Annotated[
    str, Query(max_length=40, description="name of a model in /api/about; empty: the first")
]
Scale = Annotated[
    float | None,
    Query(gt=0, allow_inf_nan=False, description="nm per px of a micrograph, q per px (1/nm) of a pattern"),
]
Coordinate = Annotated[float, Query(ge=-1e6, le=1e6, allow_inf_nan=False)]


@dataclass(frozen=True)
class Asked:
    """The request for a prediction; each field is a query parameter."""

    source: Source
    name: Name = ""
    model: ModelName = ""
    samples: Samples = 8
    seed: Seed = 0
    target: Target = ""
    beside: Beside = None


@dataclass(frozen=True)
class Known:
    """Metadata of a file; each field is a query parameter."""

    nm_per_px: Scale = None
    q_per_px: Scale = None
    beam_centre: Annotated[str | None, Query(max_length=60, description="row,column of the beam, px")] = None
    q_unit: Annotated[str | None, Query(max_length=20, description="of a curve: 1/nm or 1/angstrom")] = None
    condition: Annotated[
        list[Annotated[str, Field(max_length=LONGEST_CONDITION)]] | None,
        Query(max_length=MOST_CONDITIONS, description="NAME=VALUE of the sample, for models that take it"),
    ] = None

    @property
    def acquisition(self) -> Acquisition:
        """Checked (``InputError``)."""
        return acquisition_of(
            self.nm_per_px, self.q_per_px, self.beam_centre, self.q_unit, self.condition or []
        )
