"""A mail server for tests/it/mail.rs.

    smtp_server.py serve FOLDER --mode plain|starttls|implicit [options]
        listens on a free port of 127.0.0.1 and prints it. FOLDER gets each message as <n>.eml, the
        client's steps in steps.txt, and with TLS ca.pem, which signs the server's certificate.
        It ends when its standard input does.
    smtp_server.py read
        prints the message on its standard input as JSON: headers as a reader would decode them, and parts.
"""

import argparse
import asyncio
import email
import email.policy
import json
import logging
import ssl
import subprocess
import sys
import warnings
from pathlib import Path

from aiosmtpd.smtp import SMTP, AuthResult


def make_certificate(folder, name):
    """A certificate for `name`, signed by an authority of its own."""

    def openssl(*words):
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)

    new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    (folder / "server.ext").write_text(f"subjectAltName={name}\nbasicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\n")
    openssl("req", "-x509", *new_key, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=test authority")
    openssl("req", *new_key, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=test server")
    openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-set_serial", "1", "-days", "2",
            "-extfile", "server.ext", "-out", "server.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem", folder / "server.key")
    return context


class Handler:
    """Stores what comes in, or answers as it was told."""

    def __init__(self, folder, answers, data_answers, user, password):
        self.folder = folder
        self.answers = answers
        self.data_answers = data_answers
        self.login = (user, password)
        self.count = 0

    def note(self, step, server, session):
        safety = "tls" if server.transport.get_extra_info("ssl_object") else "clear"
        with open(self.folder / "steps.txt", "a", encoding="utf-8") as steps:
            steps.write(f"{session.peer[1]} {safety} {step}\n")

    def authenticate(self, server, session, envelope, mechanism, data):
        right = (data.login.decode(), data.password.decode()) == self.login
        self.note(f"AUTH {'right' if right else 'wrong'}", server, session)
        return AuthResult(success=right, handled=False)

    async def handle_MAIL(self, server, session, envelope, address, options):
        self.note(f"MAIL {address}", server, session)
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):
        self.note(f"RCPT {address}", server, session)
        answer = self.answers.get(address.split("@")[0])
        if answer:
            return f"{answer} <{address}> is not taken"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        self.note("DATA", server, session)
        answer = self.data_answers.get(envelope.rcpt_tos[0].split("@")[0])
        if answer:
            return f"{answer} the message for {envelope.rcpt_tos[0]} is not taken"
        self.count += 1
        (self.folder / f"{self.count}.eml").write_bytes(envelope.original_content)
        return "250 OK"


def pairs(values):
    return dict(value.split("=", 1) for value in values)


async def serve(options):
    # A login in clear is what some tests are about.
    warnings.simplefilter("ignore")
    logging.getLogger("mail").setLevel(logging.ERROR)
    folder = Path(options.folder)
    handler = Handler(folder, pairs(options.rcpt), pairs(options.data), options.user, options.password)
    context = None if options.mode == "plain" else make_certificate(folder, options.name)
    starttls = options.mode == "starttls"

    def protocol():
        return SMTP(
            handler,
            hostname="mail.example.com",
            enable_SMTPUTF8=options.utf8,
            tls_context=context if starttls else None,
            require_starttls=starttls,
            auth_required=bool(options.user),
            auth_require_tls=starttls,
            authenticator=handler.authenticate,
        )

    loop = asyncio.get_running_loop()
    server = await loop.create_server(protocol, "127.0.0.1", 0, ssl=None if starttls else context)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


def read():
    message = email.message_from_bytes(sys.stdin.buffer.read(), policy=email.policy.default)
    parts = [part for part in message.walk() if not part.is_multipart()]
    print(json.dumps({
        "headers": [[name, str(value)] for name, value in message.items()],
        "type": message.get_content_type(),
        "parts": [{"type": part.get_content_type(), "charset": part.get_content_charset(), "text": part.get_content()} for part in parts],
        "defects": [str(defect) for part in message.walk() for defect in part.defects],
    }))


def main():
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("read")
    serving = commands.add_parser("serve")
    serving.add_argument("folder")
    serving.add_argument("--mode", choices=["plain", "starttls", "implicit"], default="plain")
    serving.add_argument("--name", default="IP:127.0.0.1", help="whom the certificate is for")
    serving.add_argument("--user", help="demand a login")
    serving.add_argument("--password")
    serving.add_argument("--utf8", action="store_true", help="offer SMTPUTF8")
    serving.add_argument("--rcpt", action="append", default=[], metavar="LOCAL=ANSWER", help="refuse a receiver")
    serving.add_argument("--data", action="append", default=[], metavar="LOCAL=ANSWER", help="refuse the text for a receiver")
    options = parser.parse_args()
    if options.command == "read":
        read()
    else:
        asyncio.run(serve(options))


main()
