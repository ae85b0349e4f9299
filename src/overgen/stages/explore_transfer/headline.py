"""The headline of a cell, see overgen.run.headline."""

NUMBERS = {
    "code": ("transfer_learning", "accuracy@features=code@labels=100"),
    "pixels": ("transfer_learning", "accuracy@features=pixels@labels=100"),
    "precision": ("transfer_learning", "precision@features=code@at=10"),
}
SAYS = (
    "with 100 labels {code} right by the code",
    "{pixels} by pixels",
    "{precision} of ten answers of the query's class",
)
