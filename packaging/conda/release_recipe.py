"""Print the recipe for conda-forge of a release: recipe.yaml with the release as its source.

``release_recipe.py REPOSITORY SDIST``: the address of the repository, whose release page has the
sdist, and the sdist itself, which tells the version and the checksum.
"""

from __future__ import annotations

import hashlib
import re
import sys
from pathlib import Path

RECIPE = Path(__file__).with_name("recipe.yaml")


def release_recipe(recipe: str, repository: str, sdist: Path) -> str:
    """Return ``recipe`` with ``sdist``'s version, address and checksum, and a home page."""
    version = re.fullmatch(r"filetree-(\d+(?:\.\w+)*)\.tar\.gz", sdist.name)
    if version is None:
        raise ValueError(f"not a source distribution of filetree: {sdist.name}")
    address = (
        f"{repository}/releases/download/v${{{{ version }}}}/filetree-${{{{ version }}}}.tar.gz"
    )
    checksum = hashlib.sha256(sdist.read_bytes()).hexdigest()
    for pattern, replacement in (
        (r"(?:#.*\n)+", ""),
        (r"  version: [\d.]+\n", f"  version: {version[1]}\n"),
        (r"  path: \.\./\.\.\n", f"  url: {address}\n  sha256: {checksum}\n"),
        (r"about:\n", f"about:\n  homepage: {repository}\n  repository: {repository}\n"),
    ):
        recipe, count = re.subn(f"^{pattern}", replacement, recipe, flags=re.MULTILINE)
        if count != 1:
            raise ValueError(f"recipe.yaml has {count} of {pattern!r}")
    return recipe


def main() -> None:
    """Read the arguments; write the recipe to standard output."""
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.stdout.write(release_recipe(RECIPE.read_text("utf-8"), sys.argv[1], Path(sys.argv[2])))


if __name__ == "__main__":
    main()
