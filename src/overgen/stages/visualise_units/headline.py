"""The headline of a cell, see overgen.run.headline."""

NUMBERS = {"own": ("units", "likes_its_image_best"), "gain": ("dreams", "median_gain")}
SAYS = (
    "{own.hits} of {own.n} units like their own image better than every photograph",
    "dreams excite a layer {gain:.2g} times as much",
)
