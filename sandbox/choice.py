"""What was chosen about a sandbox: with the image and the checkout, enough to make the same one again."""

from dataclasses import dataclass
from typing import Annotated, Literal

import pydantic

ProfileName = Literal["strict", "default", "egress", "build", "compat"]
BaseKind = Literal["auto", "live", "frozen", "copy"]

Amount = Annotated[int, pydantic.Field(gt=0)]


@dataclass(frozen=True)
class Machine:
    """What limits are measured against: bytes of memory, and cores."""

    memory: int
    cores: int


class Network(pydantic.BaseModel):
    """What a sandbox may reach through our proxy, in a profile that has one; with nothing named, nothing.

    `allowed` and `writable` are patterns of hosts (`sandbox.egress.hosts`): the first may be read from (GET, HEAD),
    the second told anything. `denied` outranks both. `addresses` are networks, such as `10.1.0.0/16`, that may be
    connected to although they are not public. `only_listed`: no person is asked about others, and no mirror of the
    distribution's is reached unlisted.
    """

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    allowed: tuple[str, ...] = ()
    writable: tuple[str, ...] = ()
    denied: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    only_listed: bool = False


class Choice(pydantic.BaseModel):
    """A session's wishes, kept in its `meta.json`. None takes what the profile says.

    `runtime` is a name the engine knows (`crun`, `runsc` …), empty for its default. `base`: what the workspace lies on;
    `auto` decides by the tree's size and by what the engine can see. `memory` and `disk` are bytes, `disk` what the
    sandbox may write; `cpus` is a share of the machine's; `processes` counts threads too. `include` are patterns of
    files that hold secrets and may be seen inside anyway. `environment` are names of host variables that go inside.
    `idle` is how many seconds without a call end the container (its files stay); 0 means never. `machine` is where the
    engine runs, None for here.
    """

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    profile: ProfileName = "default"
    runtime: str = ""
    base: BaseKind = "auto"
    memory: Amount | None = None
    cpus: Annotated[float, pydantic.Field(gt=0)] | None = None
    processes: Amount | None = None
    disk: Amount | None = None
    include: tuple[str, ...] = ()
    environment: tuple[str, ...] = ()
    network: Network = Network()
    idle: Annotated[float, pydantic.Field(ge=0)] = 1800.0
    machine: Machine | None = None
