"""The headline of a cell, see overgen.run.headline."""

NUMBERS = {
    "of_pca": ("compression", "error_of_pca@kind=ae@size=2"),
    "jpeg": ("compression", "jpeg_of_code@size=*@how=together"),
}
SAYS = ("with 2 units {of_pca:.0f} % of PCA's error", "JPEG takes {jpeg:.0f} % of the code's bits at its error")
