"""Run PyPI's scim2-tester against a SCIM server and print every check.

usage: ROLLBOOK_TOKEN=TOKEN tester.py NAME BASE_URL
"""

import os
import random
import sys
import uuid
from datetime import date, timedelta

from httpx2 import Client
from pydantic import BaseModel
from scim2_client.engines.httpx2 import SyncSCIMClient
from scim2_models import Mutability
from scim2_tester import Status, check_server, filling
from scim2_tester.checkers import patch_add, patch_remove, patch_replace

FAILED = {Status.ERROR, Status.CRITICAL}
SKIPPED = {Status.SKIPPED}
RESOURCE_TYPES = {"User", "Group"}


def one_line(value, width):
    text = " ".join(str(value or "").split())
    return text if len(text) <= width else text[: width - 1] + "…"


def some_day(first, last):
    return str(first + timedelta(days=random.randrange((last - first).days)))


def address():
    return f"{uuid.uuid4()}@example.com"


def somebody(context):
    """The address of a user who is there: a user shows the address that its manager has."""
    return context.resource_manager.create_and_register(context.client.get_resource_model("User")).user_name


# What must look a certain way, which a schema cannot say; the tester would send a UUID.
VALUES = {
    # An invitation needs an address, and a userName can be one.
    "user_name": lambda _: address(),
    "hire_date": lambda _: some_day(date(1990, 1, 1), date(2020, 1, 1)),
    # A day that is over would make the user inactive.
    "termination_date": lambda _: some_day(date(2100, 1, 1), date(2200, 1, 1)),
    "manager_email": somebody,
}


class Values:
    """Makes values as the tester does, but for those that must look a certain way."""

    def __init__(self):
        self.make = filling.generate_random_value
        self.active = True

    def for_patch(self, context, path, mutability=None, required=None):
        value = self.make(context, path=path, mutability=mutability, required=required)
        binding = path.resolve()
        name = binding.target_field_name if binding else None
        if value is None:
            return None
        if name == "active":
            self.active = value
        # Who is not active cannot be invited. The tester comes to `active` first.
        return self.active if name == "invited" else VALUES[name](context) if name in VALUES else value

    def for_resource(self, context, path, mutability=None, required=None):
        value = self.for_patch(context, path, mutability, required)
        binding = path.resolve()
        # Of a user who is not active, `active` cannot be removed, which the tester would try.
        if value is not None and binding and binding.target_field_name == "active":
            self.active = value = True
        return value


def settable(value):
    """What a client can set of a value.

    The tester compares what it sent with what it got back, and what it removed with nothing, attributes that its own schema
    calls readOnly (`members.display`, `manager.displayName`, a member's `state`) included. A server that fills them in would
    fail for it.
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


def unassigned(value):
    if isinstance(value, BaseModel):
        return all(unassigned(v) for v in settable(value).values())
    return value is None or value == []


def main(name, base_url):
    patch_add.fields_equality = patch_replace.fields_equality = same
    patch_remove._is_unassigned = unassigned
    values = Values()
    filling.generate_random_value = values.for_resource
    patch_add.generate_random_value = patch_replace.generate_random_value = values.for_patch
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
