"""The headline of a cell, see overgen.run.headline."""

# Of the attacked networks, the last one at the largest τ: a cell has a row for each.
NUMBERS = {
    "seen_as_target": ("witness", "seen_as_target_rate@*"),
    "accepted_as_target": ("witness", "accepted_as_target_rate@*"),
}
SAYS = (
    "of {seen_as_target.n} images that fooled the last network {seen_as_target} seen as the target",
    "{accepted_as_target} accepted at τ {accepted_as_target.tau:g}",
)
