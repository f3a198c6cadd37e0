"""What all pages have around them: where to go, how things stand, dark or light."""

from collections.abc import Iterator
from contextlib import contextmanager

from nicegui import ui
from nicegui.element import Element

from stream.dashboard import text
from stream.dashboard.elements import Words
from stream.dashboard.figures import BY_ID
from stream.dashboard.live import Live
from stream.dashboard.moment import Moment

#: Path → name of each page.
PAGES = {
    "/": "Now",
    "/segments": "Segments",
    "/flows": "Flows",
    "/clusters": "Clusters",
    "/customers": "Customers",
    "/dead-letters": "Dead letters",
    "/alerts": "Alerts",
}

_MOST_TOLD = 3


@contextmanager
def frame(live: Live, path: str, title: str) -> Iterator[None]:
    """The page's surroundings; what is made within is its content."""
    ui.page_title(f"{title} | Agos")
    ui.add_head_html('<link rel="stylesheet" href="/assets/dashboard.css">')
    ui.add_head_html('<script src="/assets/theme.js"></script>')
    with Element("a") as skip:
        skip.props["href"] = "#content"
        skip.props["class"] = "skip"
        Words("span", "Skip to the content")
    with Element("header"):
        Words("strong", "Agos")
        with Element("nav") as nav:
            nav.props["aria-label"] = "Pages"
            for there, name in PAGES.items():
                link = Words("a", name, href=there)
                if there == path:
                    link.props["aria-current"] = "page"
        button = Words("button", "Dark or light", type="button")
        button.on("click", js_handler="() => window.agosTheme(true)")
    banner = Words("p", "", role="status", id="banner")
    # The framework has a `main` around all of this, and there may be only one.
    with Element("div") as content:
        content.props["id"] = "content"
        Words("h1", title)
        yield

    def tell() -> None:
        state, said = standing(live)
        banner.props["class"] = state
        banner.say(said)

    tell()
    live.changed.subscribe(tell)


def standing(live: Live) -> tuple[str, str]:
    """State of the whole, and one sentence that says what to do."""
    moment = live.moment
    if live.problem:
        return "act", f"{live.problem}. {_since(moment)}Start Redis, or see AGOS_REDIS."
    if moment is None:
        return "watch", "Looking for Redis."
    if not moment.alive:
        return (
            "act",
            f"No worker reports, so nothing is applied{_last(moment)}. Start one: agos worker.",
        )
    gone = [w for w in moment.workers if not w.alive]
    if moment.unowned:
        which = ", ".join(str(partition) for partition in moment.unowned[:12])
        more = "…" if len(moment.unowned) > 12 else ""
        died = f" {text.plural(len(gone), 'worker')} no longer reports." if gone else ""
        return "act", (
            f"No worker has partition {which}{more}; if it stays so for a minute, start one.{died}"
        )
    if moment.kafka_problem:
        return "act", f"{moment.kafka_problem}: lag is what workers last said. See AGOS_KAFKA."
    worst = [name for name in live.limits if moment.state(name, live.limits) == "act"]
    if worst:
        return "act", " ".join(_advised(name, moment) for name in worst)
    raised = live.alerts.active
    if raised:
        state = "act" if any(alert.state == "act" for alert in raised) else "watch"
        urgent = sorted(raised, key=lambda alert: alert.state != "act")
        untold = len(raised) - _MOST_TOLD
        rest = f"; {untold:,} more on the page Alerts" if untold > 0 else ""
        return state, "; ".join(alert.text for alert in urgent[:_MOST_TOLD]) + rest + "."
    if live.past_problem:
        return "watch", f"Running. Charts begin now: {live.past_problem}. See AGOS_PROMETHEUS."
    return "fine", "Running."


def _since(moment: Moment | None) -> str:
    return "" if moment is None else "What is shown is the last that was seen. "


def _last(moment: Moment) -> str:
    silent = min((worker.silent_ms for worker in moment.workers), default=None)
    return "" if silent is None else f" (the last was heard {silent // 1000} s ago)"


def _advised(figure: str, moment: Moment) -> str:
    known = BY_ID[figure]
    shown = known.shown(moment.figures.get(figure))
    return f"{known.title} is {shown}{known.advice and ': '}{known.advice}."
