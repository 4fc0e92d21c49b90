"""CloudWatch as far as Trivet's alarms use it: metrics put in, and an alarm's state by them.

A metric is its namespace, its name and its very set of dimensions.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_concepts.html
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

Value = float | None
"""Of one period; None where nothing was put in."""

_STATISTICS: dict[str, Callable[[list[float]], float]] = {
    "Sum": sum,
    "Maximum": max,
    "SampleCount": len,
    "p90": lambda values: sorted(values)[math.ceil(len(values) * 0.9) - 1],
}
_BREACHES: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanThreshold": lambda value, threshold: value > threshold,
    "LessThanThreshold": lambda value, threshold: value < threshold,
}
_PERIODS = 12


@dataclass(frozen=True)
class Datum:
    """One value of a metric, so many seconds ago."""

    namespace: str
    name: str
    dimensions: Mapping[str, str]
    unit: str
    value: float
    ago: float = 1


class _Series:
    """A value for each period, the oldest first."""

    def __init__(self, values: list[Value]) -> None:
        self.values = values

    def _with(self, other: "_Series", calculate: Callable[[float, float], float]) -> "_Series":
        pairs = zip(self.values, other.values, strict=True)
        return _Series([None if a is None or b is None else calculate(a, b) for a, b in pairs])

    def __add__(self, other: "_Series") -> "_Series":
        return self._with(other, lambda a, b: a + b)

    def __sub__(self, other: "_Series") -> "_Series":
        return self._with(other, lambda a, b: a - b)

    def __rmul__(self, factor: float) -> "_Series":
        return _Series([None if each is None else factor * each for each in self.values])


def _fill(series: _Series, value: float) -> _Series:
    return _Series([value if each is None else each for each in series.values])


def _diff(series: _Series) -> _Series:
    between = [None if a is None or b is None else b - a for a, b in pairwise(series.values)]
    return _Series([None, *between])


@dataclass
class CloudWatch:
    """What was put in."""

    data: list[Datum] = field(default_factory=list)

    def state(self, alarm: Mapping[str, Any]) -> str:
        """Return the state of an alarm: its properties, with every value in its place."""
        values = self._compared(alarm).values[-alarm["EvaluationPeriods"] :]
        breaches = _BREACHES[alarm["ComparisonOperator"]]
        missing = {"breaching": True, "notBreaching": False}[alarm["TreatMissingData"]]
        breaching = [
            missing if each is None else breaches(each, alarm["Threshold"]) for each in values
        ]
        return "ALARM" if all(breaching) else "OK"

    def _compared(self, alarm: Mapping[str, Any]) -> _Series:
        if "Metrics" not in alarm:
            statistic = alarm.get("Statistic") or alarm["ExtendedStatistic"]
            return self._series(alarm, alarm["Period"], statistic, alarm.get("Unit"))
        known: dict[str, Any] = {"FILL": _fill, "DIFF": _diff}
        for each in alarm["Metrics"]:
            if "Expression" in each:
                known[each["Id"]] = eval(each["Expression"], {"__builtins__": {}}, known)
            else:
                stat = each["MetricStat"]
                known[each["Id"]] = self._series(
                    stat["Metric"], stat["Period"], stat["Stat"], stat.get("Unit")
                )
        [compared] = [each["Id"] for each in alarm["Metrics"] if each["ReturnData"]]
        found: _Series = known[compared]
        return found

    def _series(
        self, metric: Mapping[str, Any], period: int, statistic: str, unit: str | None
    ) -> _Series:
        dimensions = {each["Name"]: each["Value"] for each in metric["Dimensions"]}
        periods: list[list[float]] = [[] for _ in range(_PERIODS)]
        for each in self.data:
            of_metric = (each.namespace, each.name, each.dimensions) == (
                metric["Namespace"],
                metric["MetricName"],
                dimensions,
            )
            at = _PERIODS - 1 - int(each.ago // period)
            if of_metric and unit in (None, each.unit) and at >= 0:
                periods[at].append(each.value)
        return _Series([_STATISTICS[statistic](each) if each else None for each in periods])
