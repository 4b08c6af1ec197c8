"""Chapters without a kernel and without their imports: each is a fork of one process that has them already.

``python -m softlabels.book.engine COMMAND …`` runs a command, as a rule Snakemake, and executes the chapters
and builds the site that it asks for through `workflow/chapter.py`, each in a fork of its own.
"""

import gc
import json
import os
import socketserver
import subprocess
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from nbformat.v4 import output_from_msg
from papermill.engines import Engine, papermill_engines

from softlabels.book import execute

ASKED_AT = "SOFTLABELS_CHAPTERS"  # names the socket
# Imported while Snakemake starts, so that no chapter waits for them.
PRELOADED = (
    "IPython.core.history",
    "ipykernel.debugger",
    "ipykernel.inprocess.blocking",
    "ipykernel.inprocess.ipkernel",
    "ipykernel.inprocess.manager",
    "matplotlib.backends.backend_agg",
    "matplotlib.backends.backend_svg",
    "jupyter_book.sphinx",
    "scipy.stats",
    "sklearn.cluster",
    "sklearn.metrics",
    "softlabels.analysis.table",
    "softlabels.analysis.tables",
    "softlabels.figures",
    "torch",  # of the live chapter, and of the pages on the library
)
_SHOWN = ("stream", "display_data", "execute_result", "error")


class Here(Engine):
    """Executes a notebook in this process; what it changes there stays, so a process executes one."""

    @classmethod
    def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, **_: Any) -> None:
        """Execute cell by cell, up to the first error."""
        from ipykernel.inprocess.blocking import BlockingInProcessKernelClient
        from ipykernel.inprocess.manager import InProcessKernelManager
        from IPython.core.history import HistoryManager

        history: Any = HistoryManager
        history.enabled = False  # it is a file of the user's
        manager: Any = InProcessKernelManager()
        manager.start_kernel()
        client = BlockingInProcessKernelClient(kernel=manager.kernel, session=manager.kernel.session)
        client.start_channels()
        for number, cell in enumerate(nb_man.nb.cells):
            nb_man.cell_start(cell, number)
            if cell.cell_type == "code" and not cls._executed(cell, client):
                nb_man.cell_exception(cell, number)
                return
            nb_man.cell_complete(cell, number)

    @staticmethod
    def _executed(cell: Any, client: Any) -> bool:
        client.execute(cell.source)
        reply = client.get_shell_msg()["content"]
        messages = client.iopub_channel.get_msgs()
        cell.outputs = [output_from_msg(m) for m in messages if m["header"]["msg_type"] in _SHOWN]
        cell.execution_count = reply["execution_count"]
        return reply["status"] == "ok"


class _Chapter(socketserver.StreamRequestHandler):
    """Answers a line, the arguments of `softlabels.book` as JSON, with a byte: the status."""

    def handle(self) -> None:
        status = 1
        try:
            status = execute.main(json.loads(self.rfile.readline()))
        except Exception:  # told before the answer: who asked reads it with the answer
            traceback.print_exc()
        finally:
            self.wfile.write(bytes([status]))


class _Server(socketserver.ForkingMixIn, socketserver.UnixStreamServer):
    request_queue_size = 128  # a chapter for each core may ask before all is imported
    timeout = 0.2  # seconds after which it looks whether the command has ended


def ready() -> None:
    """Import what chapters need, and let papermill execute them here: in this process and its forks."""
    os.environ["OMP_NUM_THREADS"] = "1"  # of each chapter: they run side by side
    os.environ["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"  # no debugger is wanted, and it would warn
    for module in PRELOADED:
        with suppress(ImportError):  # who only reads has no PyTorch
            import_module(module)
    papermill_engines.register(None, Here)  # the default
    gc.freeze()  # what is imported stays: a fork that looks through it for garbage copies all of it


def main(command: Sequence[str]) -> int:
    """Run a command, execute the chapters that it asks for meanwhile, and return its status."""
    with (
        TemporaryDirectory() as folder,
        _Server(str(Path(folder) / "chapters"), _Chapter) as server,
        subprocess.Popen(command, env=os.environ | {ASKED_AT: str(server.server_address)}) as asking,
    ):
        try:
            ready()
            while asking.poll() is None:
                server.handle_request()
        finally:
            server.server_close()  # whatever happens here, nobody waits for an answer that does not come
    return asking.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
