"""The section `search_choices` of params.yaml."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, model_validator

from overgen.models.params import AutoencoderModel, Model
from overgen.run.sections import Count, Name, Section
from overgen.training.params import Training

if TYPE_CHECKING:
    from overgen.run.params import Params


class SearchChoices(Section):
    """A search on held-out images: a base, and settings that each change options of it by name."""

    held_out: Count
    epochs: Count
    model: Model
    training: Training
    settings: Annotated[list[dict[Name, bool | int | float | str]], Field(min_length=1)]

    def chosen(self, setting: dict[str, Any]) -> tuple[Any, Training]:
        """The model and the training of a setting. Raises ValueError for a name that neither has, or its value."""
        sections: list[Any] = []
        unknown = set(setting)
        for base in (self.model, self.training):
            changes = {name: value for name, value in setting.items() if name in type(base).model_fields}
            sections.append(type(base).model_validate(base.model_dump() | changes))
            unknown -= set(changes)
        if unknown:
            known = ", ".join([*type(self.model).model_fields, *Training.model_fields])
            raise ValueError(f"{', '.join(sorted(unknown))}: no option of the model or of training ({known})")
        return sections[0], sections[1]

    @model_validator(mode="after")
    def possible(self) -> SearchChoices:
        if isinstance(self.model, AutoencoderModel):
            raise ValueError("model: settings are judged by their accuracies, and an autoencoder does not classify")
        for i, setting in enumerate(self.settings):
            try:
                self.chosen(setting)
            except ValueError as error:  # pydantic's, too
                raise ValueError(f"settings.{i}: {error}") from None
        return self


SECTION = dict[Name, dict[Name, SearchChoices]]


def check(params: Params) -> None:
    for dataset, searches in params.search_choices.items():
        for model, search in searches.items():
            key, own = f"search_choices.{dataset}.{model}", params.models.get(model)
            for i, setting in enumerate([{}, *search.settings]):
                network = search.chosen(setting)[0].network
                if network != getattr(own, "network", None):
                    place = f"{key}.settings.{i - 1}" if i else f"{key}.model"
                    raise ValueError(
                        f"{place}: network {network!r} is not that of models.{model}, "
                        f"{getattr(own, 'network', 'which is none')!r}; the stage depends on the code of that one only"
                    )
