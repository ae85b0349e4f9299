"""Perceptrons in the report: what the paper leaves open of their training. Their errors stand with fool_lbfgs."""

CHOICES = [
    (
        "Training of the perceptrons",
        "Adam in float32, learning rate {train_perceptrons.DATASET.learning_rate}, falling to 0 on a line, "
        "{train_perceptrons.DATASET.epochs} epochs, batches of "
        "{train_perceptrons.DATASET.batch_size}, all training images; biases without decay",
    ),
    (
        "The autoencoder under AE400-10",
        "sigmoid pixels, binary cross-entropy; sparse: {train_perceptrons.DATASET.autoencoder.sparsity}·Σ "
        "KL({train_perceptrons.DATASET.autoencoder.activation} ‖ mean activation) beside the error summed over pixels; "
        "{train_perceptrons.DATASET.autoencoder.epochs} epochs, learning rate "
        "{train_perceptrons.DATASET.autoencoder.learning_rate}; then fixed. Softmax: learning rate "
        "{train_perceptrons.DATASET.autoencoder.softmax_learning_rate}. Chosen on 10,000 held-out images of MNIST: "
        "error 6.3 % when dense, 3.6 % with 1 and 0.1, 3.2 % with 3 and 0.05, each with the best of two or three rates",
    ),
]
