"""The headline of a cell, see overgen.run.headline."""

NUMBERS = {
    "restoration": ("attacked_denoiser", "fooled@method=restoration"),
    "likelihood": ("attacked_denoiser", "fooled@method=likelihood"),
}
SAYS = ("restoration fooled in {restoration:.0f} % of trials", "the likelihood in {likelihood:.0f} %")
