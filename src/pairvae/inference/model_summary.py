"""What a trained pair is, in five rows: for the prompt and for notebooks."""

from __future__ import annotations

import html
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from pairvae.inference.training_summary import TrainingSummary
from pairvae.modalities import MODALITIES


def summary(
    card: Mapping[str, Any], facts: TrainingSummary | None, names: Collection[str]
) -> list[tuple[str, str]]:
    """What a pair is: the pair, its two modalities, the training data, and what trained it.

    Parameters
    ----------
    card : mapping
        Of the model folder.
    facts : TrainingSummary or None
        What is known of the training data.
    names : collection of str
        The modalities.

    Returns
    -------
    list of tuple of str
        Five rows of a name and a value.
    """
    rows = [("Predictor", " <-> ".join(names))]
    for name in names:
        entry = card["modalities"][name]
        parts = [MODALITIES[name].title, " x ".join(map(str, entry["shape"]))]
        if "network" in entry and "latent" in entry:
            latent = entry["latent"]
            parts.append(f"network {entry['network']['architecture']}")
            parts.append(f"latent {latent['channels']} x {latent['grid']} x {latent['grid']}")
        rows.append((name, ", ".join(parts)))
    pairs = [f"{len(card['train_ids'])} training pairs"] if "train_ids" in card else ["unknown"]
    if facts is not None and facts.nm_per_px is not None:
        pairs.append(f"{facts.nm_per_px:.4g} nm per px")
    if facts is not None and facts.q_per_px is not None:
        pairs.append(f"{facts.q_per_px:.4g} 1/nm per px")
    rows.append(("training data", ", ".join(pairs)))
    made = [f"pairvae {card.get('pairvae', 'of an unknown version')}"]
    if "seconds" in card and "device" in card:
        made.append(f"{card['seconds']:.0f} s on {card['device']}")
    rows.append(("trained by", ", ".join(made)))
    return rows


def html_table(rows: Sequence[tuple[str, str]]) -> str:
    """Rows as the table that a notebook shows."""
    cells = (
        f"<tr><th style='text-align:left'>{html.escape(name)}</th>"
        f"<td style='text-align:left'>{html.escape(value)}</td></tr>"
        for name, value in rows
    )
    return f"<table>{''.join(cells)}</table>"
