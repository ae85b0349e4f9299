"""The headline of a cell, see overgen.run.headline."""

NUMBERS = {"images": ("fooling_images", "images@*", "n")}
SAYS = ("kept {images:.0f} images that fooled",)
