"""How kinds of unknown images are written in reports."""

from overgen.report.names import dataset_name

KIND_NAMES = {
    "uniform": "uniform noise",
    "normal": "normal noise",
    "smooth": "smooth noise",
    "constant": "constant",
    "shuffled": "shuffled pixels",
    "patches": "shuffled patches",
    "phase": "random phases",
    "silhouettes": "silhouettes",
    "textures": "textures",
    "fooling": "fooling images",
    "own": "your own",
}


def kind_name(kind: str) -> str:
    """A kind as it is written in reports; of another data set, which."""
    return dataset_name(kind.removeprefix("data_")) if kind.startswith("data_") else KIND_NAMES.get(kind, kind)
