"""Devices and threads of a stage: what the environment may say, and that every pool is limited."""

from __future__ import annotations

import os

import pytest
import torch
from threadpoolctl import threadpool_info

from overgen import OvergenError
from overgen.run.devices import launch, limited_to


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("OVERGEN_DEVICES", "", "must be a number of at least 1"),
        ("OVERGEN_DEVICES", "0", "must be a number of at least 1"),
        ("OVERGEN_DEVICES", "two", "must be a number of at least 1"),
        ("OVERGEN_DEVICES", "-1", "must be a number of at least 1"),
        ("OVERGEN_NODES", "x", "must be a number of at least 1; unset it for '1'"),
        ("OVERGEN_NODES", "0", "must be a number of at least 1"),
        ("OVERGEN_ACCELERATOR", "", "is none of cpu, cuda, gpu, mps"),
        ("OVERGEN_ACCELERATOR", "quantum", "is none of cpu, cuda, gpu, mps"),
    ],
)
def test_what_cannot_be_meant_is_one_line(monkeypatch: pytest.MonkeyPatch, name: str, value: str, message: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(OvergenError, match=f"{name}={value!r} in the environment: {message}") as error:
        launch()
    assert "\n" not in str(error.value)


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
@pytest.mark.parametrize("name", ["cuda", "gpu"])
def test_an_absent_device_is_named(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("OVERGEN_ACCELERATOR", name)
    with pytest.raises(OvergenError, match=f"OVERGEN_ACCELERATOR='{name}'.*no such device; this machine has the CPU"):
        launch()


def test_every_pool_of_threads_is_limited() -> None:
    """The last digits of BLAS hang on the number of its threads, so torch's alone is not enough."""
    import scipy.linalg  # noqa: F401  # brings a BLAS of its own

    before = {pool["filepath"]: pool["num_threads"] for pool in threadpool_info()}
    with limited_to(1):
        pools = threadpool_info()
        assert len(pools) >= 2
        assert {pool["num_threads"] for pool in pools} == {1}
        assert torch.get_num_threads() == 1
        assert os.environ["OPENBLAS_NUM_THREADS"] == "1"  # for what is loaded later
    assert {pool["filepath"]: pool["num_threads"] for pool in threadpool_info()} == before
