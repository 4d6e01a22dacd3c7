"""The decisions on a dashboard."""

from __future__ import annotations

from convexctl.behaviour.context import Context, decision
from convexctl.behaviour.find import DASHBOARD_PORT
from convexctl.behaviour.manifests import number
from convexctl.behaviour.model import Dashboard, Decision
from convexctl.behaviour.pods import faults, security, shared


def dashboard(context: Context) -> Dashboard:
    """What a dashboard will do."""
    url = context.read("NEXT_PUBLIC_DEPLOYMENT_URL")
    key = context.read("NEXT_PUBLIC_ADMIN_KEY")
    port = context.whole("PORT", DASHBOARD_PORT)
    user, obstacles = _user(context)
    if key.filled:
        admin_key = decision(
            key.reference or "literal",
            f"yes, from {key.reference or 'the manifest'}",
            "NEXT_PUBLIC_ADMIN_KEY has a value: everybody who opens the page gets the admin key",
            key,
        )
    else:
        admin_key = decision(None, "no", "NEXT_PUBLIC_ADMIN_KEY has no value", key)
    return Dashboard(
        **shared(context),
        user=user,
        deployment_url=decision(url.shown, url.shown or "not set", "NEXT_PUBLIC_DEPLOYMENT_URL", url),
        admin_key=admin_key,
        port=port.decides(port.value, str(port.value)),
        obstacles=(*obstacles, *faults(context)),
    )


def _user(context: Context) -> tuple[Decision, list[Decision]]:
    uid_value, uid_source = security(context, "runAsUser")
    uid = number(uid_value)
    non_root, non_root_source = security(context, "runAsNonRoot")
    if uid is None:
        user = Decision("nextjs", "nextjs (uid 1001)", "the image's user", uid_source)
        if non_root is not True:
            return user, []
        why = "the image names its user, and runAsNonRoot can only judge a number: the kubelet refuses to start it"
        return user, [Decision("user", "runAsNonRoot needs runAsUser: 1001 beside it", why, non_root_source)]
    user = Decision(uid, f"uid {uid}", "runAsUser", uid_source)
    if uid == 0 and non_root is True:
        why = "runAsNonRoot makes the kubelet refuse uid 0"
        return user, [Decision("user", "runAsNonRoot refuses runAsUser 0", why, non_root_source)]
    return user, []
