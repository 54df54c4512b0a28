"""Checkouts of real git repositories in temporary folders."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from kills import KILLS

from configs.settings import CheckoutSettings
from flows.errors import CheckoutError, RepositoryUnreachable, UsageError
from flows.source.checkout import checkout
from flows.source.source import Source
from machine.git import git_state

from conftest import PROJECT_ROOT

SETTINGS = CheckoutSettings(timeout_s=60, submodules=True)


def git(folder: Path, *arguments: str) -> str:
    identity = (
        "-c",
        "user.name=t",
        "-c",
        "user.email=t@example.org",
        "-c",
        "protocol.file.allow=always",
    )
    done = subprocess.run(
        ["git", "-C", str(folder), *identity, *arguments],
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


def commit(repo: Path, text: str) -> str:
    (repo / "src" / "lib.rs").write_text(text)
    git(repo, "add", ".")
    git(repo, "commit", "--quiet", "-m", text)
    return git(repo, "rev-parse", "HEAD")


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """A Cargo project on the branch main, with a commit "one" tagged v1 and a second, "two"."""
    folder = tmp_path / "upstream"
    (folder / "src").mkdir(parents=True)
    (folder / "Cargo.toml").write_text('[package]\nname = "a"\n')
    git(folder, "init", "--quiet", "--initial-branch=main")
    commit(folder, "one")
    git(folder, "tag", "-a", "v1", "-m", "first")
    commit(folder, "two")
    return folder


def lib(folder: Path) -> str:
    return (folder / "src" / "lib.rs").read_text()


def fetched(
    repo: Path | str, folder: Path, ref: str = "", settings: CheckoutSettings = SETTINGS
) -> str:
    return lib(checkout(str(repo), ref, folder, settings))


@pytest.mark.parametrize("form", ["file://{}", "{}"])
def test_a_branch_a_tag_and_a_commit_are_checked_out_and_the_branch_is_followed(
    repo: Path, tmp_path: Path, form: str
) -> None:
    url, work = form.format(repo), tmp_path / "checkout"
    first = git(repo, "rev-parse", "v1^{commit}")
    assert fetched(url, work) == "two"  # the default branch
    assert fetched(url, work, "main") == "two"
    assert fetched(url, work, "v1") == "one"
    assert git_state(work) == (first, False)
    commit(repo, "three")
    assert fetched(url, work, "main") == "three"
    assert fetched(url, work, first) == "one"
    git(repo, "reset", "--quiet", "--hard", "v1")
    pushed = commit(repo, "forced")
    assert fetched(url, work, "main") == "forced"
    assert git_state(work) == (pushed, False)
    assert git(work, "rev-list", "--count", "HEAD") == "1"  # shallow


def test_only_the_commits_files_are_left(repo: Path, tmp_path: Path) -> None:
    work = tmp_path / "checkout"
    (repo / ".gitignore").write_text("ignored\n")
    commit(repo, "with ignored files")
    fetched(repo, work)
    (work / "ignored").write_text("x")
    (work / "untracked").mkdir()
    (work / "untracked" / "file").write_text("x")
    git(tmp_path, "init", "--quiet", str(work / "nested"))
    (work / "src" / "lib.rs").write_text("changed")
    assert fetched(repo, work) == "with ignored files"
    assert sorted(path.name for path in work.iterdir()) == [
        ".git",
        ".gitignore",
        "Cargo.toml",
        "src",
    ]


def test_a_commit_that_is_there_is_not_fetched_again(repo: Path, tmp_path: Path) -> None:
    head = git(repo, "rev-parse", "HEAD")
    fetched(repo, tmp_path / "checkout", head)
    moved = repo.rename(tmp_path / "gone")
    assert fetched(repo, tmp_path / "checkout", head) == "two"
    with pytest.raises(CheckoutError, match="can't fetch"):
        fetched(repo, tmp_path / "checkout", "main")
    assert moved.is_dir()


def test_another_url_begins_a_checkout_anew(repo: Path, tmp_path: Path) -> None:
    work = tmp_path / "checkout"
    fetched(repo, work)
    other = Path(shutil.copytree(repo, tmp_path / "other"))
    commit(other, "of the other")
    assert fetched(other, work) == "of the other"
    assert git(work, "remote", "get-url", "origin") == str(other)


@pytest.mark.parametrize(
    ("ref", "message"),
    [
        ("absent", "has no branch or tag 'absent'"),
        ("0123abc", "has no branch or tag '0123abc'; a commit is named by its full hash"),
        ("0" * 40, f"gives no commit {'0' * 40}: name a branch or tag that contains it"),
    ],
)
def test_an_absent_ref_is_told_and_not_tried_again(
    repo: Path, tmp_path: Path, ref: str, message: str
) -> None:
    with pytest.raises(CheckoutError) as told:
        fetched(repo, tmp_path / "checkout", ref)
    assert message in str(told.value)
    assert not told.value.retryable
    assert fetched(repo, tmp_path / "checkout", "main") == "two"


def test_a_repository_without_commits_has_no_default_branch(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet", str(tmp_path / "empty"))
    with pytest.raises(CheckoutError, match="has no default branch: name a branch with --ref"):
        fetched(tmp_path / "empty", tmp_path / "checkout")


def test_a_host_that_does_not_answer_may_later(tmp_path: Path) -> None:
    with pytest.raises(RepositoryUnreachable) as told:
        fetched("https://127.0.0.1:9/a.git", tmp_path / "checkout")
    assert told.value.retryable
    assert str(told.value).startswith(
        "can't fetch https://127.0.0.1:9/a.git: fatal: unable to access"
    )


def test_git_that_takes_too_long_is_ended(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    fake = tmp_path / "bin" / "git"
    fake.parent.mkdir()
    fake.write_text(
        '#!/bin/sh\ncase "$*" in *" fetch "*) sleep 60;;'
        f' *) exec {shutil.which("git")} "$@";; esac\n'
    )
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}:{os.environ['PATH']}")
    with pytest.raises(
        RepositoryUnreachable, match=r"took more than 1 s \(checkout.timeout_s\) and was stopped"
    ):
        fetched(repo, tmp_path / "checkout", settings=SETTINGS.model_copy(update={"timeout_s": 1}))


def test_without_git_a_url_is_refused_before_any_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(CheckoutError, match="git is not on PATH"):
        Source(repo="https://example.org/a.git").check()


def leave_locks(work: Path) -> None:
    for name in ("index", "shallow", "config", "HEAD", "refs/heads/main"):
        (work / ".git" / f"{name}.lock").touch()


def leave_half_made(work: Path) -> None:
    shutil.rmtree(work / ".git" / "refs")
    (work / ".git" / "config").unlink()


def leave_no_objects(work: Path) -> None:
    for path in (work / ".git" / "objects").rglob("*"):
        if path.is_file():
            path.unlink()


def leave_no_repository(work: Path) -> None:
    shutil.rmtree(work / ".git")


def leave_an_empty_index(work: Path) -> None:
    (work / ".git" / "index").write_bytes(b"")


def leave_a_file(work: Path) -> None:
    shutil.rmtree(work)
    work.write_text("not a folder")


@pytest.mark.parametrize(
    "leave",
    [
        leave_locks,
        leave_half_made,
        leave_no_objects,
        leave_no_repository,
        leave_an_empty_index,
        leave_a_file,
    ],
)
def test_whatever_a_killed_run_left_is_mended(repo: Path, tmp_path: Path, leave: object) -> None:
    work = tmp_path / "checkout"
    fetched(repo, work)
    leave(work)  # type: ignore[operator]
    commit(repo, "three")
    assert fetched(repo, work, "main") == "three"
    assert git_state(work) == (git(repo, "rev-parse", "HEAD"), False)


def test_a_submodule_may_be_named_like_a_lock(repo: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(repo, tmp_path / "other"))
    git(repo, "submodule", "--quiet", "add", str(other), "vendor/other.lock")
    commit(repo, "with a submodule")
    work = tmp_path / "checkout"
    fetched(repo, work)
    (work / ".git" / "modules" / "vendor" / "other.lock" / "index.lock").touch()
    assert fetched(repo, work) == "with a submodule"
    assert lib(work / "vendor" / "other.lock") == "two"


def test_a_checkout_inside_another_repository_leaves_that_alone(repo: Path, tmp_path: Path) -> None:
    outer = tmp_path / "outer"
    git(tmp_path, "init", "--quiet", str(outer))
    (outer / "precious").write_text("not committed")
    work = outer / "data" / "checkout"
    fetched(repo, work)
    leave_no_repository(work)
    assert fetched(repo, work) == "two"
    assert (outer / "precious").read_text() == "not committed"


def test_a_run_of_a_hook_is_about_the_repository_that_it_was_given(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(tmp_path, "init", "--quiet", str(tmp_path / "other"))
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "other" / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "other" / ".git" / "index"))
    assert fetched(repo, tmp_path / "checkout") == "two"
    assert git_state(tmp_path / "checkout").commit is not None


def test_a_checkout_killed_at_any_moment_is_finished_by_the_next(
    repo: Path, tmp_path: Path
) -> None:
    for number in range(300):
        (repo / "src" / f"m{number}.rs").write_text("fn f() {}\n" * 50)
    work, script = tmp_path / "checkout", (
        "import sys; from pathlib import Path\n"
        "from configs.settings import CheckoutSettings\n"
        "from flows.source.checkout import checkout\n"
        "print('begun', flush=True)\n"
        "settings = CheckoutSettings(timeout_s=60, submodules=True)\n"
        "checkout(sys.argv[1], 'main', Path(sys.argv[2]), settings)"
    )  # fmt: skip
    for number in range(KILLS):
        commit(repo, f"commit {number}")
        process = subprocess.Popen(
            [sys.executable, "-c", script, f"file://{repo}", str(work)],
            cwd=PROJECT_ROOT,
            stdout=subprocess.PIPE,
        )
        assert process.stdout is not None
        assert process.stdout.readline() == b"begun\n"
        time.sleep(0.7 * number / KILLS)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        assert fetched(f"file://{repo}", work, "main") == f"commit {number}"
        assert git_state(work) == (git(repo, "rev-parse", "HEAD"), False)
        if number < KILLS // 2:  # the first half begins with nothing
            shutil.rmtree(work)


def test_submodules_come_along_unless_told_otherwise(repo: Path, tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    (inner / "src").mkdir(parents=True)
    git(inner, "init", "--quiet", "--initial-branch=main")
    commit(inner, "inner one")
    git(repo, "submodule", "--quiet", "add", str(inner), "vendored")
    commit(repo, "with a submodule")
    work, without = tmp_path / "checkout", SETTINGS.model_copy(update={"submodules": False})
    assert fetched(repo, work, settings=without) == "with a submodule"
    assert not (work / "vendored" / "src").exists()
    fetched(repo, work)
    assert lib(work / "vendored") == "inner one"
    git(repo, "rm", "--quiet", "vendored")
    commit(repo, "without it")
    fetched(repo, work)
    assert not (work / "vendored").exists()


def test_a_foreign_repositorys_submodule_does_not_read_this_disk() -> None:
    from flows.source.git_url import protocols

    assert (
        protocols("https://example.org/a.git") == protocols("git@example.org:a.git") == "https:ssh"
    )
    assert protocols("file:///srv/a.git") == protocols("/srv/a.git") == "https:ssh:file"


@pytest.mark.parametrize("hook", ["post-checkout", "reference-transaction"])
def test_no_hook_runs(repo: Path, tmp_path: Path, hook: str) -> None:
    work = tmp_path / "checkout"
    fetched(repo, work)
    (work / ".git" / "hooks").mkdir(exist_ok=True)
    (work / ".git" / "hooks" / hook).write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    (work / ".git" / "hooks" / hook).chmod(0o755)
    commit(repo, "three")
    assert fetched(repo, work) == "three"
    assert not (tmp_path / "ran").exists()


# ---- What is asked for


@pytest.mark.parametrize(
    "url",
    [
        "https://user:secret-key-0451@example.org/a.git",
        "https://secret-key-0451@example.org/a.git",
        "https://user:secret-key-0451/x@example.org/a.git",
        "ssh://git:secret-key-0451@example.org/a.git",
        "git:secret-key-0451@example.org:a.git",
        "http://user:secret-key-0451@example.org/a.git",
        "https://example.org/a.git?private_token=secret-key-0451",
        "https://example.org?private_token=secret-key-0451",
        "ssh://git@example.org/a.git?private_token=secret-key-0451",
        "file:///srv/a.git?private_token=secret-key-0451",
        "user:secret-key-0451@example.org::a.git",
    ],
)
def test_a_url_with_a_secret_is_refused_without_showing_it(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    from flows.cli import main as cli

    caplog.set_level(logging.DEBUG)
    for command in (
        ["ingest", "--debug"],
        ["ingest", "--plan"],
        ["dump", "-o", str(tmp_path / "x.lsif")],
    ):
        code = cli.main(
            [command[0], "--repo", url, *command[1:], "--set", f"paths.data={tmp_path / 'data'}"]
        )
        out, err = capsys.readouterr()
        assert code == 2
        assert "secret-key-0451" not in out + err + caplog.text
    assert not (tmp_path / "data").exists()


def test_a_refused_secret_leads_to_gits_credential_helpers() -> None:
    with pytest.raises(
        UsageError,
        match=r"the URL of example.org contains a user name or secret.*credential helpers",
    ):
        Source(repo="https://user:secret-key-0451@example.org/a.git")


def test_secrets_that_git_knows_are_not_in_its_messages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "url.https://me:secret-key-0451@127.0.0.1:9/.insteadOf")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "https://example.org/")
    with pytest.raises(RepositoryUnreachable) as told:
        fetched("https://example.org/a.git", tmp_path / "checkout")
    assert "secret-key-0451" not in f"{told.value!r} {caplog.text}"
    assert Source(repo="https://example.org/a.git").identity() == "https://127.0.0.1:9/a.git"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://oauth2:tok@secret-key-0451@example.org/r.git", "https://example.org/r.git"),
        ("https://oauth2:tok/secret-key-0451@example.org/r.git", "https://example.org/r.git"),
        ("https://tok?secret-key-0451@example.org/r.git", "https://"),
        ("https://example.org/r.git?private_token=secret-key-0451", "https://example.org/r.git"),
        (
            "https://example.org/r.git?to=https://x/&key=secret-key-0451#x",
            "https://example.org/r.git",
        ),
        ("https://example.org:8443/team/r@v1.git", "https://example.org:8443/team/r@v1.git"),
        ("https://[::1]:8443/team/r@v1.git", "https://[::1]:8443/team/r@v1.git"),
        ("git@example.org:team/r.git", "git@example.org:team/r.git"),
        ("/srv/r #2?", "/srv/r #2?"),
    ],
)
def test_a_url_is_shown_without_its_secrets(url: str, shown: str) -> None:
    from machine.secrets import without_credentials

    assert without_credentials(url) == shown
    if "secret" in url:
        said = without_credentials(f"fatal: 'https://me:secret@example.net/' and '{url}': gone")
        assert said.startswith(f"fatal: 'https://example.net/' and '{shown}")
        assert said.endswith(" gone")
        assert "secret" not in said


def test_a_long_message_without_a_space_is_looked_through_at_once() -> None:
    from machine.secrets import without_credentials

    started = time.perf_counter()
    for part in ("://", "//a:", '//?"', "//?@"):
        without_credentials(part * 300_000)
    assert time.perf_counter() - started < 10


@pytest.mark.parametrize(
    "repo",
    [
        "ext::sh -c touch% /tmp/x",
        "http://example.org/a.git",
        "git://example.org/a.git",
        "fd::3",
        "-u://x",
        "-u=x::y",
    ],
)
def test_other_transports_are_refused(repo: str) -> None:
    with pytest.raises(UsageError, match="git fetches by https, ssh and file"):
        Source(repo=repo)


@pytest.mark.parametrize(
    "ref",
    ["-x", "-u=x y", "a b", "main:refs/heads/x", "+main", "a..b", "main~1", "x\ny", "*", "a@{1}"],
)
def test_what_is_no_ref_is_refused(ref: str) -> None:
    with pytest.raises(UsageError, match="--ref takes a branch, a tag or a full commit hash"):
        Source(repo="https://example.org/a.git", ref=ref)


@pytest.mark.parametrize(
    "ref", ["main", "feature/#12-ü", "v1.0", "refs/pull/7/head", "a" * 40, "HEAD"]
)
def test_names_of_refs_are_taken(ref: str) -> None:
    assert Source(repo="git@example.org:a.git", ref=ref).ref == ref


def test_ref_and_subdir_need_a_repository() -> None:
    with pytest.raises(UsageError, match="--ref and --subdir go with --repo"):
        Source(structures=Path("x"), ref="main")
    with pytest.raises(UsageError, match="--subdir names a folder inside the repository"):
        Source(repo="https://example.org/a.git", subdir="../x")


# ---- The source as a whole


def test_a_folder_without_ref_is_used_in_place(repo: Path, tmp_path: Path) -> None:
    source = Source(repo=str(repo))
    assert not source.is_checkout
    assert source.folder == repo


def test_a_ref_of_a_folder_is_checked_out_and_the_folder_left_alone(
    repo: Path, tmp_path: Path
) -> None:
    (repo / "src" / "lib.rs").write_text("not committed")
    source = Source(repo=str(repo), ref="v1")
    source.check()
    folder = source.check_out(tmp_path / "work/checkout", SETTINGS)
    assert folder == tmp_path / "work" / "checkout"
    assert (lib(folder), lib(repo)) == ("one", "not committed")
    assert source.identity() == Source(repo=str(repo)).identity() == str(repo)


def test_the_project_may_lie_in_a_folder_of_the_repository(repo: Path, tmp_path: Path) -> None:
    (repo / "rust" / "core").mkdir(parents=True)
    (repo / "rust" / "core" / "Cargo.toml").write_text("[package]\n")
    commit(repo, "with a member")
    expected = tmp_path / "work" / "checkout" / "rust" / "core"
    by_url = Source(repo=f"file://{repo}", subdir="rust/core")
    assert by_url.check_out(tmp_path / "work/checkout", SETTINGS) == expected
    for source in (
        Source(repo=str(repo / "rust"), ref="main", subdir="core"),
        Source(repo=str(repo / "rust" / "core"), ref="main"),
    ):
        assert source.check_out(tmp_path / "work/checkout", SETTINGS) == expected
    assert Source(repo=str(repo), subdir="rust/core").folder == repo / "rust" / "core"
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", f"file://{repo}", str(clone))
    assert (
        by_url.identity()
        == Source(repo=str(clone / "rust" / "core")).identity()
        == f"file://{repo} rust/core/"
    )
    assert by_url.project("") == "core"


def test_a_link_out_of_the_repository_is_not_followed(repo: Path, tmp_path: Path) -> None:
    from lsif.errors import SourceError

    (repo / "out").symlink_to("/etc")
    commit(repo, "with a link")
    with pytest.raises(SourceError, match="out leads out of the repository"):
        Source(repo=f"file://{repo}", subdir="out").check_out(tmp_path / "work/checkout", SETTINGS)


def test_a_bare_repository_is_fetched_from(repo: Path, tmp_path: Path) -> None:
    bare, clone = tmp_path / "mirror.git", tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", "--bare", str(repo), str(bare))
    git(tmp_path, "clone", "--quiet", str(bare), str(clone))
    source = Source(repo=str(bare))
    source.check()
    assert source.project("") == "mirror"
    assert lib(source.check_out(tmp_path / "work/checkout", SETTINGS)) == "two"
    assert source.identity() == Source(repo=str(clone)).identity() == str(bare)


def test_a_checkout_has_the_identity_of_one_made_by_hand(repo: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "--quiet", f"file://{repo}", str(tmp_path / "clone"))
    source = Source(repo=f"file://{repo}", ref="v1")
    folder = source.check_out(tmp_path / "work/checkout", SETTINGS)
    assert source.identity() == Source(repo=str(tmp_path / "clone")).identity() == f"file://{repo}"
    assert Source(repo=str(folder)).identity() == f"file://{repo}"


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://example.org/team/repo.git", "repo"),
        ("https://example.org/team/repo/", "repo"),
        ("git@example.org:team/repo.git", "repo"),
        ("git@example.org:repo", "repo"),
        ("ssh://git@example.org:2222/team/repo.git/", "repo"),
        ("file:///srv/repo/.git", "repo"),
        ("/srv/team/repo", "repo"),
    ],
)
def test_the_project_is_named_after_the_urls_last_part(url: str, name: str) -> None:
    assert Source(repo=url, ref="main").project("") == name


def test_a_folder_in_no_repository_has_no_refs(tmp_path: Path) -> None:
    with pytest.raises(CheckoutError, match="is in no git repository, so it has no refs"):
        Source(repo=str(tmp_path), ref="main").check()


def test_a_url_goes_through_prefects_parameters_unchanged() -> None:
    source = Source(repo="https://example.org//a.git", ref="main", subdir="x")
    assert Source.model_validate_json(source.model_dump_json()) == source
    assert source.repo == "https://example.org//a.git"
