"""Write the pictures of docs/gallery.md with the commands shown on that page.

python examples/gallery.py [FOLDER]
"""

import re
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

DOCS = Path(__file__).parents[1] / "docs"
PAGE = (DOCS / "gallery.md").read_text(encoding="utf-8")


def photos() -> str:
    """The Python code of the page that writes the photos into the current folder."""
    blocks: list[str] = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    return blocks[0]


def commands() -> Iterator[list[str]]:
    """The arguments of each command of the page that writes a picture."""
    for line in re.findall(r"^    collage (.*-o .*)$", PAGE, flags=re.MULTILINE):
        yield shlex.split(line)


def main() -> None:
    """Write all pictures into a folder, which is docs/gallery by default."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else DOCS / "gallery"
    folder.mkdir(parents=True, exist_ok=True)
    run = "from neural_collage.cli.main import run; run()"
    subprocess.run([sys.executable, "-c", photos()], cwd=folder, check=True)
    for arguments in commands():
        start = time.perf_counter()
        subprocess.run(
            [sys.executable, "-c", run, *arguments, "--overwrite"], cwd=folder, check=True
        )
        print(f"{time.perf_counter() - start:6.1f} s  collage {shlex.join(arguments)}")
    for name in ("scratched", "noisy"):
        with Image.open(folder / f"{name}.png") as image:
            image.save(folder / f"{name}.jpg", quality=90)
    for photo in folder.glob("*.png"):
        photo.unlink()


if __name__ == "__main__":
    main()
