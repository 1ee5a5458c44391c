"""The pictures of README.md. The end-to-end tests save them if the environment variable PICTURES names a folder."""

import os
import shutil
import subprocess
from pathlib import Path

from playwright.sync_api import Page


def take_picture(page: Page, name: str) -> None:
    """Save the visible part of the page as a PNG file in the folder PICTURES, if the variable is set.

    If pngquant is installed, it makes the file smaller.
    """
    folder = os.environ.get("PICTURES")
    if not folder:
        return
    path = Path(folder).resolve() / f"{name}.png"
    page.wait_for_load_state("networkidle")
    page.evaluate("() => document.fonts.ready")
    page.mouse.move(0, 0)  # move the mouse away, so that no element is highlighted
    page.screenshot(path=path, animations="disabled")
    if program := shutil.which("pngquant"):
        subprocess.run([program, "--force", "--ext", ".png", "--skip-if-larger", path], check=False)
