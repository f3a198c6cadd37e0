"""The table of what the dashboard costs."""

from scripts.benches import table


def test_what_it_adds_is_told_beside_what_it_takes():
    idle = {"redis_core": 0.004, "redis_commands_per_second": 300.4, "dashboard_core": 0.0}
    busy = {"redis_core": 0.005, "redis_commands_per_second": 550.0, "dashboard_core": 0.035}
    part = {
        "broker": "apache", "segments": 200, "events_per_second": 30_000,
        "redis_cpu_us_per_event": 10.0, "redis_core_at_20000": 0.2,
        "rows": {"no dashboard": idle, "10 browsers": busy},
        # 0.1 % of a core, of the 20 % that 20,000 events a second take.
        "redis_added": {"10 browsers": 0.005},
    }  # fmt: skip
    found = table.sections({"dashboard": {"machine": {"cores": 2}, "figures": part}})[-1]
    assert list(found.rows) == [
        ("no dashboard", "", "0.40 %", "300", ""),
        ("10 browsers", "3.5 %", "0.50 %", "550", "0.50 %"),
    ]
    assert "at 20,000/s 20 % of a core" in found.title
