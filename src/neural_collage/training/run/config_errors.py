"""One-line errors for invalid configs, from the messages of jsonargparse."""

import difflib
import pkgutil
import re
from collections.abc import Iterable

from jsonargparse import ArgumentParser

_PLACE = re.compile(r"Parser key \"(?P<key>[^\"]+)\"|with given class_path '(?P<path>[^']+)'")
_UNKNOWN = re.compile(
    r"Option '(?P<a>[^']+)' is not accepted"
    r"|Group '(?P<group>[^']+)' does not accept option '(?P<b>[^']+)'"
    r"|unrecognized arguments: (?:--)?(?P<c>[^\s=]+)"
)
_NO_CLASS = re.compile(r"has no attribute '|No module named '|Invalid import path")
_NOISE = re.compile(
    r"^(Parser key .*|Problem with given .*|Does not validate against .*|Subtypes: .*|Errors:"
    r"|Given value.*|Expected a <class 'NoneType'>|)$"
)


def explain(message: str, parser: ArgumentParser) -> str:
    """One line about an error in a config: the key, the problem, and the most similar known key.

    message: that of jsonargparse, which may have many lines of nested alternatives.
    """
    places = list(_PLACE.finditer(message))
    key = ".".join(place["key"] or "init_args" for place in places)
    class_path = next((place["path"] for place in reversed(places) if place["path"]), None)
    unknown = _UNKNOWN.search(message)
    if unknown:
        inner = unknown["a"] or unknown["b"] or unknown["c"]
        if unknown["group"]:
            inner = f"{unknown['group']}.{inner}"
        known = _keys_of_class(class_path) if class_path else _keys(parser)
        outer = f"{key}." if key else ""
        return f"unknown key {outer}{inner}: {_suggestion(inner, known, outer)}"
    reason = _reason(message)
    if class_path and _NO_CLASS.search(reason):
        return f"{key.removesuffix('.init_args')}.class_path: there is no {class_path} ({reason})"
    return f"{key}: {reason}" if key and key != "config" else reason


def _reason(message: str) -> str:
    """The innermost lines of a nested message."""
    lines = [line.strip() for line in message.splitlines()]
    kept = [line for line in (each.removeprefix("- ") for each in lines) if not _NOISE.match(line)]
    inline = re.sub(r"^Parser key \"[^\"]+\": ", "", " ".join(kept) or " ".join(lines))
    return re.sub(r"<class '([\w.]+)'>", r"\1", inline)


def _suggestion(key: str, known: Iterable[str], outer: str) -> str:
    names = list(known)
    near = difflib.get_close_matches(key, names, n=1)
    if not near:
        last = key.split(".")[-1]
        near = [name for name in names if name.split(".")[-1] == last][:1]
    if near:
        return f"did you mean {outer}{near[0]}?"
    return f"known are {', '.join(sorted({name.split('.')[0] for name in names}))}"


def _keys(parser: ArgumentParser) -> list[str]:
    return [key for key in parser.get_defaults().keys() if key != "config"]  # noqa: SIM118


def _keys_of_class(class_path: str) -> list[str]:
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(pkgutil.resolve_name(class_path), fail_untyped=False)
    return _keys(parser)
