"""``${…}`` in the texts of a scenario: what earlier steps saved, whole or spoiled on purpose."""

from __future__ import annotations

import re
from typing import Any

Saved = dict[str, Any]

_PLACE = re.compile(r"\$\{([^}]*)\}")


def resolve(value: Any, saved: Saved) -> Any:
    """The value with every ``${…}`` in it replaced."""
    match value:
        case str():
            return _text(value, saved)
        case list():
            return [resolve(item, saved) for item in value]
        case dict():
            return {name: resolve(member, saved) for name, member in value.items()}
    return value


def _text(text: str, saved: Saved) -> Any:
    whole = _PLACE.fullmatch(text)
    if whole is not None:
        return _evaluated(whole[1], saved)
    replaced = _PLACE.sub(lambda place: _as_text(_evaluated(place[1], saved)), text)
    assert "${" not in _PLACE.sub("", text), f"no }} in {text!r}"
    return replaced


def _evaluated(inner: str, saved: Saved) -> Any:
    subject, *filters = (piece.strip() for piece in inner.split("|"))
    quoted = len(subject) > 1 and subject.startswith("'") and subject.endswith("'")
    value = subject[1:-1] if quoted else _looked_up(subject, saved)
    for spoil in filters:
        value = _spoiled(spoil, _as_text(value))
    return value


def _looked_up(path: str, saved: Saved) -> Any:
    first, *names = path.split(".")
    value = saved[first]
    for name in names:
        value = value[int(name)] if isinstance(value, list) else value[name]
    return value


def _spoiled(spoil: str, text: str) -> Any:
    match spoil.split():
        case ["upper"]:
            return text.upper()
        case ["repeat", times]:
            return text * int(times)
        case ["skip", count]:
            return text[int(count) :]
        case ["cut", count]:
            return text[: len(text) - int(count)]
        case ["last", count]:
            return text[len(text) - int(count) :]
        case ["part", index]:
            return text.split(".")[int(index)]
        case ["replace", old, new]:
            return text.replace(old, new, 1)
        case ["change", index]:
            return _changed(text, int(index))
        case ["every_change"]:
            return [_changed(text, index) for index in range(len(text))]
    raise LookupError(f"there is no filter {spoil!r}")


def _changed(text: str, index: int) -> str:
    return text[:index] + ("B" if text[index] == "A" else "A") + text[index + 1 :]


def _as_text(value: Any) -> str:
    assert isinstance(value, (str, int)) and not isinstance(value, bool), f"{value!r} is no text"
    return str(value)
