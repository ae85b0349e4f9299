"""The names of scores, as params.yaml lists them."""

from __future__ import annotations

import subprocess
import sys
from functools import partial

import pytest

from overgen.run import params
from overgen.scores import methods, names

from conftest import ROOT


def test_every_name_of_a_score_makes_one_that_sees_what_it_is_said_to_see() -> None:
    """The names are declared once; each makes an object of the contract, from options that params.yaml has."""
    study = params.load(ROOT / "params.yaml")
    section = study.evaluate_scores
    options = methods.options_on("digits", partial(getattr, section))
    made = {name: methods.make(name, options) for name in names.FITTED}
    assert {type(score).__name__ for score in made.values()} == set(methods.CLASSES)
    for score in made.values():
        assert callable(score.fit)
        assert callable(score.score)
    assert (made["knn_normalised"].neighbours, made["knn_normalised"].normalise) == (section.neighbours, True)
    assert (made["openmax"].by, made["openmax_max"].by) == ("unknown", "max")
    assert made["other_uniform_pixels"].updates == section.network_updates["digits"]
    assert made["other_uniform_pixels"].updates != methods.options_on("mnist", partial(getattr, section))["updates"]
    assert {score.view for score in names.FITTED.values()} == {"pixels", "features", "logits"}
    assert {score.pool for score in names.FITTED.values()} == {"", "uniform", "shuffled"}
    tried = {*section.methods["cnn"], *section.methods["dae_sym"], *study.evaluate_oneclass_scores.methods}
    assert set(names.NAMES) == tried  # the study tries them all


def test_a_name_that_no_score_has_is_refused_without_importing_one() -> None:
    with pytest.raises(ValueError, match="must be one of scaled_output, confidence, softmax, "):
        names.name_of_score("knn_pixel")
    with pytest.raises(ValueError, match="must be one of knn_pixels, k_means_pixels, pca_pixels, autoencoder_pixels"):
        names.name_of_pixel_score("w_svm_pixels")  # its cost grows with the square of a whole class
    code = "import sys; from overgen.stages.evaluate_scores import params; from overgen.scores import names; "
    code += "print(*sorted({'numpy', 'torch', 'sklearn', 'scipy'} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
