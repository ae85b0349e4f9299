"""Latents drawn without an image: blindly, and after a look at the latents of images."""

from __future__ import annotations

import numpy as np
import torch

BLIND = ("uniform", "standard")  # that know of latents at most their range
WAYS = (*BLIND, "gaussian", "mixture")
PRIOR = "standard"  # of a variational autoencoder


def drawn(way: str, latents: np.ndarray, count: int, draws: torch.Generator, *, components: int) -> np.ndarray:
    """Latents drawn in a way of `WAYS`.

    latents: (N, k), of images. "uniform": each unit in its range there; "standard": standard normal, whatever they are;
    "gaussian": of their mean and covariance; "mixture": of a mixture of so many `components`, each with a covariance
    of its own. Nothing is cut: units of a ReLU can be drawn below 0.
    Returns (count, k) float32.
    """
    size = latents.shape[1]
    if way == "uniform":
        low, high = latents.min(0), latents.max(0)
        found = low + (high - low) * torch.rand(count, size, generator=draws, dtype=torch.float64).numpy()
        return found.astype(np.float32)
    normal = torch.randn(count, size, generator=draws, dtype=torch.float64).numpy()
    if way == "standard":
        return normal.astype(np.float32)
    if way == "gaussian":
        means, covariances, place = latents.mean(0)[None], [np.cov(latents, rowvar=False)], np.zeros(count, dtype=int)
    elif way == "mixture":
        from sklearn.mixture import GaussianMixture

        seed = int(torch.randint(2**31 - 1, (1,), generator=draws))
        least = 1e-3 * float(latents.var(0).mean())  # of a variance, so that components of few images have an inverse
        fitted = GaussianMixture(components, reg_covar=least, max_iter=500, tol=0.01, random_state=seed)
        fitted.fit(latents.astype(np.float64))
        means, covariances = fitted.means_, list(fitted.covariances_)
        weights = torch.from_numpy(fitted.weights_)
        place = torch.multinomial(weights, count, replacement=True, generator=draws).numpy()
    else:
        raise ValueError(f"{way!r} is no way to draw latents; there are {', '.join(WAYS)}")
    roots = np.stack([root(covariance) for covariance in covariances])
    return (means[place] + np.einsum("nij,nj->ni", roots[place], normal)).astype(np.float32)


def root(covariance: np.ndarray) -> np.ndarray:
    """A symmetric root of a covariance, (k, k) both, which need not have full rank."""
    values, vectors = np.linalg.eigh(np.atleast_2d(covariance))
    return (vectors * np.sqrt(values.clip(0))) @ vectors.T
