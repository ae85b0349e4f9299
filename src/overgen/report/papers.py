"""The papers by the name that reported.csv gives them: how a text calls them, what they are, where they are."""

from __future__ import annotations

from typing import NamedTuple


class Paper(NamedTuple):
    short: str
    full: str
    arxiv: str

    @property
    def doi(self) -> str:
        return f"https://doi.org/10.48550/arXiv.{self.arxiv}"


PAPERS = {
    "spigler2019": Paper(
        "Spigler (2019)",
        "Spigler, *Denoising Autoencoders for Overgeneralization in Neural Networks*, TPAMI 2019",
        "1709.04762",
    ),
    "kardan2017": Paper(
        "Kardan and Stanley (2017)",
        "Kardan and Stanley, *Mitigating Fooling with Competitive Overcomplete Output Layer Neural Networks*, "
        "IJCNN 2017",
        "1609.02226",
    ),
    "nguyen2015": Paper(
        "Nguyen et al. (2015)",
        "Nguyen, Yosinski and Clune, *Deep Neural Networks are Easily Fooled*, CVPR 2015",
        "1412.1897",
    ),
    "szegedy2013": Paper(
        "Szegedy et al. (2013)",
        "Szegedy et al., *Intriguing Properties of Neural Networks*, 2013",
        "1312.6199",
    ),
}


def paper(name: str) -> str:
    """A paper as a text calls it, with a link to it; of another source its name."""
    return f"[{PAPERS[name].short}]({PAPERS[name].doi})" if name in PAPERS else name


def bibliography() -> str:
    """All papers as a Markdown list."""
    return "\n".join(
        f"- {each.full}: [doi:10.48550/arXiv.{each.arxiv}]({each.doi}), "
        f"[arXiv:{each.arxiv}](https://arxiv.org/abs/{each.arxiv})"
        for each in PAPERS.values()
    )
