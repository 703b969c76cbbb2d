"""Signs as the libraries of PyPI do: {"library", "secret", "id", "timestamp", "body"} in, the signature out."""

import importlib
import json
import sys
from datetime import datetime, timezone

given = json.load(sys.stdin)
library = importlib.import_module(given["library"] + ".webhooks")
timestamp = datetime.fromtimestamp(given["timestamp"], tz=timezone.utc)
print(library.Webhook(given["secret"]).sign(given["id"], timestamp, given["body"]), end="")
