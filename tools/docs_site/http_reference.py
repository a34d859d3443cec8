"""The reference of the HTTP API, from the description that the service gives of itself."""

from __future__ import annotations

from typing import Any

from mien.web.app import describe_api

HEAD = """# The HTTP API

Every route of `mien serve`, the scope of the token that it needs, what it takes and what it
answers. The service gives the same as OpenAPI at `/v1/openapi.json`. How to start it and what
protects it: [service](../service.md).
"""


def http_reference() -> str:
    """A section for each operation, and then the objects."""
    description = describe_api()
    parts = [HEAD]
    for path, operations in description["paths"].items():
        for method, operation in operations.items():
            parts += _operation(f"{method.upper()} {path}", operation)
    parts.append("## Objects\n")
    for name, schema in sorted(description["components"]["schemas"].items()):
        parts += _object(name, schema)
    return "\n".join(parts)


def _operation(title: str, operation: dict[str, Any]) -> list[str]:
    scopes = [scope for one in operation.get("security", []) for scope in one.get("token", [])]
    needs = f"Token of scope `{scopes[0]}`." if scopes else "No token."
    said = operation.get("description") or operation.get("summary", "")
    parts = [f"## {title}\n", f"{said}\n", f"{needs}\n"]
    rows = [
        f"| `{one['name']}` | {one['in']} | {_kind(one.get('schema', {}))} |"
        for one in operation.get("parameters", [])
    ]
    for kind, body in operation.get("requestBody", {}).get("content", {}).items():
        rows.append(f"| body | {kind} | {_kind(body.get('schema', {}))} |")
    if rows:
        parts.append("\n".join(["| takes | where | |", "|---|---|---|", *rows]) + "\n")
    answers = [
        f"| {status} | {_cell(answer['description'])} | {_answer(answer)} |"
        for status, answer in sorted(operation["responses"].items())
    ]
    parts.append("\n".join(["| status | when | object |", "|---|---|---|", *answers]) + "\n")
    return parts


def _object(name: str, schema: dict[str, Any]) -> list[str]:
    rows = [
        f"| `{field}` | {_kind(one)} | {_cell(one.get('description', ''))} |"
        for field, one in schema.get("properties", {}).items()
    ]
    table = "\n".join(["| field | | |", "|---|---|---|", *rows]) + "\n" if rows else ""
    return [f"### {name}\n", f"{schema.get('description', '')}\n", table]


def _answer(answer: dict[str, Any]) -> str:
    schemas = [one.get("schema", {}) for one in answer.get("content", {}).values()]
    return ", ".join(_kind(one) for one in schemas)


def _kind(schema: dict[str, Any]) -> str:
    """A schema in a few words, with a link to its object."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        return f"[{name}](#{name.lower()})"
    for key in ("anyOf", "oneOf"):
        if key in schema:
            return " or ".join(_kind(one) for one in schema[key])
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    if "enum" in schema or "const" in schema:
        return ", ".join(f"`{one}`" for one in schema.get("enum", [schema.get("const")]))
    if schema.get("type") == "object" and "properties" in schema:
        return ", ".join(f"`{name}`" for name in schema["properties"])
    return str(schema.get("type", ""))


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
