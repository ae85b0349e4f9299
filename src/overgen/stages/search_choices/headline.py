"""The headline of a cell, see overgen.run.headline."""

NUMBERS = {  # of the last setting
    "accuracy": ("search", "accuracy@tau=0,*"),
    "accuracy_at_0.99": ("search", "accuracy@tau=0.99,*"),
}
SAYS = ("the last setting has an accuracy of {accuracy}",)
