"""What sections of params.yaml are made of: their base class and the types of their values."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
Point = Annotated[list[float], Field(min_length=2, max_length=2)]


class Section(BaseModel):
    """Base of every section: immutable, and no key that is not known."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


def distinct(value: list[Any]) -> list[Any]:
    if len(set(value)) != len(value):
        raise ValueError(f"values repeat: {value}")
    return value


_Item = TypeVar("_Item")
Distinct = Annotated[list[_Item], Field(min_length=1), AfterValidator(distinct)]  # some, and none twice


def distinct_seeds(value: list[int]) -> list[int]:
    if len(set(value)) != len(value) or value[0] != 0:
        raise ValueError(f"seeds must differ and begin with 0, whose results are published: {value}")
    return value


Seeds = Annotated[list[Seed], Field(min_length=1), AfterValidator(distinct_seeds)]
Rate = Annotated[float, Field(ge=0, le=1)]
RatePair = Annotated[list[Rate], Field(min_length=2, max_length=2)]
MemberName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$")]
