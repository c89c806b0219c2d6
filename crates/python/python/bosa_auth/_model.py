"""What all models can do; their fields are in :mod:`bosa_auth.models`."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import MISSING, Field, fields, is_dataclass, replace
from datetime import datetime
from types import UnionType
from typing import Any, ClassVar, Literal, TypeVar, Union, get_args, get_origin, get_type_hints
from uuid import UUID

from bosa_auth.exception import InvalidInputException

_M = TypeVar("_M", bound="Model")

Choice = Set[str] | Set[int] | Mapping[str, Any] | Mapping[int, Any]
"""Names of fields; in a mapping also what is chosen within them:
``{"integrations": {"__all__": {"auth_string"}}}``."""


class _Fields:
    def __get__(self, model: object, kind: type[Any]) -> dict[str, Field[Any]]:
        # None on the base class, which has no fields.
        return {each.name: each for each in fields(kind)} if is_dataclass(kind) else {}


class Model:
    """What all models can do: the methods of pydantic's models that code written for those uses."""

    _secret: ClassVar[str | None] = None
    """The field whose value is never shown."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {"use_attribute_docstrings": True}
    """Where pydantic, if it is used, finds the descriptions of the fields."""

    model_fields: ClassVar[_Fields] = _Fields()
    """The dataclass fields by name."""

    @classmethod
    def _of(cls: type[_M], values: dict[str, Any]) -> _M:
        # All fields, in their order and of their types: made by the native module.
        model = object.__new__(cls)
        object.__setattr__(model, "__dict__", values)
        return model

    def __post_init__(self) -> None:
        values = self.__dict__
        for name, hint in _hints(type(self)).items():
            values[name] = _parsed(values[name], hint, name, strict=False)

    @classmethod
    def model_validate(
        cls: type[_M], obj: Any, *, strict: bool | None = None, from_attributes: bool | None = None
    ) -> _M:
        """Makes a model from a mapping, from another model, or from an object with its attributes.

        What is not a field is ignored.

        Args:
            obj: The mapping or the object; a model of this class is returned as it is.
            strict: Whether ids and times must not be text, nor lists other sequences.
            from_attributes: Whether an object is accepted; a mapping or a model always is.

        Raises:
            InvalidInputException: a field is missing or of the wrong type; it is named.
        """
        if isinstance(obj, cls):
            return obj
        if isinstance(obj, Mapping):
            given = {name: obj[name] for name in _names(cls) if name in obj}
        elif from_attributes is not False or isinstance(obj, Model):
            given = {name: getattr(obj, name) for name in _names(cls) if hasattr(obj, name)}
        else:
            given = {}
        if not given and not isinstance(obj, Mapping):
            raise InvalidInputException(
                f"{cls.__name__} cannot be made from {type(obj).__name__}", field=cls.__name__
            )
        missing = _missing(cls, given)
        if missing is not None:
            raise InvalidInputException(f"{missing} is missing", field=missing)
        if strict:
            hints = _hints(cls)
            given = {
                name: _parsed(value, hints[name], name, strict=True) for name, value in given.items()
            }
        return cls(**given)

    @classmethod
    def model_validate_json(cls: type[_M], json_data: str | bytes | bytearray) -> _M:
        """Makes a model from the text of a JSON object.

        Raises:
            InvalidInputException: it is not JSON, or a field is missing or of the wrong type.
        """
        try:
            values = json.loads(json_data)
        except (ValueError, RecursionError):
            pass
        else:
            return cls.model_validate(values, from_attributes=False)
        # Raised here, because the error of the parser holds the whole text.
        raise InvalidInputException("json_data is not JSON", field="json_data")

    def model_dump(
        self,
        *,
        mode: Literal["python", "json"] | str = "python",
        include: Choice | None = None,
        exclude: Choice | None = None,
        by_alias: bool | None = None,
        exclude_unset: bool = False,
        exclude_defaults: bool = False,
        exclude_none: bool = False,
    ) -> dict[str, Any]:
        """The fields by name, secrets included.

        Args:
            mode: ``"json"`` for values that JSON can hold.
            include: The fields to take; all when ``None``.
            exclude: The fields to leave out.
            by_alias: Without effect; there are no aliases.
            exclude_unset: Without effect; all fields are set.
            exclude_defaults: Whether to leave out fields that have their default.
            exclude_none: Whether to leave out fields that are ``None``.
        """

        def is_wanted(part: Field[Any], value: Any) -> bool:
            if exclude_none and value is None:
                return False
            return not (exclude_defaults and value == _default(part))

        def dumped(value: Any, include: Any, exclude: Any) -> Any:
            if isinstance(value, Model):
                parts = ((part, getattr(value, part.name)) for part in fields(value))  # type: ignore[arg-type]
                named = ((part.name, inner) for part, inner in parts if is_wanted(part, inner))
                return dict(chosen(named, include, exclude))
            if isinstance(value, list):
                return [inner for _, inner in chosen(enumerate(value), include, exclude)]
            return _json(value) if mode == "json" else value

        def chosen(parts: Any, include: Any, exclude: Any) -> Iterator[tuple[Any, Any]]:
            for key, value in parts:
                taken, left_out = _within(include, key), _within(exclude, key)
                if (include is None or taken) and left_out is not True:
                    inner = None if taken is True else taken
                    yield key, dumped(value, inner or None, left_out or None)

        result: dict[str, Any] = dumped(self, include, exclude)
        return result

    def model_dump_json(
        self,
        *,
        indent: int | None = None,
        include: Choice | None = None,
        exclude: Choice | None = None,
        by_alias: bool | None = None,
        exclude_unset: bool = False,
        exclude_defaults: bool = False,
        exclude_none: bool = False,
    ) -> str:
        """The same as the text of a JSON object; see :meth:`model_dump`."""
        values = self.model_dump(
            mode="json",
            include=include,
            exclude=exclude,
            exclude_defaults=exclude_defaults,
            exclude_none=exclude_none,
        )
        separators = None if indent is not None else (",", ":")
        return json.dumps(values, indent=indent, separators=separators, ensure_ascii=False)

    def model_copy(self: _M, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> _M:
        """A copy with the given fields changed; with ``deep`` its lists are copies too.

        Raises:
            InvalidInputException: a new value is of the wrong type; its field is named.
        """
        model = copy.deepcopy(self) if deep else copy.copy(self)
        return replace(model, **update) if update else model  # type: ignore[type-var]

    @classmethod
    def model_json_schema(
        cls, *, mode: Literal["validation", "serialization"] = "validation"
    ) -> dict[str, Any]:
        """The JSON schema of the model. Needs pydantic, which makes it."""
        from pydantic import TypeAdapter

        return TypeAdapter(cls).json_schema(mode=mode)

    @property
    def model_fields_set(self) -> set[str]:
        """The names of all fields."""
        return set(_names(type(self)))

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        for name in _names(type(self)):
            yield name, getattr(self, name)

    # Not those of dataclasses, whose differences test runners print field by field.
    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return tuple(self) == tuple(other)

    def __hash__(self) -> int:
        return hash((type(self), *(value for _, value in self if not isinstance(value, list))))

    def __repr__(self) -> str:
        shown = (f"{name}={self._shown(name, value)}" for name, value in self)
        return f"{type(self).__name__}({', '.join(shown)})"

    def _shown(self, name: str, value: object) -> str:
        return "'<redacted>'" if name == self._secret and value else repr(value)


_HINTS: dict[type[Any], dict[str, Any]] = {}


def _hints(model: type[Any]) -> dict[str, Any]:
    found = _HINTS.get(model)
    if found is None:
        hints = get_type_hints(model)
        found = _HINTS[model] = {each.name: hints[each.name] for each in fields(model)}
    return found


def _names(model: type[Any]) -> list[str]:
    return list(_hints(model))


def _missing(model: type[Any], given: Mapping[str, Any]) -> str | None:
    for each in fields(model):
        if each.default is MISSING and each.default_factory is MISSING and each.name not in given:
            return each.name
    return None


def _default(part: Field[Any]) -> Any:
    return part.default if part.default_factory is MISSING else part.default_factory()


def _within(choice: Any, key: str | int) -> Any:
    # What a choice says of one field or item: nothing, all of it, or a choice within it.
    if choice is None:
        return None
    if not isinstance(choice, Mapping):
        return key in choice or (isinstance(key, int) and "__all__" in choice)
    said = choice.get(key, choice.get("__all__") if isinstance(key, int) else None)
    return True if said is ... else said


def _parsed(value: Any, hint: Any, name: str, *, strict: bool) -> Any:
    try:
        return _value(value, hint, strict)
    except InvalidInputException as error:
        inner = f"{name}.{error.field}"
        message = str(error).replace(error.field, inner, 1)
    except (TypeError, ValueError):
        inner, message = name, f"{name} is not a value of its type"
    raise InvalidInputException(message, field=inner)


def _value(value: Any, hint: Any, strict: bool) -> Any:
    if get_origin(hint) in (Union, UnionType):
        # Something or nothing.
        return None if value is None else _value(value, get_args(hint)[0], strict)
    if get_origin(hint) is list:
        if isinstance(value, (str, bytes)) or not isinstance(value, list if strict else (Sequence, Set)):
            raise TypeError
        (kind,) = get_args(hint)
        return [_value(item, kind, strict) for item in value]
    if not isinstance(hint, type):
        return value
    if issubclass(hint, Model):
        return hint.model_validate(value, strict=strict)
    if isinstance(value, str) and not strict:
        if hint is UUID:
            return UUID(value)
        if hint is datetime:
            return datetime.fromisoformat(value)
    # True is an int to Python, but no number of seconds.
    if not isinstance(value, hint) or (hint is int and isinstance(value, bool)):
        raise TypeError
    return value


def _json(value: Any) -> Any:
    match value:
        case UUID():
            return str(value)
        case datetime():
            return value.isoformat().replace("+00:00", "Z")
    return value
