"""No way out: what a sandbox without a network has, and what one with a proxy has more of (`sandbox.egress.outlet`)."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, nullcontext

from sandbox.container import Container
from sandbox.running import Running


class Closed:
    """Nothing leaves."""

    @property
    def variables(self) -> Mapping[str, str]:
        """What programs inside find about it in their environment."""
        return {}

    @property
    def files(self) -> Mapping[str, str]:
        """What the guest writes for them before any runs, by path."""
        return {}

    def hearing(self, call: Running) -> AbstractAsyncContextManager[None]:
        """While the block runs, what is refused to anybody inside is put down in `call.refused`."""
        del call
        return nullcontext()

    async def serve(self, container: Container) -> None:
        """Serve what comes out of a container, until it is gone."""

    def take_news(self) -> str:
        """What was refused while no command ran that could be told."""
        return ""
