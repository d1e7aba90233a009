"""The table of routes: which handler answers which method and path.

A pattern is a path with at most one placeholder, which stands for one segment of 1 to 64 characters: `{id}` for
lower-case letters and digits, as message ids are, `{name}` for those and hyphens, as handles are. No dots, escapes or
slashes get past it.
"""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from mailhaul_relay.http.messages import Request, Response, problem

Handler = Callable[[Request], Awaitable[Response]]

_ID_CHARACTERS = frozenset("0123456789abcdefghijklmnopqrstuvwxyz")
_PLACEHOLDERS = {"{id}": _ID_CHARACTERS, "{name}": _ID_CHARACTERS | {"-"}}
_MAX_ID = 64


@dataclass(frozen=True, slots=True)
class Route:
    """One row of the table. A route for GET answers HEAD too."""

    method: str
    pattern: str
    handler: Handler

    def match(self, path: str) -> str | None:
        """Give what stands for the placeholder ("" when the pattern has none), or None when the path is another."""
        placeholder = next((one for one in _PLACEHOLDERS if one in self.pattern), "")
        if not placeholder:
            return "" if path == self.pattern else None
        before, _, after = self.pattern.partition(placeholder)
        if not path.startswith(before) or not path.endswith(after):
            return None
        parameter = path[len(before) : len(path) - len(after)]
        return parameter if 0 < len(parameter) <= _MAX_ID and _PLACEHOLDERS[placeholder].issuperset(parameter) else None


class Routes:
    """Finds the handler of a request; an unknown path is 404, a known path with another method 405."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._routes = tuple(routes)

    def find(self, method: str, path: str) -> tuple[Handler, str]:
        """Give the handler and what stands for the placeholder; for unknown ones a handler that says so."""
        wanted = "GET" if method == "HEAD" else method
        found = [(route, parameter) for route in self._routes if (parameter := route.match(path)) is not None]
        for route, parameter in found:
            if route.method == wanted:
                return route.handler, parameter
        if not found:
            return _answer(problem(404, "there is nothing at this path")), ""
        allowed = ", ".join(sorted({route.method for route, _ in found}))
        refusal = problem(405, f"this path does not take {method}; use {allowed}", (("Allow", allowed),))
        return _answer(refusal), ""


def _answer(response: Response) -> Handler:
    async def handler(_: Request) -> Response:
        return response

    return handler
