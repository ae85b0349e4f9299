"""The section `explore_silhouettes` of params.yaml."""

from __future__ import annotations

from typing import Literal

from overgen.run.sections import Count, Distinct, Name, Section

DYNAMIC = ("overgen.measures.thresholds",)  # sections that it declares, too


class ExploreSilhouettes(Section):
    kinds: Distinct[Literal["animals", "letters"]]  # animals need the package animal-mnist
    networks: Distinct[Name]  # that classify
    autoencoder: Name  # whose error of reconstruction judges, too
    animals: Count  # images of each animal, at most 1000
    letters: Count  # images of each letter
    known_images: Count  # test images, at most
    fitted_images: Count  # training images whose features are neighbours, at most
    neighbours: Count


SECTION = dict[Name, ExploreSilhouettes]
