"""Move names between the checkout and the journal, over nothing: in one step, or as NFS needs it, which has none.

The journal is ours alone, the checkout is not: somebody may put a file at a name there at any moment. So what comes out
is renamed, for nobody makes a name in the journal; what goes in is linked, which fails where there is something.
"""

import errno
import os

from sandbox.gate.syscalls import NOT_KNOWN, rename_noreplace

_ASIDE = b".out"


def take_out(checkout: int, name: bytes, journal: int, slot: bytes) -> None:
    """Move a name of the checkout to a free one of the journal. Raises OSError, FileExistsError if it is not free."""
    if not _in_one_step(checkout, name, journal, slot):
        _must_be_free(journal, slot)
        os.rename(name, slot, src_dir_fd=checkout, dst_dir_fd=journal)


def put_in(journal: int, slot: bytes, checkout: int, name: bytes) -> None:
    """Move a name of the journal to a free one of the checkout. Raises OSError, FileExistsError if it is not free.

    Cut short, it may have left both names. What no link can be made of was put in the checkout by the user: a folder,
    which replaces nothing but an empty one, or somebody else's file, for which the name is free a moment before.
    """
    if _in_one_step(journal, slot, checkout, name):
        return
    _must_be_free(checkout, name)
    try:
        os.link(slot, name, src_dir_fd=journal, dst_dir_fd=checkout, follow_symlinks=False)
    except OSError as error:
        if error.errno not in (*NOT_KNOWN, errno.EPERM):
            raise
        os.rename(slot, name, src_dir_fd=journal, dst_dir_fd=checkout)
    else:
        os.unlink(slot, dir_fd=journal)


def exchange_in_two(first_directory: int, first: bytes, second_directory: int, second: bytes) -> None:
    """`exchange` where the file system has none: the first name is missing for a moment, and nothing is overwritten.

    Raises FileExistsError if somebody made the first name in that moment; it is theirs then.
    """
    take_out(first_directory, first, second_directory, second + _ASIDE)
    put_in(second_directory, second, first_directory, first)
    take_out(second_directory, second + _ASIDE, second_directory, second)


def settle(first_directory: int, first: bytes, second_directory: int, second: bytes) -> None:
    """Bring an `exchange_in_two` that was cut short to one of its two ends."""
    aside = second + _ASIDE
    if not is_there(second_directory, aside):
        return
    if are_one(first_directory, first, second_directory, aside):  # put back, not yet taken from here
        os.unlink(aside, dir_fd=second_directory)
        return
    if are_one(first_directory, first, second_directory, second):  # put in, not yet taken from here
        os.unlink(second, dir_fd=second_directory)
    if not is_there(second_directory, second):
        take_out(second_directory, aside, second_directory, second)
    elif not is_there(first_directory, first):
        put_in(second_directory, aside, first_directory, first)


def is_there(directory: int, name: bytes) -> bool:
    """Whether something stands at a name. Raises OSError."""
    return _facts(directory, name) is not None


def are_one(first_directory: int, first: bytes, second_directory: int, second: bytes) -> bool:
    """Whether two names are links to the same file: a move into the checkout was cut short. Raises OSError."""
    one, other = _facts(first_directory, first), _facts(second_directory, second)
    return one is not None and other is not None and os.path.samestat(one, other)


def _in_one_step(source: int, name: bytes, target: int, new_name: bytes) -> bool:
    """Make a move, if the file system has one that replaces nothing; whether it has. Raises OSError."""
    try:
        rename_noreplace(source, name, target, new_name)
    except OSError as error:
        if error.errno in NOT_KNOWN:
            return False
        raise
    return True


def _facts(directory: int, name: bytes) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return None


def _must_be_free(directory: int, name: bytes) -> None:
    if is_there(directory, name):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), os.fsdecode(name))
