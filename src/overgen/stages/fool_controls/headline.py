"""The headline of a cell, see overgen.run.headline."""

NUMBERS = {
    "fooled": ("control_gradient", "fooling_rate@start=noise"),
    "updates": ("control_gradient", "mean_steps_to_fool@start=noise"),
}
SAYS = ("from noise fooled {fooled.hits} of {fooled.n} at τ {fooled.tau:g}", "in a mean of {updates:.1f} updates")
