"""Which requests are answered at all, and what every answer tells the browser not to do."""

import re

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse

CONTENT_SECURITY_POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",  # data: the pictures of saved edits, which live in the browser
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
    ]
)
"""The page is made of its own files alone: no script or style in its text, none from elsewhere, no text run as code."""
HEADERS = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "cross-origin-resource-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}


class Guard:
    """Lets through what calls this server by its own name and comes from its own page, and adds HEADERS.

    hosts: names it may be called by, None: any. A page of another site whose name was made to point at this machine is
    not answered, nor is a page that says itself that it is another site's.
    """

    def __init__(self, app, hosts: set[str] | None):
        self.app, self.hosts = app, hosts

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            return await self.app(scope, receive, send)

        async def send_with_headers(message):
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        answer = self.refusal(Headers(scope=scope)) or self.app
        await answer(scope, receive, send_with_headers)

    def refusal(self, headers: Headers) -> JSONResponse | None:
        host, origin = headers.get("host", ""), headers.get("origin", "")
        if self.hosts is not None and re.sub(r":\d+$", "", host) not in self.hosts:
            return JSONResponse({"error": "not found"}, 404)
        if origin and origin.partition("://")[2] != host:
            return JSONResponse({"error": "another site's page may not ask"}, 403)
        return None
