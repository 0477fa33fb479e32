"""The server: headers, errors, what it serves, and that its own process stays light."""

import subprocess
import sys

import pytest

pytest.importorskip("fastapi", reason="the studio needs the extra: studio")
pytest.importorskip("httpx", reason="visitors of the studio need the extra: dev")

from neural_collage.web.app import STATIC
from tests.web.visitor import Visitor, error_of

ADDRESSES = ["/", "/api/about", "/api/nothing", "/static/none.js", "/tiles/a/1/0_0.jpg"]


@pytest.mark.parametrize("address", ADDRESSES)
def test_nothing_is_loaded_from_elsewhere_and_no_script_inline(
    visitor: Visitor, address: str
) -> None:
    policy = visitor.get(address).headers["content-security-policy"]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'self'"
    assert rules["script-src"] == "'self'"
    assert "unsafe-eval" not in policy
    assert "http" not in policy


@pytest.mark.parametrize(
    "address",
    [
        "/static/../app.py",
        "/static/%2e%2e/app.py",
        "/static/..%2fapp.py",
        "/api/pictures/..%2f..%2f/file",
        "/api/others/abc/file",
        "/file=/etc/passwd",
        "/docs",
        "/openapi.json",
    ],
)
def test_files_of_the_machine_are_not_served(visitor: Visitor, address: str) -> None:
    answer = visitor.get(address)
    assert answer.status_code in (404, 410)
    assert "create_app" not in answer.text
    assert "root:" not in answer.text
    error_of(answer)


def test_wrong_methods_are_refused(visitor: Visitor) -> None:
    answer = visitor.put("/api/about")
    assert answer.status_code == 405
    error_of(answer)


def test_the_page_is_served_or_what_builds_it_is_said(visitor: Visitor) -> None:
    answer = visitor.get("/")
    if (STATIC / "index.html").is_file():
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/html")
    else:
        assert answer.status_code == 503
        assert "make studio" in answer.text


def test_about_says_what_the_studio_offers(visitor: Visitor) -> None:
    about = visitor.get("/api/about").json()
    assert about["formats"][0] == {"id": "clg", "label": ".clg"}
    assert about["limits"]["offer_pixels"] <= about["limits"]["pixels"]
    assert {example["view"] for example in about["examples"]} >= {"compress", "zoom", "stylize"}
    for example in about["examples"]:
        assert set(example) == {"id", "title", "text", "view", "settings", "thumb"}
    assert about["models"][0]["id"] == "digits"


def test_the_server_process_imports_neither_torch_nor_numpy() -> None:
    """Its memory is that of sessions alone; what computes is in processes that are replaced."""
    script = (
        "import sys, neural_collage.web.app; "
        "print([m for m in ('torch', 'numpy') if m in sys.modules])"
    )
    finished = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert finished.stdout.strip() == "[]", finished.stderr
