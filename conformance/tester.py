"""Run PyPI's scim2-tester against a SCIM server and print every check.

usage: ROLLBOOK_TOKEN=TOKEN tester.py NAME BASE_URL
"""

import os
import sys

from httpx2 import Client
from scim2_client.engines.httpx2 import SyncSCIMClient
from scim2_tester import Status, check_server

FAILED = {Status.ERROR, Status.CRITICAL}
SKIPPED = {Status.SKIPPED}
RESOURCE_TYPES = {"User", "Group"}


def one_line(value, width):
    text = " ".join(str(value or "").split())
    return text if len(text) <= width else text[: width - 1] + "…"


def main(name, base_url):
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
