"""Values of maintenance: what the environment does to itself, on a schedule."""

from __future__ import annotations

from convex_k8s.values.base import Model
from convex_k8s.values.schedule import OptionalSchedule
from convex_k8s.values.time_zone import TimeZone


class Maintenance(Model):
    """Maintenance on a schedule."""

    restart_schedule: OptionalSchedule = ""
    """When the backend is restarted, in cron's notation: its memory grows with deploys and Node actions until a
    restart. `0 4 * * 0` is each Sunday at four. Clients reconnect by themselves. Empty: never."""
    time_zone: TimeZone = ""
    """Time zone of the schedule, for instance `Europe/Berlin`. Empty: the time zone of the cluster, mostly UTC."""
