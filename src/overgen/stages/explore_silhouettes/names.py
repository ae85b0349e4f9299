"""How kinds and scores are written in reports."""

KIND_NAMES = {"animals": "animals", "letters": "letters", "letters_unlike": "letters unlike digits"}
SCORE_NAMES = {"y": "y", "scaled": "ỹ", "nearest": "nearest features", "reconstruction": "reconstruction"}
