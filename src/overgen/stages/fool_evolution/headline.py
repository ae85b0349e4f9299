"""The headline of a cell, see overgen.run.headline."""

NUMBERS = {
    "fooled_by_cppn": ("evolution_cppn", "fooling_rate"),
    "fooled_by_direct": ("evolution_direct", "fooling_rate"),
}
SAYS = (
    "CPPN fooled {fooled_by_cppn.hits} of {fooled_by_cppn.n} at τ {fooled_by_cppn.tau:g}",
    "direct encoding {fooled_by_direct.hits} of {fooled_by_direct.n}",
)
