"""Whether the feed of this machine is well: exit 0 or 1. What a container's health check runs.

python -m feed.health_check [PORT]
"""

import http.client
import sys
from collections.abc import Sequence

PORT = 8080
SECONDS_MAX = 4.0


def main(arguments: Sequence[str]) -> int:
    """Ask /health: 0 for an answer of 200, else 1 and a line that says why."""
    port = int(arguments[0]) if arguments else PORT
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS_MAX)
    try:
        line.request("GET", "/health")
        answer = line.getresponse()
        said = answer.read(500).decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        sys.stdout.write(f"no answer: {error}\n")
        return 1
    finally:
        line.close()
    sys.stdout.write(f"{answer.status} {said}\n")
    return 0 if answer.status == http.client.OK else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
