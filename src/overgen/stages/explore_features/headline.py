"""The headline of a cell, see overgen.run.headline."""

NUMBERS = {
    "plain": ("classes", "recognised@way=plain"),
    "prior": ("classes", "recognised@way=projection"),
    "liked": ("units", "likes_its_image_best@start=noise"),
}
SAYS = (
    "other networks recognise {plain.hits} of {plain.n} classes synthesised without a regulariser",
    "{prior.hits} of {prior.n} with the autoencoder as prior",
)
