"""The command `manage.py write_openapi`, which writes the OpenAPI documents of the repository."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from hotelagent.rest import documentation
from hotelagent.rest.documentation.document import Host, openapi_document

FOLDER = Path(documentation.__file__).parent / "schemas"


class Command(BaseCommand):
    help = (
        "Write the OpenAPI documents of hotels and of the platform to hotelagent/rest/documentation/schemas. Clients "
        "can be generated from these files. CI compares them with the files of the main branch, to find changes that "
        "break clients. Exit codes: 0 written or up to date, 1 not up to date (--check)."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--check", action="store_true", help="Write nothing, and fail if a file is not up to date."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        for host in Host:
            file = FOLDER / f"{host}.json"
            document = openapi_document(host, server=host.example_server)
            text = json.dumps(document, indent=1, ensure_ascii=False, default=str) + "\n"
            if not options["check"]:
                file.write_text(text)
            elif not file.is_file() or file.read_text() != text:
                raise CommandError(
                    f"The REST API differs from {file.name}. Run `manage.py write_openapi` and commit the file."
                )
