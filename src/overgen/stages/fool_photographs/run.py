"""Any picture as any class: photographs and noise taken for classes of ImageNet, by gradient ascent and by the smallest
change, and what networks of other sizes say of these pictures.

    python -m overgen.run fool_photographs --dataset imagenet_demo --model efficientnet_lite0

Writes the cell: a row a trial of each kind, and the pictures of some photographs.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from PIL import Image
from torch import Tensor

from overgen.attacks.ascent import Regularisers, ascend
from overgen.attacks.lbfgs import smallest_change
from overgen.data.photographs import photograph, square
from overgen.models.witnesses import class_names, in_8_bits, log_scores, ready
from overgen.run import results
from overgen.run.stage import Stage
from overgen.run.streams import generator
from overgen.stages.fool_photographs import summary

ENGINE = "imagenet"  # the section that holds `threads`
ELSEWHERE = "OVERGEN_PICTURES"  # in the environment: the folder where `elsewhere.file` lies
STAMPS = "/usr/share/tuxpaint/stamps"  # where Debian puts it

Arrays = dict[str, np.ndarray]


def main(stage: Stage) -> None:
    """Write the cell."""
    settings, demo = stage.params("fool_photographs"), stage.params("imagenet")
    attack = Attack(stage)
    noises = [f"noise-{i}" for i in range(settings.noises)]
    starts = [*demo.photographs, *noises]
    made = stage.members(starts, lambda i, run: attack.of_start(starts[i]))
    if stage.rank != 0:
        return
    ascents = pd.concat([summary.table(name, arrays, "ascent") for name, arrays in zip(starts, made, strict=True)])
    found = [(name, arrays) for name, arrays in zip(starts, made, strict=True) if "smallest_target" in arrays]
    smallest = pd.concat([summary.table(name, arrays, "smallest") for name, arrays in found])
    shown = [(name, made[starts.index(name)]) for name in [*settings.shown, noises[0]]]
    results.write(
        stage.cell,
        budget={"fool_photographs.updates": settings.updates, "fool_photographs.targets": settings.targets},
        metrics=summary.rows(ascents, smallest, settings, demo) + elsewhere(attack, settings.elsewhere),
        tables={"ascents": ascents, "smallest": smallest},
        examples=summary.shown(shown, class_names(attack.network)),
    )


class Attack:
    """The attacks on a stage's network, about whose pictures the witnesses are asked."""

    def __init__(self, stage: Stage) -> None:
        self.settings, self.demo = stage.params("fool_photographs"), stage.params("imagenet")
        self.network = ready(stage.item["model"], self.demo)
        self.witnesses = {name: ready(name, self.demo) for name in self.demo.witnesses}
        self.chunk: int = stage.params("imagenet").chunk

    def start(self, name: str) -> Tensor:
        """A photograph, or uniform noise of 8 bits, (C, H, W) in [0, 1]."""
        if name in self.demo.photographs:
            return torch.from_numpy(photograph(name, self.network.shape[1])).float() / 255
        return in_8_bits(torch.rand(self.network.shape, generator=generator("fool_photographs", name)))

    def of_start(self, name: str) -> Arrays:
        """All trials that begin at a photograph or at noise; the smallest change from photographs alone."""
        x = self.start(name)
        label = int(log_scores(self.network, x[None], chunk=1).argmax())
        draws = torch.randperm(self.network.classes, generator=generator("fool_photographs", "targets", name)).tolist()
        targets = [target for target in draws if target != label][: self.settings.targets]
        arrays = self.ascents(x, targets)
        if name in self.demo.photographs:
            arrays |= self.smallest(name, x, targets[: self.settings.smallest.targets])
        return arrays | {"start": np.rint(255 * x.numpy()).astype(np.uint8), "label": np.array(label)}

    def ascend(self, x: Tensor, target: int) -> tuple[Tensor, int]:
        """The image at which the ascent's 8-bit picture first passes τ, and the updates it took."""

        def succeeds(image: Tensor) -> bool:
            return float(log_scores(self.network, in_8_bits(image[None]), chunk=1)[0, target].exp()) > self.settings.tau

        return ascend(
            lambda image: self.network(image[None]).log_y[0, target], succeeds, x, x, updates=self.settings.updates,
            rate=self.settings.rate, regularisers=Regularisers(),
        )  # fmt: skip

    def ascents(self, x: Tensor, targets: Sequence[int]) -> Arrays:
        """The ascent to each target: `ascent_<column>`, (K,), and the pictures (K, C, H, W) uint8."""
        images, updates = zip(*(self.ascend(x, target) for target in targets), strict=True)
        pictures = in_8_bits(torch.stack(images))
        said = self.said(pictures, x, targets)
        columns: dict[str, Any] = {"target": targets, "updates": updates} | sizes(pictures, x) | said
        arrays = {f"ascent_{name}": np.asarray(values) for name, values in columns.items()}
        return arrays | {"ascent_picture": (255 * pictures).round().byte().numpy()}

    def smallest(self, name: str, x: Tensor, targets: Sequence[int]) -> Arrays:
        """The smallest change to each target, beside Gaussian noise of the same norm: `smallest_<column>`, (K,)."""
        wanted, options = torch.tensor(targets), self.settings.smallest
        change = smallest_change(
            lambda rows, images: self.network(images).log_y.gather(1, wanted[rows, None])[:, 0],
            lambda rows, images: log_scores(self.network, images, chunk=self.chunk).argmax(1) == wanted[rows],
            x.expand(len(targets), *x.shape).contiguous(), c=options.c, brackets=options.brackets,
            bisections=options.bisections, iterations=options.iterations,
        )  # fmt: skip
        stream = generator("fool_photographs", "noise", name)
        noise = torch.randn(change.image.shape, generator=stream)
        norms = (change.image - x).flatten(1).norm(dim=1)
        noise *= (norms / noise.flatten(1).norm(dim=1)).view(-1, 1, 1, 1)
        columns: dict[str, Any] = {"target": targets, "reached": change.succeeded, "l2": norms, "c": change.c}
        columns |= sizes(change.image, x) | self.said(change.image, x, targets)
        pictures = log_scores(self.network, in_8_bits(change.image), chunk=self.chunk)
        columns["target_in_8_bits"] = pictures.argmax(1) == wanted
        of_noise = self.said((x + noise).clamp(0, 1), x, targets)
        columns |= {f"noise_{key}": values for key, values in of_noise.items() if key.startswith("changed")}
        return {f"smallest_{name}": np.asarray(values) for name, values in columns.items()}

    def said(self, images: Tensor, x: Tensor, targets: Sequence[int]) -> dict[str, np.ndarray]:
        """What the network and the witnesses say of images (K, C, H, W) made from x: `score`, the network's of the
        target; `changed_<network>`, whether its answer is another than of x; `target_<network>`, whether it is the
        target."""
        wanted, columns = torch.tensor(targets), {}
        for name, network in {"network": self.network, **self.witnesses}.items():
            before = log_scores(network, x[None], chunk=1).argmax()
            after = log_scores(network, images, chunk=self.chunk)
            if name == "network":
                columns["score"] = after.gather(1, wanted[:, None])[:, 0].exp().numpy()
            columns[f"changed_{name}"] = (after.argmax(1) != before).numpy()
            columns[f"target_{name}"] = (after.argmax(1) == wanted).numpy()
        return columns


def sizes(images: Tensor, x: Tensor) -> dict[str, np.ndarray]:
    """How far images (K, C, H, W) are from x, each (K,).

    mean_change, max_change: of the pixels' absolute changes, of 255; psnr: in dB, infinite for no change.
    """
    change = 255 * (images - x).double().flatten(1)
    mse = change.square().mean(1)
    return {
        "mean_change": change.abs().mean(1).numpy(),
        "max_change": change.abs().amax(1).numpy(),
        "psnr": (10 * (255**2 / mse).log10()).numpy(),
    }


def elsewhere(attack: Attack, settings: Any) -> list[dict[str, Any]]:
    """The rows of the picture that is not published: what the ascent from it comes to, if it is on this machine."""
    path = Path(os.environ.get(ELSEWHERE, STAMPS), settings.file)
    source = f"{settings.file} of {settings.package}, {settings.licence}"
    if not path.is_file():
        print(f"{path}: not here, so not measured; it is in the package {settings.package}", file=sys.stderr)
        return summary.elsewhere_rows(None, f"{source}: not on the machine where this cell was made")
    with Image.open(path) as file:
        stamp = file.convert("RGBA")
    ground = Image.new("RGBA", stamp.size, "white")
    ground.alpha_composite(stamp)
    x = torch.from_numpy(square(np.asarray(ground.convert("RGB")), attack.network.shape[1])).float() / 255
    before = log_scores(attack.network, x[None], chunk=1)[0]
    arrays = attack.ascents(x, [settings.target])
    names = class_names(attack.network)
    note = (
        f"{source}, on white, MD5 {hashlib.md5(path.read_bytes()).hexdigest()}: from {names[int(before.argmax())]!r} "
        f"(y = {float(before.max().exp()):.2f}) to {names[settings.target]!r}"
    )
    return summary.elsewhere_rows(arrays, note)
