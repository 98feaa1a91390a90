"""Hold a JSON value against its schema in docs/openapi.json, strictly: a property that is not declared is strange."""

import re
from typing import Any

_KINDS: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}


def strange(value: Any, schema: dict[str, Any], document: dict[str, Any], where: str = "$") -> list[str]:
    """What of `value` the schema does not say, each with its place."""
    if "$ref" in schema:
        named = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        return strange(value, named, document, where)
    if "anyOf" in schema:
        return min((strange(value, choice, document, where) for choice in schema["anyOf"]), key=len)
    found = _strange_value(value, schema, where)
    if isinstance(value, dict) and not found:
        return _strange_properties(value, schema, document, where)
    for place, one in enumerate(value if isinstance(value, list) else ()):
        found += strange(one, schema.get("items", {}), document, f"{where}[{place}]")
    return found


def _strange_value(value: Any, schema: dict[str, Any], where: str) -> list[str]:
    if "type" in schema and not _is(value, schema["type"]):
        return [f"{where} is not of type {schema['type']}: {value!r}"]
    if "enum" in schema and value not in schema["enum"]:
        return [f"{where} is none of {schema['enum']}: {value!r}"]
    if "pattern" in schema and not re.search(schema["pattern"], value):
        return [f"{where} is not like {schema['pattern']}: {value!r}"]
    return []


def _is(value: Any, kind: str) -> bool:
    return isinstance(value, _KINDS[kind]) and (kind == "boolean" or not isinstance(value, bool))


def _strange_properties(
    value: dict[str, Any], schema: dict[str, Any], document: dict[str, Any], where: str
) -> list[str]:
    properties, others = schema.get("properties", {}), schema.get("additionalProperties")
    found = [f"{where}.{name} is missing" for name in schema.get("required", ()) if name not in value]
    for name, inside in value.items():
        if name in properties:
            found += strange(inside, properties[name], document, f"{where}.{name}")
        elif others is None and properties:
            found.append(f"{where}.{name} is not declared")
        elif isinstance(others, dict):
            found += strange(inside, others, document, f"{where}.{name}")
    return found
