"""The headline of a cell, see overgen.run.headline. Of several networks it tells of the last one."""

NUMBERS = {
    "whole": ("clutter", "right@view=whole@strength=1"),
    "true": ("clutter", "right@view=true@strength=1"),
    "found": ("clutter", "right@view=found@strength=1"),
}
SAYS = (
    "the last network is right in {whole} over photographs",
    "{true} within the true mask",
    "{found} within one it found",
)
