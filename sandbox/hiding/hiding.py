"""Hiding for the starts of a sandbox: found while a container is made, laid before it is started."""

import os
from pathlib import Path

import anyio
import anyio.abc
import anyio.to_thread

from sandbox.errors import FileError
from sandbox.hiding.finding import find
from sandbox.hiding.hidden import Hidden, Secret, remember
from sandbox.hiding.mask import lay
from sandbox.sessions import Session


class Hiding:
    """At every start, a look goes beside the rest of it, and `lay` waits for that. What fails there fails the start."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._looked = anyio.Event()
        self._has_begun = False
        self._found: Hidden | Exception | None = None

    def begin(self, tasks: anyio.abc.TaskGroup) -> None:
        """Look for what has to be hidden at this start, in the background."""
        if self._looked.is_set():
            self._looked = anyio.Event()
        self._has_begun = True
        tasks.start_soon(self._look, self._looked)

    async def _look(self, looked: anyio.Event) -> None:
        try:
            self._found = await anyio.to_thread.run_sync(_find, self._session)
        except Exception as error:  # noqa: BLE001 - whatever it is belongs to those who wait for the sandbox
            self._found = error
        finally:
            looked.set()

    async def looked(self) -> None:
        """Wait until it has been found, or cannot be."""
        await self._looked.wait()

    async def found(self) -> Hidden:
        """What was found; before the first start, what would be. Raises what made looking fail."""
        if not self._has_begun:
            return await anyio.to_thread.run_sync(_find, self._session)
        await self.looked()
        if not isinstance(self._found, Hidden):
            raise self._found or RuntimeError("the look for secrets was cancelled")
        return self._found

    async def explained(self, error: FileError) -> FileError:
        """The same error, or, if what was not found is hidden, one that says so."""
        if error.kind != "not-found" or (secret := _secret_at(self._session, await self.found(), error.path)) is None:
            return error
        return FileError("hidden", error.path, f"hidden from the sandbox, because {secret.reason}")

    async def lay(self) -> None:
        """Keep account of it, then lay the mask. Raises OutOfSpace, StateError, and what made looking fail."""
        found = await self.found()
        await anyio.to_thread.run_sync(_lay, self._session, found)


def _secret_at(session: Session, hidden: Hidden, path: str) -> Secret | None:
    return hidden.secret_at(os.fsencode(os.path.relpath(path, session.meta().checkout)))


def _find(session: Session) -> Hidden:
    meta = session.meta()
    return find(Path(meta.checkout), meta.choice.include)


def _lay(session: Session, found: Hidden) -> None:
    lay(session, Path(session.meta().checkout), remember(session, found))
