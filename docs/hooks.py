"""What `mkdocs build` does beside its plugins: files outside docs/ become part of the site.

Links in the Markdown files lead to files of the repository, so that they work on a git host. In the
site, docs/NAME stands at NAME, README.md at index.md, and any other file at its own path, if a page
links to it.
"""

import os.path
import posixpath
import re
from collections.abc import Callable
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
_LINK = re.compile(r"(?<=\]\()(?!\w+:|#)([^)#\s]+)")
_CODE = re.compile(r"^```.*?^```|^    .*?$|`[^`\n]*`", re.DOTALL | re.MULTILINE)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the README, CONTRIBUTING, and what pages link to, however many links away."""
    waiting = ["README.md", "CONTRIBUTING.md"]
    waiting += [target for file in files.documentation_pages() for target in _targets(_path(file))]
    seen = {_path(file) for file in files}
    while waiting:
        path = waiting.pop()
        if path in seen or not (ROOT / path).is_file():
            continue
        seen.add(path)
        files.append(File.generated(config, _place(path), abs_src_path=str(ROOT / path)))
        if path.endswith(".md"):
            waiting += _targets(path)
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn links between files of the repository into links between files of the site."""
    folder = posixpath.dirname(_path(page.file))
    here = posixpath.dirname(page.file.src_uri)

    def moved(link: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(folder, link[1]))
        if (ROOT / target).is_dir():  # a site has no page of a folder
            return "#"
        return posixpath.relpath(_place(target), here or ".")

    return _outside_code(_LINK, moved, markdown)


def _path(file: File) -> str:
    """The path of a page in the repository."""
    return Path(os.path.relpath(file.abs_src_path or "", ROOT)).as_posix()


def _place(path: str) -> str:
    """The path in the site's sources of a file of the repository."""
    return "index.md" if path == "README.md" else path.removeprefix("docs/")


def _targets(path: str) -> list[str]:
    """The files of the repository that a page links to."""
    text = _CODE.sub("", (ROOT / path).read_text(encoding="utf-8"))
    folder = posixpath.dirname(path)
    return [posixpath.normpath(posixpath.join(folder, link)) for link in _LINK.findall(text)]


def _outside_code(
    pattern: re.Pattern[str], change: Callable[[re.Match[str]], str], text: str
) -> str:
    """Substitute a pattern everywhere but in code."""
    pieces, end = [], 0
    for code in _CODE.finditer(text):
        pieces += [pattern.sub(change, text[end : code.start()]), code[0]]
        end = code.end()
    return "".join([*pieces, pattern.sub(change, text[end:])])
