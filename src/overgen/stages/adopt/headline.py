"""The headline of a cell, see overgen.run.headline."""

NUMBERS = {"accuracy": ("train", "test_accuracy"), "calibration_error": ("adopt", "calibration_error")}
SAYS = ("test accuracy {accuracy} on {accuracy.n} images", "calibration error {calibration_error:.3f}")
