"""The scores of a denoiser: where their numbers stand, and how they are written in reports."""

from __future__ import annotations

EXPERIMENT = "attacked_denoiser"
MODEL = "denoiser"
RESTORATION = "restoration"
HELD_BACK = "restoration_held_back"
MEAN = "restoration_mean"
BESIDE = "beside"  # ỹ of the denoising autoencoder that is attacked in the same way
SCALED = "scaled_output"
LIKELIHOOD = "likelihood"
NAMES = {
    RESTORATION: "restoration",
    HELD_BACK: "restoration, gradient held back",
    MEAN: "restoration, a mean over σ",
    LIKELIHOOD: "log likelihood",
    SCALED: "ỹ",
    BESIDE: "ỹ of the dAE",
}


def method_name(method: str) -> str:
    """A score as it is written in reports: "scaled_output_alpha2" is "ỹ, α = 2"."""
    name, _, alpha = method.partition("_alpha")
    return NAMES[name] + (f", α = {alpha}" if alpha else "")
