"""The autoencoders in the report; their numbers stand with train_classifier's."""

from __future__ import annotations

from overgen.stages.train_autoencoder import figures

CHOICES = [
    ("Unpooling of the decoder", "{models.dae_sym.unpooling} (dAE sym), {models.dae_asym.unpooling} (dAE asym)"),
    ("Output activation of the decoder", "{models.dae_sym.output} (dAE sym), {models.dae_asym.output} (dAE asym)"),
    (
        "Reconstruction loss beside the cross-entropy",
        "a mean over pixels: {models.dae_sym.reconstruction_loss}, weight {models.dae_sym.reconstruction_weight} "
        "(dAE sym); {models.dae_asym.reconstruction_loss}, weight {models.dae_asym.reconstruction_weight} (dAE asym)",
    ),
    (
        "What the classifier of a dAE sees in training",
        "the {models.dae_sym.classifier_input} image (dAE sym), the {models.dae_asym.classifier_input} one (dAE asym)",
    ),
]
FIGURES = (figures.reconstructions,)
