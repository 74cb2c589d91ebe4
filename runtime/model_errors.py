"""What the service's refusals mean: HTTP statuses and connection faults become our errors. Pure."""

import socket
import ssl
from collections.abc import Iterator

from runtime.errors import (
    BadRequest,
    ModelError,
    NoConnection,
    NoCredit,
    Overloaded,
    PromptTooLong,
    RateLimited,
    Unauthorised,
    UnknownModel,
)


def refused(status: int, said: str, *, model: str) -> ModelError:
    """The error for an HTTP status. `said` is the service's own sentence, already cleaned."""
    match status:
        case 401:
            text = f"the service does not accept the API key ({said}): set ANTHROPIC_API_KEY to a valid one"
            return Unauthorised(text, status=status)
        case 403:
            text = f"the API key may not do this ({said}): check what it may use, or set another ANTHROPIC_API_KEY"
            return Unauthorised(text, status=status)
        case 402:
            return NoCredit(f"the account cannot pay ({said}): check its billing, then run again", status=status)
        case 404:
            return UnknownModel(f"the service does not know {model!r} ({said}): choose another --model", status=status)
        case 413:
            return too_long(said, status)
        case 400 if "prompt is too long" in said.lower():
            return too_long(said, status)
        case 429:
            return RateLimited(f"too many requests for this key ({said}): wait a while, then run again", status=status)
        case _ if status >= 500:
            return Overloaded(f"the model's service failed ({status}: {said}): run again later", status=status)
        case _:
            return BadRequest(f"the service refused the request ({status}): {said}", status=status)


def too_long(said: str, status: int) -> PromptTooLong:
    """The error for a conversation that no longer fits."""
    return PromptTooLong(
        f"the conversation is too long for the model ({said}): start a new session, or give a smaller task",
        status=status,
    )


def no_connection(error: BaseException) -> NoConnection:
    """The error for a request that got no answer, by what lies at its root."""
    causes = list(chain(error))
    names = {type(cause).__name__ for cause in causes}
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        return NoConnection("the name of the model's service cannot be resolved: check the network, or the base URL")
    if any(isinstance(cause, ssl.SSLError) for cause in causes):
        return NoConnection("the certificate of the model's service is not trusted: set SSL_CERT_FILE to your CA file")
    if "ProxyError" in names:
        return NoConnection("the proxy did not let the request through: check HTTPS_PROXY and its credentials")
    if any(isinstance(cause, ConnectionRefusedError) for cause in causes):
        return NoConnection("nothing answers at the address of the model's service: check ANTHROPIC_BASE_URL")
    if any(name.endswith("Timeout") or name == "TimeoutError" for name in names):
        return NoConnection("the model's service did not answer in time: check the network, then run again")
    return NoConnection("the connection to the model's service broke: check the network, then run again")


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """An exception and everything behind it, members of groups included, each once."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        current = waiting.pop()
        if current is None or id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        waiting += [current.__cause__, current.__context__]
        if isinstance(current, BaseExceptionGroup):
            waiting += current.exceptions
