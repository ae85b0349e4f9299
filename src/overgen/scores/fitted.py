"""The base of every score: options, what was learnt, and both as arrays."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from overgen import OvergenError


class Fitted:
    """Base of a score.

    Its options are the constructor's arguments, each an attribute of the same name that nothing changes. What it has
    learnt is what the class annotates, as in `means: np.ndarray`: only `fit` and `from_state` set it. Asked for before,
    by `score`, `predict` or `state`, it raises OvergenError naming the method and the way out.
    """

    if not TYPE_CHECKING:  # a type checker would let every other name pass, too

        def __getattr__(self, name: str) -> object:
            if name in type(self)._learnt():
                method = type(self).__name__
                raise OvergenError(
                    f"{method} is not fitted: call fit(x, labels) before score, predict or state, or "
                    f"{method}.from_state(state) with the state of one that was"
                )
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")

    @classmethod
    def _learnt(cls) -> list[str]:
        return [name for base in reversed(cls.__mro__) for name in inspect.get_annotations(base)]

    @classmethod
    def _options(cls) -> list[str]:
        return list(inspect.signature(cls).parameters)

    def state(self) -> dict[str, np.ndarray]:
        """Options and all that was learnt, as arrays: what `np.savez` takes. Text is a 0-d array."""
        return {name: np.asarray(getattr(self, name)) for name in [*self._learnt(), *self._options()]}

    @classmethod
    def from_state(cls, state: Mapping[str, np.ndarray]) -> Self:
        """The score whose `state` this is: it scores the same, and a further `fit` is as that of a new one."""
        made = cls(**{name: plain(state[name]) for name in cls._options()})
        for name in cls._learnt():
            setattr(made, name, plain(state[name]))
        return made


def plain(array: Any) -> Any:
    """An array as it is; a 0-d one as the number or text in it."""
    return array if np.ndim(array) else np.asarray(array).item()
