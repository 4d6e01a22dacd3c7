"""Every package that make installs is pinned, with the hashes of its files."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.requirement_hashes import FILES, lines_without_hashes, pinned_hashes, with_hashes

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", FILES)
def test_each_pin_has_hashes(name: str) -> None:
    pins = pinned_hashes((ROOT / name).read_text())
    assert pins
    assert [pin for pin, hashes in pins.items() if not hashes] == []


@pytest.mark.parametrize("name", FILES)
def test_every_line_is_a_pin_an_included_file_or_a_comment(name: str) -> None:
    text = (ROOT / name).read_text()
    lines = [line for line in lines_without_hashes(text) if line and not line.startswith(("#", "-r requirements"))]
    assert len(lines) == len(pinned_hashes(text))


def test_a_new_pin_takes_the_hashes_of_its_version() -> None:
    old, new = "a" * 64, "b" * 64
    text = f"# Why.\nPy_Thing==2.0 \\\n    --hash=sha256:{old}\n"
    assert with_hashes(text, {"py-thing==2.0": [f"sha256:{new}"]}) == (
        f"# Why.\nPy_Thing==2.0 \\\n    --hash=sha256:{new}\n"
    )


def test_a_package_that_is_pinned_twice_is_refused() -> None:
    with pytest.raises(ValueError, match=r"py-thing==2\.0 stands twice"):
        pinned_hashes("py-thing==2.0\nPy_Thing==2.0\n")
