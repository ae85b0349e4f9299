"""The headline of a cell, see overgen.run.headline."""

NUMBERS = {
    "adversarial": ("adversarial_training", "test_error@training=adversarial"),
    "decay": ("adversarial_training", "test_error@training=weight_decay"),
    "dropout": ("adversarial_training", "test_error@training=dropout"),
    "rms": ("adversarial_training", "mean_distortion@training=adversarial"),
    "rms_decay": ("adversarial_training", "mean_distortion@training=weight_decay"),
}
SAYS = (
    "test error {adversarial} with adversarial examples",
    "{decay} with weight decay",
    "{dropout} with dropout",
    "mean smallest change {rms:.3f} (RMS) a pixel",
    "{rms_decay:.3f} with weight decay",
)
