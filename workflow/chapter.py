"""Has a chapter executed or the site built: by the process that `softlabels.book.engine` keeps, or its own.

Takes the arguments of ``python -m softlabels.book``. Imports next to nothing, or the waiting would cost more.
"""

import json
import os
import socket
import sys
from contextlib import suppress

if place := os.environ.get("SOFTLABELS_CHAPTERS"):
    status = b""
    with socket.socket(socket.AF_UNIX) as line, suppress(ConnectionError, FileNotFoundError):
        line.connect(place)
        line.sendall(json.dumps(sys.argv[1:]).encode() + b"\n")
        status = line.recv(1)
    sys.exit(status[0] if status else "the process that executes the chapter has died")

from softlabels.book.execute import main

sys.exit(main())
