"""What a section is: immutable, strict about names, choices in any case."""

from typing import Any, get_args

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator


def _choices(annotation: Any) -> tuple[str | int, ...]:
    """Return the literals that a field's type allows, those inside a union included."""
    parts = get_args(annotation)
    own = tuple(part for part in parts if isinstance(part, (str, int)))
    return own + tuple(choice for part in parts for choice in _choices(part))


class Section(BaseModel):
    """A group of keys: immutable, strict about unknown names, filled by alias or by field name.

    A choice may be written in any case ("rnd" is RND); numbers are finite.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", populate_by_name=True, allow_inf_nan=False
    )

    @field_validator("*", mode="before")
    @classmethod
    def _match_choice(cls, value: Any, info: ValidationInfo) -> Any:
        if not isinstance(value, str) or info.field_name is None:
            return value
        choices = _choices(cls.model_fields[info.field_name].annotation)
        spelled = {str(choice).casefold(): choice for choice in choices}
        return spelled.get(value.strip().casefold(), value)
