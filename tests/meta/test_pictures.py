"""Pictures of the documents are small, and every one is shown."""

from tests.support.repository import REPOSITORY, files, text

MAX_BYTES = 200 * 1024
PICTURES = [path for path in files() if path.suffix in {".png", ".svg", ".jpg"}]


def test_pictures_are_small() -> None:
    assert not {path: size for path in PICTURES if (size := (REPOSITORY / path).stat().st_size) > MAX_BYTES}


def test_every_picture_is_shown_by_a_document() -> None:
    shown = "".join(text(path) for path in files() if path.suffix == ".md")
    assert not [path for path in PICTURES if f"images/{path.name})" not in shown]
