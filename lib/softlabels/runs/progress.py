"""How far many runs are: one bar for all of them, with the time that is left."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from softlabels.learning import bars
from softlabels.learning.config import RunConfig
from softlabels.runs import planning

FORMAT = "{desc}: {percentage:3.0f} % |{bar:30}| {elapsed} so far, {remaining} left"


@contextmanager
def one_bar(configs: Sequence[RunConfig]) -> Iterator[Callable[[RunConfig], None]]:
    """Draw one bar for these runs, as long as they are expected to take; yields what to call after each.

    Epochs of runs that are trained in this process move it too.
    """
    past = planning.past()
    minutes = {config.id: past.expected(config, gpu=False) for config in configs}
    if not minutes:
        yield lambda config: None
        return
    done = 0.0
    words = f"{len(minutes)} run{'s' if len(minutes) > 1 else ''}"
    with bars.bar(total=sum(minutes.values()), desc=words, bar_format=FORMAT, leave=False) as drawn:

        def epoch(config: RunConfig) -> None:
            drawn.update(minutes.get(config.id, 0.0) / config.epochs)

        def run(config: RunConfig) -> None:
            nonlocal done
            done += minutes.get(config.id, 0.0)
            drawn.update(done - drawn.n)  # not every epoch was told of, and a run may have ended early

        with bars.one_for_all(epoch):
            yield run
