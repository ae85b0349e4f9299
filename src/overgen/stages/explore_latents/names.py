"""How sources of pictures and ways of drawing latents are called."""

from __future__ import annotations

GROUP_NAMES = {"images": "", "network": "AE", "codes": "small AE", "variational": "VAE"}
WAY_NAMES = {
    "real": "test images",
    "restored": "of test images",
    "uniform": "uniform in the range",
    "standard": "standard normal",
    "gaussian": "fitted normal",
    "mixture": "fitted mixture",
}
SPACE_NAMES = {
    "pixels": "pixels",
    "latents": "the latents",
    "plane": "plane of two components",
    "tsne": "t-SNE picture",
}


def drawn_name(group: str, way: str) -> str:
    """ "VAE, its prior" of standard normal latents of a VAE, "AE, fitted mixture"."""
    if group == "variational" and way == "standard":
        return "VAE, its prior"
    return ", ".join(filter(None, (GROUP_NAMES[group], WAY_NAMES[way])))
