"""Make the pictures of README.md from a run: `make images`."""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image

WIDTH = 1200  # pixels: sharp on a page, small in the repository
COLOURS = 256
IMAGES = Path(__file__).parent / "images"


def shrink(source: Path, target: Path) -> None:
    """Write `source` at the width of a page with a palette of its own."""
    with Image.open(source) as picture:
        height = round(picture.height * WIDTH / picture.width)
        small = picture.convert("RGB").resize((WIDTH, height), Image.Resampling.LANCZOS)
    target.parent.mkdir(parents=True, exist_ok=True)
    palette = small.quantize(COLOURS)
    # Dithered: without it, the ends of a colour map fall together.
    small.quantize(COLOURS, palette=palette, dither=Image.Dither.FLOYDSTEINBERG).save(target, optimize=True)
    print(f"wrote {target} ({target.stat().st_size // 1000} kB)")


if __name__ == "__main__":
    run = Path(sys.argv[1])
    shrink(run / "pictures/module.png", IMAGES / "module.png")
