"""The headline of a cell, see overgen.run.headline."""

NUMBERS = {
    "cppn": ("evolution_cppn", "median_confidence@*"),
    "direct": ("evolution_direct", "median_confidence@*"),
}
SAYS = ("median confidence over the classes {cppn:.3g} % in the CPPN encoding", "{direct:.3g} % in the direct one")
