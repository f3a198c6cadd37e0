"""Settings from files, as Docker and Kubernetes mount secrets."""

from pathlib import Path

import pytest

from stream import settings
from stream.errors import ConfigurationError


@pytest.fixture
def mounted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(settings, "SECRETS", tmp_path)
    for name in ("AGOS_DASHBOARD_TOKEN", "AGOS_PARTITIONS"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_a_file_says_what_the_environment_does_not(mounted: Path) -> None:
    (mounted / "agos_dashboard_token").write_text("of-the-file-of-16\n")
    assert settings.load().dashboard_token.get_secret_value() == "of-the-file-of-16"


def test_the_environment_comes_before_the_file_and_an_argument_before_both(
    mounted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (mounted / "agos_partitions").write_text("2")
    assert settings.load().partitions == 2
    monkeypatch.setenv("AGOS_PARTITIONS", "3")
    assert settings.load().partitions == 3
    assert settings.load(partitions=4).partitions == 4


def test_without_the_folder_there_are_the_defaults(
    mounted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "SECRETS", mounted / "none")
    assert settings.load().dashboard_token.get_secret_value() == ""


def test_what_is_wrong_in_a_file_is_told_as_of_the_environment(mounted: Path) -> None:
    (mounted / "agos_partitions").write_text("many")
    with pytest.raises(ConfigurationError, match=r"AGOS_PARTITIONS: .* \(got 'many'\)"):
        settings.load()


def test_a_file_that_is_no_text_is_told(mounted: Path) -> None:
    (mounted / "agos_dashboard_token").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigurationError, match=r"dashboard_token.* expected a file"):
        settings.load()


def test_a_folder_in_its_place_is_told(mounted: Path) -> None:
    (mounted / "agos_dashboard_token").mkdir()
    with pytest.raises(ConfigurationError, match="dashboard_token"):
        settings.load()
