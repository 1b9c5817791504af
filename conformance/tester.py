"""Run PyPI's scim2-tester against a SCIM server and print every check.

usage: ROLLBOOK_TOKEN=TOKEN tester.py NAME BASE_URL
"""

import os
import sys

from httpx2 import Client
from pydantic import BaseModel
from scim2_client.engines.httpx2 import SyncSCIMClient
from scim2_models import Mutability
from scim2_tester import Status, check_server
from scim2_tester.checkers import patch_add, patch_replace

FAILED = {Status.ERROR, Status.CRITICAL}
SKIPPED = {Status.SKIPPED}
RESOURCE_TYPES = {"User", "Group"}


def one_line(value, width):
    text = " ".join(str(value or "").split())
    return text if len(text) <= width else text[: width - 1] + "…"


def settable(value):
    """What a client can set of a value.

    The tester compares what it sent with what it got back, sub-attributes that its own schema calls readOnly
    (`members.display`, `manager.displayName`) included. A server that fills them in would fail for it.
    """
    if isinstance(value, list):
        return [settable(v) for v in value]
    if not isinstance(value, BaseModel):
        return value
    kept = {}
    for field in type(value).model_fields:
        if field != "schemas" and type(value).get_field_annotation(field, Mutability) != Mutability.read_only:
            kept[field] = settable(getattr(value, field))
    return kept


def same(expected, actual):
    return settable(expected) == settable(actual)


def main(name, base_url):
    patch_add.fields_equality = patch_replace.fields_equality = same
    headers = {"Authorization": f"Bearer {os.environ['ROLLBOOK_TOKEN']}"}
    with Client(base_url=base_url, headers=headers, timeout=30) as http:
        results = check_server(SyncSCIMClient(http))

    for result in results:
        row = f"{result.status.name:<10} {result.resource_type or '-':<6} {result.title or '-':<40}"
        print(row, one_line(result.reason, 90))
        if result.status in FAILED:
            print("    reason:", result.reason)
            print("    data:  ", one_line(result.data, 2000))

    failed = sum(result.status in FAILED for result in results)
    skipped = sum(result.status in SKIPPED for result in results)
    passed = len(results) - failed - skipped
    print(f"{name}: {passed} passed, {failed} failed, {skipped} skipped")

    # A server whose discovery is broken gets few checks: that is no pass.
    checked = {r.resource_type for r in results if r.status not in FAILED | SKIPPED}
    missing = sorted(RESOURCE_TYPES - checked)
    if missing:
        print("no check passed for:", ", ".join(missing))
    return 1 if failed or missing else 0


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
