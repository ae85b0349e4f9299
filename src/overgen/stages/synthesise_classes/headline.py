"""The headline of a cell, see overgen.run.headline."""

NUMBERS = {
    "plain": ("synthesis", "recognised@way=plain"),
    "best": ("synthesis", "recognised@way=fourier_all"),
}
SAYS = (
    "other networks recognise {plain.hits} of {plain.n} classes synthesised without a regulariser",
    "{best.hits} of {best.n} in Fourier space with all of them",
)
