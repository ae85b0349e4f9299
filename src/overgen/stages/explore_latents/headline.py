"""The headline of a cell, see overgen.run.headline."""

NUMBERS = {
    "purity": ("latents", "purity@space=latents"),
    "blind": ("latents", "recognised_blind@judge=judge@of=network"),
    "prior": ("latents", "recognised@judge=judge@of=variational@way=standard"),
}
SAYS = (
    "{purity} of a latent's neighbours are of its class",
    "{blind} of pictures of blind latents are recognised",
    "{prior} of those from a VAE's prior",
)
