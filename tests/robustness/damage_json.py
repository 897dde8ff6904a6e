"""Damage to JSON: values of another type, missing and double keys, depth, odd numbers and texts."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

DEEP = "[" * 900 + "]" * 900
# Raw JSON text, since some of it no program would write.
ODD = ["null", "true", "false", "0", "-1", "1e400", "-0.0", "NaN", "Infinity", "1.5", '""', '"x"']
ODD += ["[]", "{}", "[null]", "[NaN]", '{"a": 1}', "[[]]", DEEP, "9" * 30, "9" * 5000, '"64"']
ODD += ['"\\ud800"', '"\\u202eabc"', '"\\u001b[2J"', '"a\\u0000b"', '"a\\u2028b"', '"🙂"', "7.0"]
ODD += ['["a", 1, null]', '"9999-12-31"', "1e18", '"1.5E+18"', '"../../x.png"', '"/etc/passwd"']


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every value inside a value."""
    entries = value.items() if isinstance(value, dict) else ()
    entries = enumerate(value[:50]) if isinstance(value, list) else entries
    for key, inner in entries:
        yield (*path, key)
        yield from places(inner, (*path, key))


def replace_at(value: Any, path: tuple[Any, ...], change: Callable[[Any, Any], None]) -> None:
    """Call ``change`` with the container and the key that a path leads to."""
    for key in path[:-1]:
        value = value[key]
    change(value, path[-1])


def _any_place(value: Any, rng: Random) -> tuple[Any, ...] | None:
    found = list(places(value))
    return rng.choice(found) if found else None


def odd_value(text: str, rng: Random) -> str:
    """Put an odd value into any place, or in the place of everything."""
    value = json.loads(text)
    path = None if rng.random() < 0.2 else _any_place(value, rng)
    if path is None:
        return rng.choice(ODD)
    mark = "@@odd@@"
    replace_at(value, path, lambda box, key: box.__setitem__(key, mark))
    return json.dumps(value).replace(json.dumps(mark), rng.choice(ODD))


def missing_key(text: str, rng: Random) -> str:
    """Leave out a key or an entry."""
    value = json.loads(text)
    replace_at(value, rng.choice(list(places(value))), lambda box, key: box.__delitem__(key))
    return json.dumps(value)


def other_key(text: str, rng: Random) -> str:
    """Write a key in another way, or add one."""
    value = json.loads(text)

    def rename(box: Any, key: Any) -> None:
        if isinstance(box, dict):
            old = box.pop(key) if rng.random() < 0.7 else 1
            box[f"{key} " if rng.random() < 0.5 else str(key).upper()] = old
        else:
            box.insert(key, box[key])

    replace_at(value, rng.choice(list(places(value))), rename)
    return json.dumps(value)


def double_key(text: str, rng: Random) -> str:
    """Give the first key twice, with different values."""
    value = json.loads(text)
    key = next(iter(value))
    return f'{{"{key}": {rng.choice(ODD)}, ' + json.dumps(value).lstrip("{")


def list_for_dict(text: str, rng: Random) -> str:
    """Put a list in the place of a dictionary, or the other way round."""
    value = json.loads(text)
    boxes = [path for path in places(value) if isinstance(_at(value, path), (list, dict))]
    if not boxes or rng.random() < 0.5:
        return json.dumps(_swapped(value))
    path = rng.choice(boxes)
    replace_at(value, path, lambda box, key: box.__setitem__(key, _swapped(box[key])))
    return json.dumps(value)


def _at(value: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        value = value[key]
    return value


def _swapped(value: Any) -> Any:
    if isinstance(value, dict):
        return [*value.items()]
    return dict(enumerate(value)) if isinstance(value, list) else [value]


def single_quotes(text: str, rng: Random) -> str:
    """Write it as Python does."""
    return repr(json.loads(text))


def comma_at_the_end(text: str, rng: Random) -> str:
    """Leave a comma before the last bracket."""
    return f"{text.rstrip()[:-1]},{text.rstrip()[-1:]}"


def huge_text(text: str, rng: Random) -> str:
    """Make a text very long."""
    value = json.loads(text)
    texts = [path for path in places(value) if isinstance(_at(value, path), str)]
    long = rng.choice(["5 oz. x ", "<b>", "abc", "<!--", "a. "]) * 20_000
    replace_at(value, rng.choice(texts), lambda box, key: box.__setitem__(key, long))
    return json.dumps(value)


VALUES = [odd_value, odd_value, odd_value, missing_key, missing_key, other_key, double_key]
VALUES += [list_for_dict, single_quotes, comma_at_the_end]


def whole(change: Callable[[str, Random], str]) -> Callable[[bytes, Random], bytes]:
    """Return the damage of a JSON file."""

    def damage(data: bytes, rng: Random) -> bytes:
        return change(data.decode(), rng).encode("utf-8", "surrogatepass")

    damage.__name__, damage.__doc__ = change.__name__, change.__doc__
    return damage


def one_line(change: Callable[[str, Random], str]) -> Callable[[bytes, Random], bytes]:
    """Return the damage of one line of a JSON lines file; a rare one hits every third line."""

    def damage(data: bytes, rng: Random) -> bytes:
        lines = data.decode().splitlines()
        first = rng.randrange(len(lines))
        for row in range(first, len(lines), 3) if rng.random() < 0.15 else [first]:
            lines[row] = change(lines[row], rng)
        return "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogatepass")

    damage.__name__, damage.__doc__ = change.__name__, change.__doc__
    return damage


def line_twice(data: bytes, rng: Random) -> bytes:
    """Write a line again at the end."""
    return data + rng.choice(data.splitlines(keepends=True))


def drop_line(data: bytes, rng: Random) -> bytes:
    """Leave out a line."""
    lines = data.splitlines(keepends=True)
    del lines[rng.randrange(len(lines))]
    return b"".join(lines)


def one_array(data: bytes, rng: Random) -> bytes:
    """Write all lines as one JSON list."""
    return json.dumps([json.loads(line) for line in data.splitlines()]).encode()


def blank_lines(data: bytes, rng: Random) -> bytes:
    """Put blank lines between the others."""
    return data.replace(b"\n", rng.choice([b"\n\n", b"\n  \n", b"\n\t\n"]))


JSON = [whole(change) for change in VALUES]
JSON_LINES = [one_line(change) for change in [*VALUES, huge_text]]
JSON_LINES += [line_twice, drop_line, one_array, blank_lines]
