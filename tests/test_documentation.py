"""Links between the documents lead to files that exist."""

import re

from tests.root import ROOT


def test_links_lead_somewhere() -> None:
    folders = ("", "docs", "docs/reference", ".github", ".github/ISSUE_TEMPLATE", "benchmarks")
    cards = (ROOT / "src/neural_collage/weights").glob("*.md")
    documents = [path for folder in folders for path in (ROOT / folder).glob("*.md")]
    assert len(documents) > 20
    for document in (*documents, *cards):
        prose = re.sub(r"^    .*$", "", document.read_text(encoding="utf-8"), flags=re.MULTILINE)
        for target in re.findall(r"\]\(([^)#]+)\)", prose):
            if not target.startswith("http"):
                assert (document.parent / target).exists(), f"{document.name}: {target}"
