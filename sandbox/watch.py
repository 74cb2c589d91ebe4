"""The program that watches a checkout, in a process of its own: one JSON line for each batch of paths written to.

Registering 10,000 folders takes a third of a second in which the library lets no other thread run: in our own process
that would hold up the sandbox's start and the model's answer. It is run by its path and isolated (`python -I`), so
that nothing of the folder it watches can be imported, and it ends when its stdin does.

Arguments: the checkout, then those of its folders that are watched with all that is in them. The others (`.git`, what
is ignored) take no watches: a user has only so many, and an editor needs some.
"""

import json
import os
import sys
import threading
from collections.abc import Iterable

import watchfiles

DEBOUNCE = 1_000  # milliseconds in which what belongs together is gathered
STEP = 100
MOST = 20_000  # paths a batch names: more than that is a checkout of another branch

_speaking = threading.Lock()


def main(checkout: str, folders: list[str]) -> None:
    """Watch until nobody listens any more. Each of the two watchers says an empty line when it misses nothing more."""
    os.nice(10)
    threading.Thread(target=_end_with_stdin, daemon=True).start()
    prefix = checkout.rstrip("/") + "/"
    if folders:
        threading.Thread(target=watch, args=(folders, prefix), kwargs={"recursive": True}, daemon=True).start()
    watch([checkout], prefix, recursive=False)


def watch(places: list[str], prefix: str, *, recursive: bool) -> None:
    """Say what is written to in these places, until something is wrong with them."""
    has_begun = False
    try:
        for changes in watchfiles.watch(
            *places,
            watch_filter=None,
            debounce=DEBOUNCE,
            step=STEP,
            rust_timeout=250,
            yield_on_timeout=True,
            recursive=recursive,
            ignore_permission_denied=True,
        ):
            paths = list(_paths(changes, prefix))
            if paths or not has_begun:
                say({"paths": paths})
            has_begun = True
    except (OSError, RuntimeError, UnicodeError) as error:  # the library takes no name that is not UTF-8
        say({"problem": str(error)})


def say(line: dict[str, object]) -> None:
    """One line, at once."""
    with _speaking:
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()


def _paths(changes: Iterable[tuple[watchfiles.Change, str]], prefix: str) -> Iterable[str]:
    """The paths below the folder, without git's own and our journals."""
    names = sorted({path.removeprefix(prefix) for _, path in changes if path.startswith(prefix)})
    wanted = (name for name in names if ".git" not in name.split("/") and not name.startswith(".paddock-txn."))
    for _, name in zip(range(MOST), wanted, strict=False):
        yield name


def _end_with_stdin() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
