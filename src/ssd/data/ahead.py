"""Things made in threads, a few of them before they are asked for, in their order."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import cv2

from ssd.runtime import processors

AHEAD = 2
"""How many are ready, or being made, beside one a thread."""


def made_ahead(make: Callable[[Any], Any], items: Iterable[Any], workers: int) -> Iterator[Any]:
    """`make` of each item, in the order of the items.

    Args:
        make: is called in several threads.
        items: what of.
        workers: threads; at most the number of processors.
    """
    cv2.setNumThreads(0)  # the workers are the threads
    workers = min(workers, processors())
    coming: deque[Future] = deque()
    with ThreadPoolExecutor(workers, "batches") as threads:
        try:
            for item in items:
                coming.append(threads.submit(make, item))
                if len(coming) == workers + AHEAD:
                    yield coming.popleft().result()
            while coming:
                yield coming.popleft().result()
        finally:
            for each in coming:
                each.cancel()
