"""From networks on halves and the smallest changes made for each to the cell: numbers, tables and images."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from overgen.attacks.neighbours import brought_to
from overgen.data import Dataset, floats
from overgen.measures.pairs import over_seeds_row
from overgen.models import PIXELS
from overgen.run.results import metric, rate_row
from overgen.run.streams import generator
from overgen.stages.fool_lbfgs.summary import distortion

HALVES = ("first_half", "second_half")
NOISE = ("noise", "free_noise")  # kept in [0, 1], and not
EXPERIMENT = "lbfgs_transfer_halves"
RMS = "rms pixel in [0,1]"
Member = tuple[int, str]  # seed and network
Outcomes = Mapping[Member, Mapping[str, np.ndarray]]  # as the stage's `train` or `attack` gives them
TOGETHER = 1000  # noisy images


@torch.no_grad()
def labels_of(network: nn.Module, x: Tensor) -> np.ndarray:
    """What a network labels pixels (N, 784) as, (N,)."""
    return network(x.float().view(-1, 1, 28, 28)).log_y.argmax(1).numpy()


def noise_of(source: Dataset, index: Tensor, rms: float, *, inside: bool = True) -> Tensor:
    """Test images with Gaussian noise, (N, 784). The same direction for every rms.

    inside: kept in [0, 1], where it has this rms after clipping; else as it was drawn, of this deviation, and pixels
    may lie outside. Where most pixels are black, noise that is kept inside is brighter than the image on average.
    """
    images = floats(source.test_images[index]).flatten(1).double()
    draws = [torch.randn(PIXELS, generator=generator(source.name, "halves", "noise", i), dtype=torch.float64)
             for i in index.tolist()]  # fmt: skip
    if not inside:
        return images + rms * torch.stack(draws)
    change, norm = torch.stack(draws), torch.full((len(index),), rms * PIXELS**0.5, dtype=torch.float64)
    pieces = zip(*(each.split(TOGETHER) for each in (images, change, norm)), strict=True)
    return torch.cat([brought_to(*piece) for piece in pieces])


def trials(judges: Mapping[Member, nn.Module], outcomes: Outcomes, source: Dataset, settings: Any) -> pd.DataFrame:
    """A row an image attacked, of every network and seed; an image that could not be changed has no labels.

    Columns: seed, network, index, label, target, found, distortion, c, score; then what each network J of the seed
    labels it as: <J>:unchanged, <J>:smallest, <J>:rms=<…> (the change brought to it) and <J>:noise=<…>.
    """
    parts = []
    for (seed, name), arrays in outcomes.items():
        index = torch.from_numpy(arrays["index"])
        table: dict[str, Any] = {
            "seed": seed,
            "network": name,
            "index": arrays["index"],
            "label": source.test_labels[index].numpy(),
            "target": arrays["target"],
            "found": arrays["fooled"],
            "distortion": distortion(arrays, source),
            "c": arrays["c"],
            "score": arrays["score"],
        }
        rows = np.flatnonzero(arrays["fooled"])
        forms = forms_of(arrays, rows, source, settings) if len(rows) else {}
        for judge in settings.networks:
            for form, images in forms.items():
                seen = pd.array([pd.NA] * len(index), dtype="Int64")
                seen[rows] = labels_of(judges[seed, judge], images)
                table[f"{judge}:{form}"] = seen
        parts.append(pd.DataFrame(table))
    return pd.concat(parts, ignore_index=True)


def forms_of(arrays: Mapping[str, np.ndarray], rows: np.ndarray, source: Dataset, settings: Any) -> dict[str, Tensor]:
    """The images of some rows in each of their forms, (R, 784) in [0, 1]."""
    index = torch.from_numpy(arrays["index"][rows])
    unchanged = floats(source.test_images[index]).flatten(1)
    changed = torch.from_numpy(arrays["image"][rows]).flatten(1)
    forms = {"unchanged": unchanged, "smallest": changed}
    for rms in settings.magnified:
        norm = torch.full((len(rows),), rms * PIXELS**0.5, dtype=torch.float64)
        forms[f"rms={rms:g}"] = brought_to(unchanged.double(), (changed - unchanged).double(), norm)
    return forms | {f"noise={rms:g}": noise_of(source, index, rms) for rms in settings.magnified}


def noise(judges: Mapping[Member, nn.Module], source: Dataset, settings: Any) -> pd.DataFrame:
    """Test images, whatever they are labelled as without it, under noise: kind, seed, network, rms, images, wrong.

    kind: of `NOISE`.
    """
    order = torch.randperm(len(source.test_labels), generator=generator(source.name, "lbfgs", "images"))
    index = order[: settings.noise_images]
    labels, table = source.test_labels[index].numpy(), []
    for kind, rms in product(NOISE, settings.noise):
        noisy = noise_of(source, index, rms, inside=kind == "noise")
        for (seed, name), network in judges.items():
            table.append([kind, seed, name, rms, len(index), int((labels_of(network, noisy) != labels).sum())])
    return pd.DataFrame(table, columns=["kind", "seed", "network", "rms", "images", "wrong"])


def halves(networks: Outcomes, settings: Any) -> pd.DataFrame:
    """A row a network and seed: seed, network, half, and how many images of each half and of the test set are wrong."""
    table = [
        {"seed": seed, "network": name, "half": settings.networks[name].half}
        | {f"{part}_{what}": of(arrays[f"wrong_{part}"]) for part in (*HALVES, "test")
           for what, of in (("wrong", np.sum), ("images", len))}
        for (seed, name), arrays in networks.items()
    ]  # fmt: skip
    return pd.DataFrame(table)


def rows(networks: Outcomes, tried: pd.DataFrame, noisy: pd.DataFrame, settings: Any) -> list[dict[str, Any]]:
    """The numbers of the cell. networks: of `train`; tried, noisy: of `trials` and `noise`."""
    rows = []
    for name in settings.networks:
        rows += network_rows(name, [networks[seed, name] for seed in settings.seeds], tried, settings)
        for kind, rms in product(NOISE, settings.noise):
            of = (noisy["kind"] == kind) & (noisy["network"] == name) & (noisy["rms"] == rms)
            wrong, count = noisy[of]["wrong"].tolist(), int(noisy["images"].iloc[0])
            text = metric("error", made_for=kind, rms=rms)
            rows.append(rate_row(EXPERIMENT, text, wrong, count, of="test images", model=name))
    forms = {"unchanged": 0.0, "smallest": None} | {f"rms={rms:g}": rms for rms in settings.magnified}
    for made_for in settings.networks:
        own = tried[(tried["network"] == made_for) & tried["found"]]
        n = int(own.groupby("seed").size().reindex(settings.seeds, fill_value=0).min())
        if not n:
            continue
        first = own.groupby("seed").head(n)  # as many of each seed: a rate over seeds weighs them alike
        for judge in settings.networks:
            for form, rms in forms.items():
                wrong = first[f"{judge}:{form}"] != first["label"]
                hits = [int(each) for each in wrong.groupby(first["seed"]).sum()[settings.seeds]]
                text = metric("error", made_for=made_for, rms=rms)
                rows.append(rate_row(EXPERIMENT, text, hits, n, of="examples", model=judge))
    return rows + claim_rows(tried, settings)


def network_rows(
    name: str, arrays: list[Mapping[str, np.ndarray]], tried: pd.DataFrame, settings: Any
) -> list[dict[str, Any]]:
    """Errors of one network of every seed, and how far its images had to be changed."""
    of_part = {"first_half": "training images", "second_half": "training images", "test": "test images"}
    rows = []
    for part, of in of_part.items():
        wrong = [each[f"wrong_{part}"] for each in arrays]
        text = "test_error" if part == "test" else metric("error", on=part.replace("_", "-"))
        rows.append(rate_row("lbfgs_halves", text, [int(w.sum()) for w in wrong], len(wrong[0]), of=of, model=name))
    own = tried[tried["network"] == name]
    found = [int(count) for count in own.groupby("seed")["found"].sum()[settings.seeds]]
    rms = [own.loc[(own["seed"] == seed) & own["found"], "distortion"].to_numpy() for seed in settings.seeds]
    return [
        *rows,
        rate_row("lbfgs_halves", "fooling_rate", found, settings.images, of="images", model=name),
        over_seeds_row("lbfgs_halves", "mean_distortion", rms, unit=RMS, of="images", model=name),
    ]


def claim_rows(tried: pd.DataFrame, settings: Any) -> list[dict[str, Any]]:
    """What the claims are about: differences on the same images, of examples made for the first network of the section.

    more_than_noise: of a network on the other half, errors on the examples minus errors on noise of their rms.
    same_half_more: errors of a network on the same half minus those of one on the other half.
    """
    first, *others = settings.networks
    half = settings.networks[first].half
    same = [name for name in others if settings.networks[name].half == half]
    other = [name for name in others if settings.networks[name].half != half]
    own = tried[(tried["network"] == first) & tried["found"]]

    def wrong(judge: str, form: str) -> np.ndarray:
        return (own[f"{judge}:{form}"] != own["label"]).to_numpy(dtype=np.float64)

    def by_seed(values: np.ndarray) -> list[np.ndarray]:
        return [100 * values[(own["seed"] == seed).to_numpy()] for seed in settings.seeds]

    rows = []
    points: dict[str, str] = {"unit": "percentage points", "of": "pairs"}
    for rms in settings.magnified if len(own) else ():
        form = f"rms={rms:g}"
        for judge in other:
            values = wrong(judge, form) - wrong(judge, f"noise={rms:g}")
            text = metric("more_than_noise", made_for=first, rms=rms)
            rows.append(over_seeds_row(EXPERIMENT, text, by_seed(values), model=judge, **points))
        for near in same:
            for far in other:
                text = metric("same_half_more", made_for=first, other=far, rms=rms)
                values = wrong(near, form) - wrong(far, form)
                rows.append(over_seeds_row(EXPERIMENT, text, by_seed(values), model=near, **points))
    return rows
