"""The headline of a cell, see overgen.run.headline."""

NUMBERS = {
    "gain": ("denoising", "gain@noise=gaussian@level=*@over=noisy"),
    "over_filter": ("denoising", "gain@noise=gaussian@level=*@over=best_filter"),
}
SAYS = ("the denoising AE gains {gain:.1f} dB on the noise of its training", "{over_filter:.1f} on the best filter")
