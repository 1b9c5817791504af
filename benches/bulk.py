#!/usr/bin/env python3
"""Creates as many users by single requests over one connection, and by one bulk request, and prints both times and their ratio.

usage: bulk.py BASE_URL TOKEN [USERS [ROUNDS]]     BASE_URL is that of /Users; a server for trials: rollbook serve --demo
"""

import http.client
import json
import statistics
import sys
import time
import urllib.parse
import uuid

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
BULK = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"


def user(name):
    emails = [{"value": f"{name}@example.com", "type": "work", "primary": True}]
    return {"schemas": [USER], "userName": f"{name}@example.com", "name": {"givenName": "Sam", "familyName": "Example"}, "emails": emails, "externalId": name}


class Server:
    def __init__(self, base, token):
        self.url = urllib.parse.urlsplit(base)
        self.connection = http.client.HTTPConnection(self.url.netloc)
        self.headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/scim+json"}

    def post(self, path, body):
        self.connection.request("POST", self.url.path + path, json.dumps(body), self.headers)
        answer = self.connection.getresponse()
        text = answer.read()
        return answer.status, json.loads(text)

    def one_by_one(self, users):
        for body in users:
            status, answer = self.post("/Users", body)
            assert status == 201, answer

    def together(self, users):
        operations = [{"method": "POST", "path": "/Users", "bulkId": str(n), "data": body} for n, body in enumerate(users)]
        status, answer = self.post("/Bulk", {"schemas": [BULK], "Operations": operations})
        assert status == 200 and all(o["status"] == "201" for o in answer["Operations"]), answer


def seconds(work, count):
    users = [user(uuid.uuid4().hex) for _ in range(count)]
    began = time.perf_counter()
    work(users)
    return time.perf_counter() - began


def main():
    server = Server(*sys.argv[1:3])
    count, rounds = (int(a) for a in (*sys.argv[3:], *("1000", "5")[len(sys.argv) - 3 :]))
    server.together([user(uuid.uuid4().hex)])
    times = [(seconds(server.one_by_one, count), seconds(server.together, count)) for _ in range(rounds)]
    single, bulk = (statistics.median(t) for t in zip(*times))
    print(f"{count} users: one by one {single:.3f} s, together {bulk:.3f} s, ratio {bulk / single:.3f} (medians of {rounds})")


main()
