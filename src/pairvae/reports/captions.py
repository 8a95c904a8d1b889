"""Names of scores, directions and curves, written once for tables, figures and page."""

from __future__ import annotations

from dataclasses import dataclass

from pairvae.settings import modality_names

ARROW = "→"
SPLITS = {"validation": "validation", "train": "training", "all": "all pairs"}


@dataclass(frozen=True)
class ScoreFact:
    """How a score is called and read; every score is an error, so lower is better."""

    label: str
    unit: str
    meaning: str


SCORES: dict[str, ScoreFact] = {
    "s2_mae": ScoreFact(
        "S(r) error",
        "probability",
        "Mean absolute difference between the two-point correlation curves of the true and the predicted "
        "image. S(r) is the chance that two points a distance r apart both lie in the bright phase: it "
        "starts at the phase fraction, and its ripples show the spacing of the domains and how far their "
        "order reaches. (Of grey levels it is the mean product of the two, and starts at the mean square.) An image"
        " with the same statistics scores well even though no single domain is where it was.",
    ),
    "mae": ScoreFact(
        "pixel error",
        "share of full range",
        "Mean absolute difference between the colours of the true and the predicted SAXS pattern, pixel by "
        "pixel.",
    ),
    "lineal_path_mae": ScoreFact(
        "lineal path error",
        "probability",
        "Mean absolute difference between the lineal path curves: the chance that a straight segment of a "
        "given length lies wholly in the bright phase, vertical and horizontal averaged. It tells connected"
        " lines from rows of dots, which S(r) sees less well.",
    ),
    "lineal_vertical_mae": ScoreFact(
        "vertical lineal path error",
        "probability",
        "The lineal path error of vertical segments, along the grating.",
    ),
    "lineal_horizontal_mae": ScoreFact(
        "horizontal lineal path error",
        "probability",
        "The lineal path error of horizontal segments, across the grating.",
    ),
    "s2_mean16_mae": ScoreFact(
        "S(r) error of the mean curve",
        "probability",
        "The S(r) error of the mean over 16 images drawn for one pattern: what the model says about the sample,"
        " without the scatter of a single image. Fair to compare with a regression, which predicts a mean.",
    ),
    "energy_score": ScoreFact(
        "energy score of S(r)",
        "probability",
        "E|X - y| - E|X - X'| / 2 of the S(r) curves of an ensemble's images X against true crops y (Gneiting and"
        " Raftery 2007), averaged over the samples. It is lowest for the right distribution: it rewards neither too"
        " little scatter nor too much.",
    ),
    "mean_curve_mae": ScoreFact(
        "mean curve error",
        "probability",
        "Mean absolute difference between the mean S(r) of an ensemble and S(r) of the whole measured image (median"
        " over the samples). Its floor is how well the whole image tells the curve, from its two halves.",
    ),
    "phase_fraction_error": ScoreFact(
        "phase fraction error",
        "probability",
        "Absolute difference between the shares of bright pixels.",
    ),
    "histogram_distance": ScoreFact(
        "histogram distance",
        "share of the grey scale",
        "How far grey levels have to be moved, on average over the pixels, to turn one histogram into the other"
        " (1-Wasserstein distance).",
    ),
    "contrast_error": ScoreFact(
        "contrast error",
        "share of the grey scale",
        "Absolute difference of the standard deviations of the grey levels.",
    ),
    "spacing_error": ScoreFact(
        "domain spacing error",
        "share of the true spacing",
        "Relative difference between the domain spacings, each read from the peak of the image's spectrum.",
    ),
    "orientation_error": ScoreFact(
        "orientation error",
        "0 to 1",
        "Half the distance between the orientation tensors: direction and degree of order at once. 1 for "
        "parallel lines that should be perpendicular, 0.5 for parallel lines where there should be no order.",
    ),
    "defect_density_error": ScoreFact(
        "defect density error",
        "1 / spacing²",
        "Difference of the Euler numbers (bright domains minus the holes in them) per square of the domain "
        "spacing: ends of lines and lone dots add to it, branches and bridges take from it.",
    ),
    "coherence_error": ScoreFact(
        "coherence error",
        "0 to 1",
        "Absolute difference of how parallel domains run: the mean square order of their direction within windows of"
        " 32 px. Images of smaller grains than the true ones have one.",
    ),
    "roughness_error": ScoreFact(
        "edge roughness error",
        "share of the pixels",
        "Absolute difference of the shares of pixels that a 3 x 3 median filter changes: specks and ragged edges.",
    ),
    "ssim_error": ScoreFact(
        "structural similarity error",
        "0 to 2",
        "One minus the agreement of local means, contrasts and structures (SSIM, Wang et al. 2004).",
    ),
    "ring_position": ScoreFact(
        "ring position error",
        "share of the radius",
        "Relative difference between the radii of the scattering ring, which is the inverse of the spacing.",
    ),
    "ring_width": ScoreFact(
        "ring width error", "share of the width", "Relative difference between the widths of the ring."
    ),
    "arc_angle_deg": ScoreFact(
        "arc angle error", "degrees", "Difference between the directions of the ring's brightest arcs."
    ),
    "spot_px": ScoreFact(
        "spot position error",
        "px",
        "Distance between the grating's spots, in pixels of the prepared pattern.",
    ),
    "arc_strength": ScoreFact(
        "arc strength error",
        "relative variation",
        "Difference of how much the intensity varies around the ring.",
    ),
    "iq_error": ScoreFact(
        "I(q) error",
        "levels",
        "Mean absolute difference of the azimuthally averaged intensities.",
    ),
}

MODELS = ("solo", "pair", "whole")  # in reading order; a model of another name comes after them
METHODS = {
    "solo": "trained alone",
    "pair": "paired model",
    "whole": "paired model (whole image)",
    "retrieval": "retrieval",
    "nearest_pattern": "crops of the nearest pattern",
    "three_nearest_patterns": "crops of the three nearest patterns",
    "latent_crops": "training crops of nearest latent",
    "mean": "mean of training",
    "regression": "direct regression",
    "fft": "FFT of the image",
    "fft_whole": "FFT of the whole image",
    "ridge": "ridge regression",
    "ridge_whole": "ridge regression (whole image)",
    "unet": "U-Net",
    "dual_vae": "dual VAE",
    "same_morphology": "image of the same morphology",
    "other_morphology": "image of another morphology",
    "floor": "floor: crop to crop",
}
METHOD_MEANINGS = {
    "retrieval": (
        "gives back the other measurement of the training pair whose known measurement is most alike. A "
        "model that does not beat it has learned to look up, not to predict."
    ),
    "three_nearest_patterns": "gives measured crops of the three training samples with the most similar patterns.",
    "latent_crops": (
        "gives the measured training crops whose latents are nearest to that of the pattern: what the model's own "
        "latents know, without its decoder."
    ),
    "mean": (
        "gives the average over the training pairs whatever the input; for SEM that is a curve, not an image."
    ),
    "regression": "predicts the S(r) curve from the pattern by a Gaussian process, without drawing an image.",
    "fft": (
        "takes the power spectrum of the SEM image, given the detector's look, which is fitted on training pairs."
    ),
    "ridge": "predicts the pattern from the image's autocovariance by a linear regression, without a network.",
    "unet": (
        "is a U-Net trained directly from one measurement to the other. It averages over all images that fit a"
        " pattern, and cannot be taken apart into an encoder and a decoder (the paper says so)."
    ),
    "dual_vae": (
        "joins two VAEs that were trained apart by a regression between their latents (after Yaman et al.)."
    ),
    "whole": (
        "pools the posteriors of crops that cover the whole SEM image, instead of predicting from one crop."
    ),
    "same_morphology": "takes the image of a random other sample of the same morphology.",
    "other_morphology": (
        "takes the image of a random sample of another morphology: what a plainly wrong image costs."
    ),
    "floor": (
        "compares two crops of one and the same measured image. Crops differ because a crop is a small "
        "sample, so no prediction can be expected to fall below it."
    ),
}


@dataclass(frozen=True)
class CurveFact:
    """Axis words of a morphology curve."""

    title: str
    distance: str
    value: str


CURVES: dict[str, CurveFact] = {
    "s2": CurveFact("two-point correlation", "distance r", "S(r)"),
    "lineal_vertical": CurveFact("lineal path, vertical", "segment length", "probability"),
    "lineal_horizontal": CurveFact("lineal path, horizontal", "segment length", "probability"),
}

PAPER_ORDER = {"hexagonal": 0, "skew": 1, "alternating_lines": 2, "alternating lines": 2, "ladders": 3}


def paper_rank(name: str) -> tuple[int, str]:
    """Sorting key: morphologies as in the paper's figures, others after them by name."""
    return PAPER_ORDER.get(name, len(PAPER_ORDER)), name


def readable(name: str) -> str:
    """A key as words: ``alternating_lines`` becomes ``alternating lines``."""
    return name.replace("_", " ").replace("-", " ")


def score_label(score: str) -> str:
    """``s2_mae`` becomes ``S(r) error``; an unknown score keeps its name."""
    return SCORES[score].label if score in SCORES else readable(score)


def direction_label(direction: str) -> str:
    """``saxs_sem`` becomes ``SAXS → SEM``."""
    return f" {ARROW} ".join(part.upper() for part in direction.split("_"))


def image_label(key: str) -> str:
    """``pair/saxs_sem`` becomes ``SAXS → SEM, paired model``."""
    plan, direction = key.split("/")
    return f"{direction_label(direction)}, {METHODS.get(plan, plan)}"


def part_label(part: str) -> str:
    """A part of the loss: ``sem_saxs`` becomes ``SEM → SAXS``, ``kl`` becomes ``KL divergence``."""
    if part == "kl":
        return "KL divergence"
    return direction_label(part) if is_direction(part) else readable(part)


def is_direction(key: str) -> bool:
    """Whether a key names two modalities, as ``sem_saxs``."""
    ends = key.split("_")
    return len(ends) == 2 and set(ends) <= set(modality_names())


def crosses(direction: str) -> bool:
    """Whether a modality is predicted from the other one."""
    source, _, target = direction.partition("_")
    return source != target


def target_of(direction: str) -> str:
    """The modality that a direction predicts: ``sem`` for ``saxs_sem``."""
    return direction.rsplit("_", 1)[-1]
