"""accelerate's launcher, without torch's traceback where a training process has said what is wrong.

python -m training.start OPTIONS OF `accelerate launch`
"""

import logging
import sys

from accelerate.commands.launch import main as launch  # type: ignore[import-untyped]
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

from app.command import BAD_INPUT


def main() -> None:
    """Start the processes and wait for them.

    Raises:
        SystemExit: one failed: 2 where it said why in one line, else 1.
    """
    # It tells of every process that it ends; what failed stands in the error as well.
    logging.getLogger("torch.distributed.elastic.multiprocessing.api").setLevel(logging.CRITICAL)
    try:
        launch()
    except ChildFailedError as error:
        if any(failure.exitcode == BAD_INPUT for failure in error.failures.values()):
            raise SystemExit(BAD_INPUT) from None
        print(error, file=sys.stderr, flush=True)
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
