"""The dashboard: the alarms, drift, repairs, smoke tests, latency, errors, and the fleet."""

import json
from typing import Any

from tools.operations.names import API, APP, FUNCTIONS, Resource, Resources, function_name, sub

_HALF = 12
_HEIGHT = 6

_Line = list[Any]


def resources(alarms: list[str]) -> Resources:
    """Return the dashboard.

    Args:
        alarms: the alarms' names, `${Stage}` in them.
    """
    return {
        "Dashboard": {
            "Type": "AWS::CloudWatch::Dashboard",
            "Properties": {
                "DashboardName": sub(f"{APP}-${{Stage}}"),
                "DashboardBody": sub(json.dumps(_body(alarms), separators=(",", ":"))),
            },
        }
    }


def _body(alarms: list[str]) -> Resource:
    graphs = [
        _graph("Drift and repairs", [_trivet(each) for each in _DRIFT]),
        _graph("Smoke tests", [_trivet("SmokeTestsSucceeded"), _trivet("SmokeTestsFailed")]),
        _graph("What was done", [_trivet(each) for each in _DONE]),
        _graph("Seconds of a drift run", [_trivet("RunDuration", "Maximum")]),
        _graph("Requests and failed answers", [_api(each, "Sum") for each in _REQUESTS]),
        _graph("Latency of the API, ms", [_api("Latency", each) for each in ("p50", "p90", "p99")]),
        _graph("Errors", [_function(each, "Errors") for each in FUNCTIONS] + [_trivet(_DEFECTS)]),
        _graph(
            "Invoked, and relayed by the API",
            [_function(API, "Invocations"), _api("IntegrationLatency", "SampleCount")],
        ),
        _graph("The fleet's runs", [_fleet(each) for each in _EXECUTIONS]),
        _graph("Accounts out of reach, runs stopped", [_trivet(each) for each in _FLEET]),
    ]
    return {"widgets": [_heading(), _states(alarms), *_placed(graphs, top=5)]}


_DRIFT = ("DriftedEnvironments", "RepairedEnvironments", "FailedRepairs")
_DONE = ("Provisions", "Deletions", "ChangesApplied")
_REQUESTS = ("Count", "4XXError", "5XXError")
_DEFECTS = "UnexpectedErrors"
_EXECUTIONS = ("ExecutionsStarted", "ExecutionsSucceeded", "ExecutionsFailed", "ExecutionsTimedOut")
_FLEET = ("UnreachableAccounts", "RunsStopped")


def _trivet(name: str, stat: str = "Sum") -> _Line:
    return ["Trivet", name, "service", APP, {"stat": stat}]


def _api(name: str, stat: str) -> _Line:
    return ["AWS/ApiGateway", name, "ApiName", APP, "Stage", "${Stage}", {"stat": stat}]


def _function(function: str, name: str) -> _Line:
    return ["AWS/Lambda", name, "FunctionName", function_name(function), {"stat": "Sum"}]


def _fleet(name: str) -> _Line:
    return ["AWS/States", name, "StateMachineArn", "${Fleet}", {"stat": "Sum"}]


def _graph(title: str, metrics: list[_Line]) -> Resource:
    properties = {"title": title, "region": "${AWS::Region}", "period": 300, "metrics": metrics}
    return {"type": "metric", "properties": properties}


def _heading() -> Resource:
    url = "https://${ApiId}.execute-api.${AWS::Region}.${AWS::URLSuffix}/${Stage}"
    text = f"# Trivet, stage ${{Stage}}\n{url}"
    place = {"x": 0, "y": 0, "width": 24, "height": 2}
    return {"type": "text", "properties": {"markdown": text}} | place


def _states(alarms: list[str]) -> Resource:
    prefix = "arn:${AWS::Partition}:cloudwatch:${AWS::Region}:${AWS::AccountId}:alarm:"
    properties = {"title": "Alarms", "alarms": [prefix + name for name in alarms]}
    return {"type": "alarm", "properties": properties, "x": 0, "y": 2, "width": 24, "height": 3}


def _placed(graphs: list[Resource], top: int) -> list[Resource]:
    return [
        graph
        | {"x": index % 2 * _HALF, "y": top + index // 2 * _HEIGHT}
        | {"width": _HALF, "height": _HEIGHT}
        for index, graph in enumerate(graphs)
    ]
