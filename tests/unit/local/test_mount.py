"""A mount of `up` must look to the relay as a Kubernetes volume does."""

import os
import stat
from pathlib import Path

from mailhaul_operator.local.mount import Mount


def test_files_are_seen_through_the_data_link(tmp_path: Path) -> None:
    mount = Mount(tmp_path / "m")
    assert mount.write({"a": b"1", "b": b"2"})
    assert (tmp_path / "m" / "a").read_bytes() == b"1"
    assert os.readlink(tmp_path / "m" / "a") == "..data/a"
    assert os.readlink(tmp_path / "m" / "..data").startswith("..2")


def test_a_change_swaps_all_files_in_one_step(tmp_path: Path) -> None:
    mount = Mount(tmp_path)
    mount.write({"a": b"1", "b": b"1"})
    before = os.readlink(tmp_path / "..data")
    held = os.open(tmp_path / before / "a", os.O_RDONLY)
    assert mount.write({"a": b"2", "b": b"2"})
    assert os.readlink(tmp_path / "..data") != before
    assert mount.read() == {"a": b"2", "b": b"2"}
    assert os.read(held, 10) == b"1", "a file that a reader holds is never written to"
    os.close(held)


def test_an_equal_content_is_left_alone(tmp_path: Path) -> None:
    mount = Mount(tmp_path)
    mount.write({"a": b"1"})
    before = os.readlink(tmp_path / "..data")
    assert not mount.write({"a": b"1"})
    assert os.readlink(tmp_path / "..data") == before


def test_a_key_that_went_leaves_no_link(tmp_path: Path) -> None:
    mount = Mount(tmp_path)
    mount.write({"a": b"1", "b": b"1"})
    mount.write({"a": b"1"})
    assert sorted(one.name for one in tmp_path.iterdir() if not one.name.startswith("..")) == ["a"]


def test_no_old_version_stays(tmp_path: Path) -> None:
    mount = Mount(tmp_path)
    for number in range(3):
        mount.write({"a": str(number).encode()})
    assert len([one for one in tmp_path.iterdir() if one.name.startswith("..2")]) == 1


def test_only_the_owner_can_read(tmp_path: Path) -> None:
    Mount(tmp_path / "m").write({"a": b"secret"})
    inside = tmp_path / "m" / os.readlink(tmp_path / "m" / "..data")
    for path, mode in ((tmp_path / "m", 0o700), (inside, 0o700), (inside / "a", 0o600)):
        assert stat.S_IMODE(path.stat().st_mode) == mode


def test_a_mount_that_was_never_written_is_empty(tmp_path: Path) -> None:
    assert Mount(tmp_path / "none").read() == {}
