"""The headline of a cell, see overgen.run.headline."""

NUMBERS = {
    "more": ("lbfgs_transfer_halves", "more_than_noise@*@rms=0.1"),
    "same": ("lbfgs_transfer_halves", "same_half_more@*@rms=0.1"),
}
SAYS = (
    "on magnified examples the network on the other half errs {more:.0f} points more often than on noise",
    "one on the same half {same:.0f} points more often than it",
)
