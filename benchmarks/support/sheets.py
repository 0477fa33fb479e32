"""Sheets of pictures with titles, for the figures of studies."""

from collections.abc import Mapping

from PIL import Image, ImageDraw, ImageFont

GAP, CAPTION = 4, 18
"""Pixels between panels, and of the line above each."""


def titled(panels: Mapping[str, Image.Image], columns: int) -> Image.Image:
    """Panels of one size in rows, each below its title; grey if all panels are."""
    width, height = next(iter(panels.values())).size
    across, down = width + GAP, height + GAP + CAPTION
    rows = -(-len(panels) // columns)
    mode = "L" if all(panel.mode == "L" for panel in panels.values()) else "RGB"
    sheet = Image.new(mode, (columns * across + GAP, rows * down + GAP), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(12)
    for number, (title, panel) in enumerate(panels.items()):
        row, column = divmod(number, columns)
        pen.text((column * across + GAP, row * down + GAP), title, fill="#333333", font=font)
        sheet.paste(panel, (column * across + GAP, row * down + GAP + CAPTION))
    return sheet
