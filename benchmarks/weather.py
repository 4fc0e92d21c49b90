"""A fleet in bad weather, by the clock of the test kit: each run in a process of its own.

On it only AWS's answers and Trivet's pauses take time. In real time moto would be measured, which
needs longer for most calls than AWS does, and takes one at a time.
"""

from benchmarks.measuring import LATENCY, Sample, report
from tests.kit.fleet import Run, fleet


def drift_runs(size: int, times: int) -> list[Sample]:
    """Repair a drift in each environment: in calm weather, then so many times in bad weather.

    Returns:
        A sample for each run: its calls and the clock's seconds, its result the counts.
    """
    with fleet(size, seconds_a_call=LATENCY) as found:
        samples = [_measured(found.run())]
        for seed in range(times):
            found.drift()
            samples.append(_measured(found.run_in_bad_weather(seed)))
            assert found.in_order() == size or samples[-1].result["not_reached"]
    return samples


def _measured(run: Run) -> Sample:
    assert run.status == 200, run
    return Sample(seconds=run.seconds, calls=run.report["aws_calls"], result=run.counts)


if __name__ == "__main__":
    report(globals())
