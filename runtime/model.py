"""The model, asked through the SDK: the only file that knows `anthropic`, which is loaded when first needed.

Loading the SDK takes about a second: `warm` begins it in the background, so that it passes while the sandbox starts.
"""

import contextlib
import functools
import gc
import ipaddress
import random
import ssl
import threading
from collections.abc import AsyncGenerator, Callable, Mapping
from contextvars import ContextVar
from types import ModuleType
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import anyio
import anyio.to_thread

from runtime.errors import BadAnswer, ModelError, StreamCut, Unauthorised
from runtime.events import Retrying
from runtime.model_errors import no_connection, refused
from runtime.request import Request, body_of
from runtime.settings import ModelChoice

if TYPE_CHECKING:
    from anthropic import APIError, APIRequest, AsyncAnthropic
    from anthropic._middleware import AsyncCallNext
    from anthropic._response import AsyncAPIResponse

OnRetry = Callable[[Retrying], None]

RETRIED = (408, 409, 429)
"""Statuses below 500 that a second try may cure."""
FIRST_DELAY, LONGEST_DELAY = 0.5, 8.0
"""Seconds between tries where the service does not say: doubled each time, with jitter."""
BROKEN_OFF = ("overloaded_error", "api_error", "timeout_error", "rate_limit_error")
"""Errors reported in the middle of a stream that a second try may cure."""

listener: ContextVar[OnRetry | None] = ContextVar("listener", default=None)
"""Who is told of the retries of the request that runs in this context."""


@functools.cache
def load() -> ModuleType:
    """The SDK. Collecting garbage while its thousands of classes are made would take a third longer."""
    gc.disable()
    try:
        import anthropic  # noqa: PLC0415  # a second of work that most commands never need
    finally:
        gc.freeze()
        gc.enable()
    return anthropic


def warm() -> None:
    """Begin to load the SDK in the background; returns at once."""
    threading.Thread(target=load, name="load-sdk", daemon=True).start()


class Model:
    """One model behind one service. `stream` may be called again and again; `close` ends the connections."""

    def __init__(self, choice: ModelChoice) -> None:
        self.choice = choice
        self._client: AsyncAnthropic | None = None

    @property
    def name(self) -> str:
        """The name the service knows."""
        return self.choice.full_name

    async def stream(self, request: Request, on_retry: OnRetry) -> AsyncGenerator[Mapping[str, Any], None]:
        """The raw events of one answer, as the API names them, to the end of the stream.

        Nobody but the reader knows whether the answer is complete (`runtime.answer`). Cancelling ends the request.
        Raises: ModelError, already retried where that helps; StreamCut if it fell silent or broke off with an error.
        """
        sdk = await anyio.to_thread.run_sync(load, abandon_on_cancel=True)
        token = listener.set(on_retry)
        try:
            async with contextlib.aclosing(self._events(sdk, request)) as events:
                async for event in events:
                    yield event
        except sdk.APIError as error:
            raise self._translated(sdk, error) from error
        except (sdk.AnthropicError, RuntimeError, ImportError) as error:  # credentials that are looked up when needed
            raise self._unusable(error) from error
        finally:
            listener.reset(token)

    async def close(self) -> None:
        """End the connections."""
        if self._client is not None:
            await self._client.close()

    async def _events(self, sdk: ModuleType, request: Request) -> AsyncGenerator[Mapping[str, Any], None]:
        import httpx2  # noqa: PLC0415  # the SDK's own transport, loaded with it

        client = self._connected(sdk)
        stream = await client.messages.create(stream=True, **body_of(request, self.choice))
        async with stream:
            kind = stream.response.headers.get("content-type", "")
            if "eventstream" not in kind.replace("-", ""):  # Bedrock writes it without the hyphen
                raise BadAnswer(
                    f"{client.base_url} did not answer like the Messages API (it sent {kind or 'nothing'}): "
                    "check ANTHROPIC_BASE_URL, and whether a proxy or a login page is in between"
                )
            while True:
                try:
                    with anyio.fail_after(self.choice.idle_timeout):
                        event = await anext(stream)
                except StopAsyncIteration:
                    return
                except TimeoutError as error:
                    raise StreamCut(f"the model was silent for {self.choice.idle_timeout:g} s") from error
                except httpx2.HTTPError as error:
                    raise StreamCut("the connection to the model's service broke") from error
                except ValueError as error:  # the SDK's own parser met text that is no JSON, or no UTF-8
                    raise BadAnswer("the service's answer cannot be read: nothing in it was done; try again") from error
                yield event.to_dict(warnings=False)

    def _connected(self, sdk: ModuleType) -> "AsyncAnthropic":
        """The client, made once. Raises Unauthorised if nothing says who asks."""
        if self._client is None:
            try:
                self._client = self._made(sdk)
            except (ValueError, RuntimeError, ImportError, sdk.AnthropicError) as error:
                raise self._unusable(error) from error
        return self._client

    def _made(self, sdk: ModuleType) -> "AsyncAnthropic":
        choice = self.choice
        options: dict[str, Any] = {
            "max_retries": choice.max_retries,
            "timeout": sdk.Timeout(choice.idle_timeout, connect=10.0),
            "middleware": [self._watch],
        }
        if choice.base_url is not None:
            options["base_url"] = choice.base_url
            if is_local(choice.base_url):
                # A proxy of the environment cannot reach this machine, and plain HTTP needs no certificates.
                direct = dict.fromkeys(("http://", "https://", "all://"))
                options["http_client"] = sdk.DefaultAsyncHttpxClient(
                    trust_env=False, mounts=direct, verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
                )
        client: AsyncAnthropic
        match choice.provider:
            case "bedrock":
                client = sdk.AsyncAnthropicBedrock(**options)
            case "vertex":
                client = sdk.AsyncAnthropicVertex(**options)
            case "anthropic":
                client = sdk.AsyncAnthropic(api_key=choice.api_key, **options)
                if not (client.api_key or client.auth_token or client.credentials):
                    raise Unauthorised(
                        "no API key: set ANTHROPIC_API_KEY, or rehearse without a model: `paddock run --script FILE`"
                    )
        return client

    async def _watch(self, request: "APIRequest", call_next: "AsyncCallNext") -> "AsyncAPIResponse[Any]":
        """See every attempt, decide how long to wait before the next, and tell who listens."""
        sdk = load()
        try:
            response = await call_next(request)
        except sdk.APIConnectionError as error:
            self._tell(request.retries_taken, backoff(request.retries_taken), None, str(no_connection(error)))
            raise
        status, headers = response.status_code, response.http_response.headers
        if status >= 400:
            delay = waiting_time(headers, request.retries_taken)
            retry = (status >= 500 or status in RETRIED) and delay <= self.choice.longest_wait
            # The SDK obeys these two headers, so what we tell is what it does.
            headers["x-should-retry"] = "true" if retry else "false"
            headers["retry-after-ms"] = str(int(delay * 1000) or 1)
            if retry:
                self._tell(request.retries_taken, delay, status, response.http_response.reason_phrase)
        return response

    def _tell(self, taken: int, delay: float, status: int | None, error: str) -> None:
        told = listener.get()
        if told is not None and taken < self.choice.max_retries:
            told(Retrying(taken + 1, self.choice.max_retries, delay, status, error))

    def _translated(self, sdk: ModuleType, error: "APIError") -> ModelError:
        if isinstance(error, sdk.APIConnectionError):
            return no_connection(error)
        status, kind = getattr(error, "status_code", 0), getattr(error, "type", None)
        said = self._told(getattr(error, "api_message", None) or error.message)
        if not isinstance(error, sdk.APIStatusError):
            return BadAnswer(f"the service's answer cannot be used: {said}")
        if status < 400 and kind in BROKEN_OFF:
            return StreamCut(f"the model's service broke off ({kind}: {said})")
        return refused(status, said, model=self.name)

    def _unusable(self, error: Exception) -> Unauthorised:
        return Unauthorised(f"the provider {self.choice.provider!r} cannot be used: {self._told(error)}")

    def _told(self, said: object) -> str:
        """What the service or the SDK said, in one line and without our key, whoever put it there."""
        text = " ".join(str(said).split())[:500]
        # Each provider's client has its own credentials; these two names are the ones that hold a secret as it is.
        held = (getattr(self._client, name, None) for name in ("api_key", "auth_token"))
        keys = [key for key in (self.choice.api_key, *held) if isinstance(key, str)]
        for key in filter(None, keys):
            text = text.replace(key, "[key]")
        return text


def waiting_time(headers: Mapping[str, str], taken: int) -> float:
    """Seconds until the next try: what the service asks for, else our own."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            asked = float(headers.get(name, "")) * unit
        except ValueError:
            continue
        if asked >= 0:
            return asked
    return backoff(taken)


def backoff(taken: int) -> float:
    """Seconds before try `taken` + 2, jittered so that many agents do not come back at once."""
    jitter = 1 - 0.25 * random.random()  # noqa: S311  # not a secret
    return float(min(FIRST_DELAY * 2**taken, LONGEST_DELAY)) * jitter


def is_local(url: str) -> bool:
    """Whether plain HTTP to this machine itself is meant."""
    parts = urlsplit(url)
    if parts.scheme != "http" or not parts.hostname:
        return False
    try:
        return ipaddress.ip_address(parts.hostname).is_loopback
    except ValueError:
        return parts.hostname == "localhost"
