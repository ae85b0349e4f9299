"""The headline of a cell, see overgen.run.headline. Of several networks it tells of the last one."""

NUMBERS = {
    "letters": ("silhouettes", "accepted@kind=letters_unlike@score=scaled"),
    "animals": ("silhouettes", "accepted@kind=animals@score=scaled"),
}
SAYS = (
    "the last network accepts {letters} of letters unlike digits at τ {letters.tau:g}",
    "{animals} of animals",
)
