"""The headline of a cell, see overgen.run.headline."""

NUMBERS = {
    "temperature": ("calibration", "temperature@fitted_on=test"),
    "error": ("calibration", "calibration_error@temperature=1"),
    "calibrated_error": ("calibration", "calibration_error@temperature=fitted"),
    "fooled": ("calibration", "fooling_rate@start=noise@temperature=fitted"),
}
SAYS = (
    "temperature {temperature:.2f}",
    "calibration error {error:.3f}, calibrated {calibrated_error:.3f}",
    "then fooled {fooled.hits} of {fooled.n} at τ {fooled.tau:g}",
)
