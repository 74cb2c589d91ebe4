"""What can go wrong around a model.

    ModelError                 the text is one sentence that says what to do next; it never holds a key
    ├── Unauthorised           401, 403: no key, a wrong one, or one that may not use this model
    ├── NoCredit               402: the account cannot pay
    ├── BadRequest             400 and its kin: the service does not accept what we sent
    │   ├── UnknownModel       404: no model of this name for this key
    │   └── PromptTooLong      the conversation no longer fits into the model
    ├── RateLimited            429, still after the retries
    ├── Overloaded             529, 5xx, still after the retries
    ├── NoConnection           no answer at all: name, network, proxy, certificate, silence
    ├── StreamCut              the answer ended before it was complete; what it asked for was not done
    └── BadAnswer              an answer, but not one of the Messages API

A failed tool is not here: the model is told (`runtime.tools.tool.ToolFailed`). A dead sandbox is `sandbox.errors`.
"""


class ModelError(Exception):
    """The model could not be asked. `status` is the HTTP status where there was one."""

    def __init__(self, text: str, *, status: int | None = None) -> None:
        super().__init__(text)
        self.status = status


class Unauthorised(ModelError):
    """The service does not take the key, or there is none."""


class NoCredit(ModelError):
    """The account behind the key cannot pay for this."""


class BadRequest(ModelError):
    """The service does not accept the request; sending it again would not help."""


class UnknownModel(BadRequest):
    """The service has no model of this name for this key."""


class PromptTooLong(BadRequest):
    """The conversation is longer than the model can read."""


class RateLimited(ModelError):
    """Too many requests or tokens, also after waiting."""


class Overloaded(ModelError):
    """The service is down or has no capacity, also after waiting."""


class NoConnection(ModelError):
    """No answer came."""


class StreamCut(ModelError):
    """The stream ended early, fell silent, or reported an error in its middle."""


class BadAnswer(ModelError):
    """What came back is not a Messages API answer, or breaks its own order."""
