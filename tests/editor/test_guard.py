"""Whose requests are answered, and what the browser is told not to do."""

import pytest

from editor.asking import ask, message
from editor.browsing import opened, wait_until


def test_another_host_name_and_a_request_without_session_are_not_answered(served):
    assert ask(served, "/editor/about").status == 200
    for host in ("evil.example", "evil.example:7860", f"127.0.0.1.evil.example:{served.port}", ""):
        assert ask(served, "/editor/about", host=host).status == 404
    for session in ("", "short", "../" * 12, "x" * 31 + "/"):
        assert ask(served, "/editor/paint", message(), x_session=session).status == 400


@pytest.mark.parametrize("path", ["/", "/page/main.js", "/editor/about", "/editor/thumbnail/8"])
def test_another_sites_page_is_not_answered(served, path):
    here = f"127.0.0.1:{served.port}"
    for origin in ("http://evil.example", "http://127.0.0.1:1", f"http://evil.{here}", "null"):
        for method in ("GET", "POST", "OPTIONS"):
            answer = ask(served, path, method=method, origin=origin)
            assert answer.status == 403
            assert "access-control-allow-origin" not in answer.headers
    for own in ({"origin": f"http://{here}"}, {}):
        assert ask(served, path, **own).status == 200
        assert [ask(served, path, method=m, **own).status for m in ("OPTIONS", "PUT", "DELETE", "PATCH")] == [405] * 4


@pytest.mark.parametrize(
    ("path", "status"),
    [("/", 200), ("/page/main.js", 200), ("/editor/about", 200), ("/editor/paint", 405), ("/nowhere", 404)],
)
def test_every_answer_carries_the_headers(served, path, status):
    answer = ask(served, path)
    assert answer.status == status
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy


def test_a_failure_of_the_server_is_told_without_its_details_and_with_the_headers(served, monkeypatch):
    monkeypatch.setattr("facegan.editor.answers.Answers.borrow", lambda *given: 1 / 0)
    answer = ask(served, "/editor/borrow", {})
    assert answer.status == 500
    assert answer.error == "the server failed (ZeroDivisionError): its window says more."
    assert "content-security-policy" in answer.headers


TRY_WHAT_IS_FORBIDDEN = """
() => {
  window.refused = [];
  document.addEventListener("securitypolicyviolation", event => refused.push(event.effectiveDirective));
  const script = document.createElement("script");
  try { script.text = "window.wasRun = true"; document.head.append(script); } catch { /* not even made */ }
  try { setTimeout("window.wasRun = true", 0); } catch { /* not even planned */ }
  document.body.setAttribute("style", "color: red");
  new Image().src = "http://evil.example/x.png";
}"""


def test_the_browser_runs_no_text_as_code_and_shows_nothing_from_elsewhere(browser, served):
    with opened(browser, served, "Content Security Policy", "TrustedScript", "evil.example") as page:
        page.evaluate(TRY_WHAT_IS_FORBIDDEN)
        for directive in ("require-trusted-types-for", "style-src-attr", "img-src"):
            wait_until(page, "directive => refused.includes(directive)", directive)
        page.wait_for_timeout(100)
        assert page.evaluate("window.wasRun") is None
