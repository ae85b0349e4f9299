"""The scores of a denoiser: where their numbers stand, and how they are written in reports."""

from __future__ import annotations

from overgen.stages.evaluate_scores.names import method_name as of_scores

EXPERIMENT = "attacked_denoiser"
MODEL = "denoiser"
HELD_BACK = "restoration_held_back"
NAMES = {
    "restoration": "restoration",
    HELD_BACK: "restoration, gradient held back",
    "restoration_mean": "restoration, a mean over σ",
    "likelihood": "log likelihood",
}


def method_name(method: str) -> str:
    """A score as it is written in reports: "scaled_output_alpha2" is "ỹ, α = 2"."""
    return NAMES.get(method, of_scores(method))
