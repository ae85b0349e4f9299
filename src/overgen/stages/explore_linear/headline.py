"""The headline of a cell, see overgen.run.headline."""

NUMBERS = {
    "accuracy": ("linear", "accuracy"),
    "others": ("linear", "sure@other-class"),
    "noise": ("linear", "sure@uniform"),
}
SAYS = ("accuracy {accuracy}", "y > {others.tau:g} for {others} of other classes", "for {noise} of uniform noise")
