"""What the classes of data sets are called where people read their names."""

from __future__ import annotations

CLASSES = {
    "fashion_mnist": ("T-shirt/top", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag",
                      "ankle boot"),
}  # fmt: skip


def class_names(dataset: str, count: int) -> tuple[str, ...]:
    """What a data set's classes are called, at least `count` of them: their numbers where they have no other name."""
    return CLASSES.get(dataset, tuple(map(str, range(count))))
