"""The JSON Schema of job files, from which editors take completions and warnings."""

from typing import Any, Final

from tokenkit.errors import ConnectorMissing
from tokenkit.jobs.connectors import Connector, connector_names, find_connector
from tokenkit.jobs.job_file.fields import JobFields
from tokenkit.policy.schema import DIALECT, policy_schema

_POLICY: Final = "policy"


def job_schema() -> dict[str, Any]:
    """Give the JSON Schema (draft 2020-12) of a job file, with the connectors that are installed.

    Examples
    --------
    >>> schema = job_schema()
    >>> schema["title"], schema["required"]
    ('tokenkit job', ['source', 'sink'])
    """
    schema = JobFields.model_json_schema()
    definitions = schema.pop("$defs")
    policy = policy_schema()
    # A schema within another keeps its own definitions under its own name.
    policy["$id"] = _POLICY
    policy.pop("$schema")
    properties = schema["properties"]
    properties["policy"] = {
        "description": properties["policy"]["description"],
        "anyOf": [{"type": "string"}, {"$ref": f"#/$defs/{_POLICY}"}],
    }
    for side, files in (("source", "FileSource"), ("sink", "FileSink")):
        tables = [_table(side, connector) for connector in _installed()]
        properties[side] = {
            "description": properties[side]["description"],
            "anyOf": [
                {"type": "string", "description": "A path, or the URL of objects."},
                {"$ref": f"#/$defs/{files}"},
                *(table for table in tables if table is not None),
            ],
        }
    for unused in ("TablePlace", "TableTarget"):
        definitions.pop(unused, None)
    return {
        "$schema": DIALECT,
        "title": "tokenkit job",
        **{name: value for name, value in schema.items() if name != "title"},
        "$defs": {**definitions, _POLICY: policy},
    }


def _installed() -> list[Connector]:
    found = []
    for name in connector_names():
        try:
            found.append(find_connector(name))
        except ConnectorMissing:
            # Installed without what it needs: it can't be used in a job either.
            continue
    return found


def _table(side: str, connector: Connector) -> dict[str, Any] | None:
    opening = connector.source if side == "source" else connector.sink
    if opening is None:
        return None
    # Variables make texts of numbers and the like; what is inside is for the connector to check.
    options = opening.options.model_json_schema()
    fields: dict[str, Any] = {
        name: {"description": found.get("description", "")}
        for name, found in options["properties"].items()
    }
    if side == "sink":
        fields["mode"] = {"enum": ["replace", "append"], "default": "replace"}
    return {
        "type": "object",
        "title": connector.name,
        "description": connector.summary,
        "properties": {"connector": {"const": connector.name}, **fields},
        "required": ["connector", *options.get("required", [])],
        "additionalProperties": False,
    }
