"""The headline of a cell, see overgen.run.headline."""

NUMBERS = {  # of the last round
    "median_confidence": ("retraining_*", "median_confidence@*"),
    "test_error": ("retraining_*", "test_error@*"),
}
SAYS = ("after the last round a median confidence of {median_confidence}", "test error {test_error}")
