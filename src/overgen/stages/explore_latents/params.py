"""The section `explore_latents` of params.yaml."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from overgen.run.sections import Count, Distinct, Name, NonNegative, Section


def rising(values: list[float]) -> list[float]:
    if sorted(set(values)) != values or values[0] != 0:
        raise ValueError(f"must begin with 0 and rise: {values}")
    return values


class ExploreLatents(Section):
    """What the latents of an autoencoder look like, and what is decoded from latents of no image."""

    network: Name  # the autoencoder whose latents are looked at
    codes: Distinct[Name]  # autoencoders of `train_codes` of one kind and size, several seeds
    variational: Distinct[Name]  # variational ones of the same size
    classifier: Name  # whose answers and features judge
    judge: Name  # a denoising autoencoder, whose ỹ judges
    tau: Annotated[float, Field(gt=0, lt=1)]  # above which a picture is recognised; α is its first of `confidence`
    shown: Count  # test images in the plane, and whose neighbours are counted
    iterations: Annotated[int, Field(ge=300)]  # of t-SNE, whose first 250 only gather the groups
    neighbours: Count  # that are counted
    noises: Annotated[list[NonNegative], Field(min_length=2), AfterValidator(rising)]  # in deviations of the latents
    noisy: Count  # test images of each class whose latents are changed
    steps: Annotated[int, Field(ge=2)]  # from one latent to another
    drawn: Count  # latents drawn in each way
    fitted: Count  # training images whose latents the ways are fitted on, and that distances are measured to
    reference: Count  # training images whose features drawn pictures' are compared with
    components: Count  # of the mixture


SECTION = dict[Name, ExploreLatents]
