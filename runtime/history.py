"""A history the API accepts, out of whatever a transcript holds: every call with its one result, in its place. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from runtime.transcript import Entry

LOST = "The session ended before the outcome of this call was recorded: it may or may not have taken effect."
OPENING = "(The beginning of this conversation was lost.)"
THINKING = ("thinking", "redacted_thinking")

Block = dict[str, Any]


def history(chain: Sequence[Entry], *, model: str) -> list[dict[str, Any]]:
    """The messages of a conversation, for `model`.

    Calls without a result get one that says so, results without a call are dropped, and so is what `model` could not
    read: the thinking of another model.
    """
    spoken = ((entry.kind, blocks_of(entry, model=model)) for entry in chain)
    messages = paired(joined((role, blocks) for role, blocks in spoken if blocks))
    messages = joined((message["role"], message["content"]) for message in messages)
    if messages and messages[0]["role"] == "assistant":
        messages.insert(0, {"role": "user", "content": [{"type": "text", "text": OPENING}]})
    return messages


def blocks_of(entry: Entry, *, model: str) -> list[Block]:
    """The blocks of an entry's message that can be sent again."""
    message = entry.message or {}
    if message.get("stop_reason") == "refusal":
        return []
    content = message.get("content")
    given = [{"type": "text", "text": content}] if isinstance(content, str) else content
    blocks = [speakable(block) for block in given if isinstance(block, dict)] if isinstance(given, list) else []
    foreign = entry.kind == "assistant" and not is_same_model(str(message.get("model")), model)
    banned = ("tool_use", *THINKING) if entry.kind == "user" else ("tool_result", *(THINKING if foreign else ()))
    return sendable(block for block in blocks if block.get("type") not in banned)


def sendable(blocks: Iterable[Block]) -> list[Block]:
    """The blocks the API would take back; none if nothing but thinking is left, as no message is only that."""
    kept = [block for block in blocks if is_sendable(block)]
    return [] if all(block["type"] in THINKING for block in kept) else kept


def is_sendable(block: Block) -> bool:
    """Whether the API would take this block back; it refuses empty text."""
    match block.get("type"):
        case "text":
            return isinstance(block.get("text"), str) and bool(block["text"].strip())
        case "tool_use":
            return isinstance(block.get("input"), dict) and bool(block.get("id")) and bool(block.get("name"))
        case kind:
            return isinstance(kind, str)


def is_same_model(one: str, other: str) -> bool:
    """Whether two names mean one model: a name and the same name with its date do."""
    return one.startswith(other) or other.startswith(one)


def joined(messages: Iterable[tuple[str, list[Block]]]) -> list[dict[str, Any]]:
    """Messages with neighbours of one role made into one."""
    result: list[dict[str, Any]] = []
    for role, blocks in messages:
        if result and result[-1]["role"] == role:
            result[-1]["content"].extend(blocks)
        else:
            result.append({"role": role, "content": list(blocks)})
    return result


def paired(messages: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The messages, every call answered exactly once in the message after it, and no other results anywhere."""
    result: list[dict[str, Any]] = []
    asked: list[str] = []
    seen: set[str] = set()
    for message in messages:
        if message["role"] == "assistant":
            if asked:
                result.append({"role": "user", "content": answers(asked, [])})
            blocks = [block for block in message["content"] if block["type"] != "tool_use" or block["id"] not in seen]
            asked = list(dict.fromkeys(block["id"] for block in blocks if block["type"] == "tool_use"))
            blocks = first_uses(blocks)
            seen.update(asked)
            if blocks:
                result.append({"role": "assistant", "content": blocks})
        else:
            others = [block for block in message["content"] if block["type"] != "tool_result"]
            content = [*answers(asked, message["content"]), *others]
            asked = []
            if content:
                result.append({"role": "user", "content": content})
    if asked:
        result.append({"role": "user", "content": answers(asked, [])})
    return result


def first_uses(blocks: Sequence[Block]) -> list[Block]:
    """The blocks without a second call of an id that was already used."""
    seen: set[str] = set()
    kept: list[Block] = []
    for block in blocks:
        if block["type"] == "tool_use":
            if block["id"] in seen:
                continue
            seen.add(block["id"])
        kept.append(block)
    return kept


def answers(asked: Sequence[str], content: Sequence[Block]) -> list[Block]:
    """One result for each asked id, in that order: the recorded one, else one that says it was lost."""
    given: dict[str, Block] = {}
    for block in content:
        if block["type"] == "tool_result":
            given.setdefault(str(block.get("tool_use_id")), block)
    return [given.get(identity) or result_block(identity, LOST, is_error=True) for identity in asked]


def result_block(call_id: str, text: str, *, is_error: bool) -> Block:
    """A tool result in the API's shape."""
    block: Block = {"type": "tool_result", "tool_use_id": call_id, "content": text}
    return {**block, "is_error": True} if is_error else block


def speakable(value: Block) -> Block:
    """The same value without lone surrogates, which no UTF-8 request can carry."""
    return cast("Block", without_surrogates(value))


def without_surrogates(value: object) -> object:
    """Any JSON value, with every lone surrogate replaced by U+FFFD."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {without_surrogates(key): without_surrogates(item) for key, item in value.items()}
    if isinstance(value, list):
        return [without_surrogates(item) for item in value]
    return value
