"""An audit of a classifier that overgen did not train: a small study folder of its own, and the stages that run in it.

    folder.py     writes dvc.yaml and params.yaml of the study
    budgets.py    what is spent on it, by default and with --quick
    execution.py  runs its cells one after another, and goes on where an earlier run stopped
    thresholds.py judges its numbers by the limits that the user set
    document.py   audit.json and what is printed at the end

The stages are those of the repository's own study; nothing here computes a result.
"""
