"""What the modules that can be called (``python -m softlabels.…``) have in common."""

import sys
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

from softlabels.errors import SoftlabelsError

P = ParamSpec("P")


def told(status: int) -> Callable[[Callable[P, None]], Callable[P, int]]:
    """Make a function a command: it returns 0; a user's mistake is one line on stderr and `status`."""

    def decorate(work: Callable[P, None]) -> Callable[P, int]:
        @wraps(work)
        def command(*args: P.args, **kwargs: P.kwargs) -> int:
            try:
                work(*args, **kwargs)
            except SoftlabelsError as error:
                print(f"error: {error}", file=sys.stderr)
                return status
            return 0

        return command

    return decorate
