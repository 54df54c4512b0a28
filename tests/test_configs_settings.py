from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path

import pytest
from pydantic import BaseModel

from configs.errors import ConfigError
from configs.settings import DEFAULT_CONFIG, Settings, load_settings
from machine.files import atomic_writer, remove_leftovers, temporary_beside

CONFIGS = sorted(DEFAULT_CONFIG.parent.glob("*.toml"))


def test_default_toml_has_every_key_and_no_other() -> None:
    def keys(model: type[BaseModel], prefix: str = "") -> set[str]:
        found: set[str] = set()
        for name, field in model.model_fields.items():
            inner = field.annotation
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                found |= keys(inner, f"{prefix}{name}.")
            else:
                found.add(prefix + name)
        return found

    def leaves(table: dict[str, object], prefix: str = "") -> set[str]:
        found: set[str] = set()
        for name, value in table.items():
            is_section = isinstance(value, dict) and value  # an empty table is a value
            found |= leaves(value, f"{prefix}{name}.") if is_section else {prefix + name}
        return found

    assert leaves(tomllib.loads(DEFAULT_CONFIG.read_text())) == keys(Settings)


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.name)
def test_every_shipped_configuration_loads(config: Path) -> None:
    assert isinstance(load_settings(config), Settings)


def test_differences_and_overrides_win_over_the_defaults(tmp_path: Path) -> None:
    config = tmp_path / "mine.toml"
    config.write_text("[search]\nlimit = 3\ntext_hits = 4\n")
    settings = load_settings(
        config, ["search.limit=7", "project.name=mine", "embedding.code.device=cpu"]
    )
    assert settings.search.limit == 7
    assert settings.search.text_hits == 4
    assert settings.project.name == "mine"
    assert settings.embedding.code.device == "cpu"
    assert settings.embedding.text.device == "auto"


@pytest.mark.parametrize("text", ["2048", "1_000", "20.10", "true", "2026-11-25"])
def test_a_name_may_look_like_a_number(text: str) -> None:
    settings = load_settings(
        None, [f"project.name={text}", f"paths.data= {text} ", f'project.branch="{text}"']
    )
    assert (settings.project.name, settings.paths.data, settings.project.branch) == (
        text,
        text,
        text,
    )


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("rust_analyzer.project=x", "rust_analyzer.project: "),
        ("rust_analyzer.features=some", 'rust_analyzer.features: expected "all", "default" or'),
        ('rust_analyzer.features=["a b"]', 'rust_analyzer.features: expected "all", "default"'),
        ("rust_analyzer.features=3", 'rust_analyzer.features: expected "all", "default" or'),
        (
            'rust_analyzer.cfg=["a=b"]',
            'rust_analyzer.cfg: expected names such as tokio_unstable or backend="linux"',
        ),
        ("search.limt=3", "unknown key search.limt"),
        ("search.limit=0", "search.limit"),
        ("search.limit=many", "search.limit"),
        ("flow.retries=2.5", "flow.retries"),
        ("project.name=../evil", "project.name"),
        ("embedding.text.recipe=tutorial-9", "embedding.text.recipe"),
        ("nonsense", "section.key=value"),
    ],
)
def test_a_wrong_setting_is_refused_by_name(override: str, message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        load_settings(None, [override])


def test_features_are_a_word_or_a_list() -> None:
    def features(given: str) -> object:
        return load_settings(overrides=[f"rust_analyzer.features={given}"]).rust_analyzer.features

    assert features("default") == "default"
    assert features('["net", "tokio/rt-multi-thread", "c++20"]') == [
        "net",
        "tokio/rt-multi-thread",
        "c++20",
    ]
    assert features("[]") == []
    cfgs = 'rust_analyzer.cfg=["tokio_unstable", "backend=\\"linux\\""]'
    assert load_settings(overrides=[cfgs]).rust_analyzer.cfg == [
        "tokio_unstable",
        'backend="linux"',
    ]


@pytest.mark.parametrize("glob", ["\\", r"[\--]"])
@pytest.mark.parametrize("key", ["exclude", "include"])
def test_a_glob_that_is_none_is_refused(key: str, glob: str) -> None:
    with pytest.raises(ConfigError, match=f"parse.{key}"):
        load_settings(overrides=[f"parse.{key}=['{glob}']"])


def test_remote_code_must_be_pinned() -> None:
    with pytest.raises(ConfigError, match="pin it with revision"):
        load_settings(
            None, ["embedding.code.model=some/model", "embedding.code.trust_remote_code=true"]
        )


def test_a_missing_or_broken_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no configuration file"):
        load_settings(tmp_path / "absent.toml")
    broken = tmp_path / "broken.toml"
    broken.write_text("[search\n")
    with pytest.raises(ConfigError, match=r"broken\.toml can't be read as TOML"):
        load_settings(broken)


def test_a_failed_write_leaves_the_old_content(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "file"
    with atomic_writer(path) as file:
        file.write(b"old")

    def fail() -> None:
        with atomic_writer(path) as file:
            file.write(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert path.read_bytes() == b"old"
    assert list(path.parent.iterdir()) == [path]


def test_what_killed_runs_left_behind_is_removed_once_it_is_old(tmp_path: Path) -> None:
    old, young, other = (
        temporary_beside(tmp_path / "a"),
        temporary_beside(tmp_path / "a"),
        tmp_path / "a",
    )
    assert old != young
    for path in (old, young, other):
        path.touch()
    folder = tmp_path / ".rust.tmp"
    (folder / "proc-macro").mkdir(parents=True)
    for path in (old, folder):
        os.utime(path, (0, 0))
    remove_leftovers(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted([young, other])
    remove_leftovers(tmp_path, age_s=0)
    assert list(tmp_path.iterdir()) == [other]


@pytest.mark.parametrize(
    "override",
    [
        "checkpoint.store=s3://key:s3cret@bucket/x",
        "checkpoint.store=s3://b/x?secret_key=s3cret",
        "cluster.scheduler=tcp://u:s3cret@h:1",
    ],
)
def test_an_address_with_credentials_is_refused_and_not_shown(override: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_settings(None, [override])
    assert "s3cret" not in str(caught.value)
    assert override.partition("=")[0] in str(caught.value)
