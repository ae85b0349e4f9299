"""Classifiers that are fitted on a few labelled images: on features that are there, and from scratch."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from overgen import data

BATCH, RATE = 128, 0.001  # of the network from scratch: those of the study's trainings


def scaled(reference: np.ndarray, *others: np.ndarray) -> list[np.ndarray]:
    """Features around the mean of a reference, divided by one number, so that its mean squared length is 1.

    reference: (N, D), not all equal; others: (M, D) each. Returns the reference and the others, float32.
    One number for all features keeps distances in proportion: features in another basis are judged alike.
    """
    centre = reference.mean(0, dtype=np.float64)
    length = np.sqrt(np.mean(np.sum((reference - centre) ** 2, 1, dtype=np.float64)))
    return [((values - centre) / length).astype(np.float32) for values in (reference, *others)]


def linear(
    train: np.ndarray, labels: np.ndarray, test: np.ndarray, *, inverse_decay: float, iterations: int = 2000
) -> np.ndarray:
    """The classes that a logistic regression, fitted on labelled features, gives to others.

    train: (N, D) as of `scaled`, with labels (N,); test: (M, D); inverse_decay: C; iterations: of L-BFGS, at most.
    Returns (M,).
    """
    from sklearn.linear_model import LogisticRegression

    head = LogisticRegression(C=inverse_decay, max_iter=iterations).fit(train, labels)
    return head.predict(test)


def from_scratch(
    images: Tensor, labels: Tensor, tests: Tensor, *, network: nn.Module, updates: int, draws: torch.Generator
) -> np.ndarray:
    """The classes that a network gives to images which is trained on labelled ones alone.

    images: (N, C, H, W) in [0, 1] with labels (N,); tests: (M, C, H, W); network: images to logits (N, K), with its
    initial weights, which change; updates: steps of Adam at `RATE` in batches of at most `BATCH`, an epoch a random
    order by `draws`. Returns (M,).
    """
    adam = torch.optim.Adam(network.parameters(), RATE)
    done = 0
    while done < updates:
        for batch in data.batches(len(images), BATCH, draws)[: updates - done]:
            adam.zero_grad()
            F.cross_entropy(network(images[batch]), labels[batch]).backward()
            adam.step()
            done += 1
    with torch.no_grad():
        return network(tests).argmax(1).numpy()
