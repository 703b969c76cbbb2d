"""Holds every example of an OpenAPI document against the schema it is an example of; says which do not keep to it."""

import sys

import jsonschema_rs
import yaml

BAD = {"invalid-field", "malformed-body", "error"}

with open(sys.argv[1], encoding="utf-8") as file:
    document = yaml.safe_load(file)


def resolve(value):
    """What a value is, or what it refers to."""
    while isinstance(value, dict) and "$ref" in value:
        name = value["$ref"]
        value = document
        for part in name.removeprefix("#/").split("/"):
            value = value[part]
    return value


def shown(value, where):
    """Every schema with examples within a value, and where it is."""
    if isinstance(value, dict):
        if "schema" in value and "examples" in value:
            for name, example in value["examples"].items():
                yield value["schema"], name, resolve(example)["value"], where
        for key, inner in value.items():
            yield from shown(inner, f"{where}/{key}")
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from shown(inner, f"{where}/{number}")


checked, wrong = 0, []
for schema, name, example, where in shown(document, "#"):
    whole = {"components": document["components"], "allOf": [schema]}
    errors = list(jsonschema_rs.Draft202012Validator(whole, validate_formats=True).iter_errors(example))
    # A request that is refused for its form shows what a schema does not allow, in its body.
    is_request = "/responses/" not in where and "/parameters/" not in where
    if bool(errors) != (is_request and name in BAD):
        wrong.append(f"{where} {name}: {[error.message for error in errors] or 'nothing is wrong with it'}")
    checked += 1
print(f"{checked} examples")
if wrong:
    sys.exit("\n".join(wrong))
