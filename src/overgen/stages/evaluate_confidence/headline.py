"""The headline of a cell, see overgen.run.headline."""

NUMBERS = {
    "accuracy": ("fgn", "thresholded_accuracy"),
    "calibration_error": ("confidence", "calibration_error"),
    "noise_accepted": ("confidence", "noise_accepted@uniform-noise"),
}
SAYS = (
    "accuracy {accuracy} at τ {accuracy.tau:g}",
    "calibration error {calibration_error:.3f}",
    "accepts {noise_accepted} of uniform noise",
)
