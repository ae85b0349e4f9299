"""The headline of a cell, see overgen.run.headline."""

NUMBERS = {
    "two_nn": ("dimension", "mean_dimension@images=all@estimator=two_nn"),
    "mle": ("dimension", "mean_dimension@images=all@estimator=mle"),
    "views": ("dimension", "views_dimension@of=all@estimator=two_nn"),
}
SAYS = (
    "a class has {two_nn:.1f} dimensions by two neighbours",
    "{mle:.1f} by maximum likelihood",
    "views of an object with seven degrees of freedom {views:.1f}",
)
