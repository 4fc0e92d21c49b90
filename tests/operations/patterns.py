"""EventBridge's event patterns, as moto's EventBridge reads and matches them."""

import json
from typing import Any

from moto.events.models import EventPattern


def matches(pattern: dict[str, Any], event: dict[str, Any]) -> bool:
    """Return whether an event matches a pattern.

    Raises:
        InvalidEventPatternException: EventBridge would refuse the pattern.
    """
    return EventPattern.load(json.dumps(pattern)).matches_event(_without_lists(event))


def _without_lists(value: Any) -> Any:
    """Return an event with its lists of objects as objects of lists.

    EventBridge goes into such lists, and one element that matches suffices; moto takes them as they
    are. https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns-arrays.html
    """
    if isinstance(value, dict):
        return {key: _without_lists(each) for key, each in value.items()}
    if isinstance(value, list) and value and all(isinstance(each, dict) for each in value):
        keys = sorted({key for each in value for key in each})
        return {key: [each[key] for each in value if key in each] for key in keys}
    return value
