"""The headline of a cell, see overgen.run.headline."""

NUMBERS = {
    "fooled": ("photographs", "fooling_rate@start=photograph"),
    "updates": ("photographs", "median_updates_to_fool@start=photograph"),
    "change": ("photographs", "median_mean_change@start=photograph"),
}
SAYS = (
    "fooled from {fooled.hits} of {fooled.n} pairs of photograph and class at τ {fooled.tau:g}",
    "in a median of {updates:.0f} updates",
    "which change a pixel by {change:.2g} of 255",
)
