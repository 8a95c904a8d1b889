"""The sections of ``params.yaml`` that say how each technique is prepared, drawn and trained."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from pairvae.settings.detector import BeamCentreOption, GeometryOption, MaskOption, QScale
from pairvae.settings.faults import KINDS
from pairvae.settings.networks import CompactNetwork, Network
from pairvae.settings.parsing import Positive, Section
from pairvae.settings.presets import KEEP_GREY
from pairvae.settings.training import SaxsTraining, SemTraining


class SaxsPrepare(Section):
    """SAXS preprocessing (paper, Method)."""

    size: int = Field(ge=32, le=1024, multiple_of=32, description="side of the prepared pattern, px")
    colormap: str | None = Field(
        description="colour map to undo (vge: the published one); null: the colours as they are, as in the paper"
    )
    beam_centre: BeamCentreOption = Field(
        description="row and column of the beam, px, or auto (from the file's header, else found); the pattern is "
        "cropped to the square around it; null: around the middle",
    )
    # The defaults are for cards that were written before these settings were; presets name them all.
    geometry: GeometryOption = Field(
        default=None, description="a .poni file beside pairs.csv: the beam centre and q per pixel; null: none"
    )
    mask: MaskOption = Field(
        default=None,
        description="a mask file beside pairs.csv (edf, npy, tif, png, msk), non-zero where a pixel does not count; "
        "null: none",
    )
    q_per_px: QScale | None = Field(
        default=None,
        description="bring all patterns to this q per prepared pixel, 1/nm; null: leave the scales as they are",
    )


class SemPrepare(Section):
    """Preprocessing of micrographs (paper, Method and Figure S2); techniques like SEM have subclasses of it."""

    technique: ClassVar[str] = "sem"  # whose settings they are, for messages

    rows: Positive | None = Field(
        description="image rows above the data bar, px, where the metadata do not give them; null: detected"
    )
    columns: Positive | None = Field(description="image columns, px; null: all of them")
    crop: int = Field(ge=32, le=4096, multiple_of=32, description="side of a crop, px")
    blur_px: int = Field(ge=1, le=31, description="side of the Gaussian kernel, px (odd)")
    blur_sigma: float = Field(gt=0, le=10, description="standard deviation of the blur, px")
    threshold: Literal["adaptive", "otsu", "li", "sauvola", "none"] = Field(
        default="adaptive",
        description="adaptive: the mean of a window, as published; sauvola: its mean and contrast; otsu, li: one "
        "level for the image; none: grey levels are kept",
    )
    phase: Literal["bright", "dark"] = Field(
        default="bright", description="the phase that becomes 1; dark also inverts grey levels"
    )
    window_px: int = Field(ge=3, le=101, description="window of adaptive and sauvola, px (odd)")
    window_nm: float | None = Field(
        default=None, gt=0, le=1e6, description="the same window in nm, before window_px; null: window_px"
    )
    offset: float = Field(ge=-50, le=50, description="grey levels subtracted from the local mean")
    nm_per_px: float | None = Field(
        gt=0, le=1000, description="bring all images to this pixel size; null: leave them as they are"
    )
    shading: bool = Field(
        default=False, description="subtract slow changes of brightness, an eighth of the shorter side"
    )

    @property
    def grey(self) -> bool:
        """Whether micrographs keep their grey levels instead of becoming two phases."""
        return self.threshold == KEEP_GREY

    @model_validator(mode="after")
    def _odd_windows(self) -> Self:
        for name in ("blur_px", "window_px"):
            if getattr(self, name) % 2 == 0:
                raise ValueError(f"an odd {name}")
        return self


class SaxsSettings(Section):
    """Everything about the SAXS side."""

    prepare: SaxsPrepare
    network: Network
    training: SaxsTraining

    @model_validator(mode="after")
    def _likelihood_fits(self) -> Self:
        if self.training.likelihood == "components" and self.network.architecture != "levels":
            raise ValueError("network.architecture levels for training.likelihood components")
        return self


class CroppedSettings(Section):
    """Everything about a further technique whose images are drawn as crops; its own class checks ``prepare``."""

    prepare: Any
    network: Network
    training: SemTraining

    @property
    def grey(self) -> bool:
        """Whether images keep their grey levels instead of becoming two phases."""
        prepare = self.prepare
        return prepare.grey if isinstance(prepare, SemPrepare) else prepare.get("threshold") == KEEP_GREY

    @model_validator(mode="after")
    def _likelihood_fits(self) -> Self:
        if self.training.likelihood == "texture" and self.network.architecture != "texture":
            raise ValueError("network.architecture texture for training.likelihood texture")
        if self.grey and self.training.start_from == "prior":
            raise ValueError(
                "training.start_from null for prepare.threshold none: the prior knows two phases"
            )
        return self


class SemSettings(CroppedSettings):
    """Everything about the SEM side."""

    prepare: SemPrepare


class ModalitySettings(Section):
    """Everything about a further modality; its own class in ``pairvae.modalities`` checks ``prepare``."""

    prepare: dict[str, Any]
    network: CompactNetwork
    training: SaxsTraining


def _kind(section: Any) -> str:
    """What the settings of a further modality describe: a training with texture statistics is one on crops."""
    if isinstance(section, Section):
        return KINDS[isinstance(section, CroppedSettings)]
    training = section.get("training") if isinstance(section, dict) else None
    return KINDS[isinstance(training, dict) and "texture" in training]


FurtherSettings = Annotated[
    Annotated[ModalitySettings, Tag(KINDS[0])] | Annotated[CroppedSettings, Tag(KINDS[1])],
    Discriminator(_kind),
]
