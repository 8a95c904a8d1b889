"""The settings of a project: ``params.yaml``, laid over the values of its preset, parsed once and frozen.

Every default lives here or in the preset files of ``pairvae/presets``, nowhere else.
"""

from __future__ import annotations

from pairvae.settings.detector import (
    BeamCentreOption,
    DetectorGeometry,
    GeometryOption,
    MaskOption,
    MaskPixels,
)
from pairvae.settings.faults import explain
from pairvae.settings.networks import (
    CompactNetwork,
    LevelsNetwork,
    Network,
    PaperNetwork,
    ScatteringNetwork,
    TextureNetwork,
)
from pairvae.settings.parsing import (
    LARGEST_PARAMS_BYTES,
    PARAMS_FILE,
    Section,
    assignments,
    flatten,
    parse_yaml,
    read_params,
    value_at,
)
from pairvae.settings.presets import PRESETS, merge, modality_names, preset_values
from pairvae.settings.sections import (
    AssessSettings,
    BaselineSettings,
    DeviceSettings,
    GenerateSettings,
    LatentSettings,
    PairSettings,
    PretrainSettings,
    SplitSettings,
)
from pairvae.settings.techniques import (
    CroppedSettings,
    ModalitySettings,
    SaxsPrepare,
    SaxsSettings,
    SemPrepare,
    SemSettings,
)
from pairvae.settings.training import (
    CalibrationSettings,
    EarlyStopSettings,
    Optimisation,
    PairTraining,
    SemTraining,
    SoloTraining,
    UNetSettings,
)
from pairvae.settings.whole import Settings, load_settings, resolve, with_values

__all__ = [
    "LARGEST_PARAMS_BYTES",
    "PARAMS_FILE",
    "PRESETS",
    "AssessSettings",
    "BaselineSettings",
    "BeamCentreOption",
    "CalibrationSettings",
    "CompactNetwork",
    "CroppedSettings",
    "DetectorGeometry",
    "DeviceSettings",
    "EarlyStopSettings",
    "GenerateSettings",
    "GeometryOption",
    "LatentSettings",
    "LevelsNetwork",
    "MaskOption",
    "MaskPixels",
    "ModalitySettings",
    "Network",
    "Optimisation",
    "PairSettings",
    "PairTraining",
    "PaperNetwork",
    "PretrainSettings",
    "SaxsPrepare",
    "SaxsSettings",
    "ScatteringNetwork",
    "Section",
    "SemPrepare",
    "SemSettings",
    "SemTraining",
    "Settings",
    "SoloTraining",
    "SplitSettings",
    "TextureNetwork",
    "UNetSettings",
    "assignments",
    "explain",
    "flatten",
    "load_settings",
    "merge",
    "modality_names",
    "parse_yaml",
    "preset_values",
    "read_params",
    "resolve",
    "value_at",
    "with_values",
]
