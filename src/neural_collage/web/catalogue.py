"""What the first page offers: examples with finished results, styles and presets."""

from typing import Any

EXAMPLES: tuple[dict[str, Any], ...] = (
    {
        "id": "cat",
        "title": "A cat, 20 times smaller",
        "text": "See what a small file keeps of the fur, beside a JPEG of the same size.",
        "view": "compress",
        "settings": {"format": "clg", "quality": 30},
    },
    {
        "id": "astronaut",
        "title": "A portrait of portraits",
        "text": "Zoom in: every tile is the whole picture again, without end.",
        "view": "zoom",
        "settings": {"of": "copies"},
    },
    {
        "id": "galaxies",
        "title": "Galaxies of galaxies",
        "text": "The deep sky, made of thousands of small copies of itself.",
        "view": "fractalize",
        "settings": {"tiles": 96, "contrast": 0.7},
    },
    {
        "id": "coffee",
        "title": "Coffee in oil",
        "text": "A photo painted with the brush strokes of another picture.",
        "view": "stylize",
        "settings": {"style": "brushwork", "size": 8, "strength": 0.6},
    },
    {
        "id": "poster",
        "title": "A drawing, exact",
        "text": "Text and flat colours come back pixel for pixel, transparency too.",
        "view": "compress",
        "settings": {"format": "clg", "quality": 90},
    },
    {
        "id": "rocket",
        "title": "A launch, enlarged",
        "text": "Twice the size, with the detail that the picture shows elsewhere.",
        "view": "restore",
        "settings": {"what": "enlarge", "scale": 2},
    },
)
"""The examples in the order of their display: the picture, and the job whose result it opens."""
KIND_OF_VIEW = {
    "compress": "encode",
    "zoom": "scene",
    "fractalize": "fractalize",
    "stylize": "stylize",
    "restore": "restore",
}
"""The kind of job of a view."""
STYLES: tuple[dict[str, str], ...] = (
    {"id": "brushwork", "title": "Oil"},
    {"id": "watercolour", "title": "Watercolour"},
    {"id": "hatching", "title": "Pen"},
    {"id": "mosaic", "title": "Mosaic"},
    {"id": "galaxies", "title": "Stars"},
    {"id": "retina", "title": "Embers"},
)
"""The styles in the order of their display."""
MODELS: dict[str, dict[str, Any]] = {
    "digits": {
        "weights": "mnist",
        "title": "Digits",
        "text": "handwritten digits that nobody wrote, with edges sharp at any size",
        "writes": False,
    },
    "letters": {
        "weights": "letters",
        "title": "Letters",
        "text": "letters and signs of fonts that never were, with outlines sharp at any size",
        "writes": True,
    },
}
"""The generative models: their weights, what they draw, in words, and whether they write texts."""
PRESETS: dict[str, tuple[dict[str, Any], ...]] = {
    "fractalize": (
        {"id": "portraits", "title": "Portraits", "settings": {"tiles": 64, "contrast": 0.5}},
        {"id": "bold", "title": "Bold", "settings": {"tiles": 32, "contrast": 0.8}},
        {"id": "fine", "title": "Fine", "settings": {"tiles": 128, "contrast": 0.4}},
        {
            "id": "shards",
            "title": "Shards",
            "settings": {"tiles": 64, "domains": 49, "isometries": True, "contrast": 0.7},
        },
        {
            "id": "living",
            "title": "Large and small",
            "settings": {"tiles": 64, "adaptive": True, "contrast": 0.6},
        },
        {
            "id": "veil",
            "title": "Veil",
            "settings": {"tiles": 48, "contrast": 0.6, "strength": 0.5},
        },
    ),
}
"""Named settings by kind of job."""
