"""Proxies in the environment: unusable ones end nothing that does not need them."""

from __future__ import annotations

import os
import sys

import httpx
import pytest

from configs.settings import load_settings
from embedding.hub import why_unreachable
from flows.errors import ServerUnreachable
from flows.server.api import require_answer
from flows.server.environment import set_prefect_defaults
from flows.server.temporary import TemporaryServer
from machine.git import git_environment
from machine.proxies import (
    client_options,
    given_environment,
    is_this_machine,
    set_unusable_aside,
    why_out_of_reach,
    without_proxies,
)
from storage.errors import StorageError
from storage.server.connection import connect

from qdrant_double import QdrantDouble

DEAD = "127.0.0.1:9"
SOCKS = "names a SOCKS proxy, which needs more packages"
NO_URL = "is not the URL of a proxy"
REMOTE = "https://qdrant.example.org:6333"


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what a test sets, and no package for SOCKS, wherever the tests run."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setitem(sys.modules, "socksio", None)
    for name in ("NO_PROXY", "no_proxy", "http_proxy", "PREFECT_API_URL"):
        monkeypatch.setenv(name, "")  # so that what the code under test sets is undone


@pytest.mark.parametrize(
    ("proxy", "problem"),
    [
        ("socks5://127.0.0.1:9", SOCKS),
        ("SOCKS5H://user:secret@proxy", SOCKS),
        ("socks4://127.0.0.1:9", "names a proxy of type socks4; only http, https, socks5"),
        ("ftp://127.0.0.1", "names a proxy of type ftp"),
        ("http://", NO_URL),
        ("http://host:port", NO_URL),
        ("http://host:99999999", NO_URL),
        ("http://[::1", NO_URL),
        ("://", NO_URL),
        ("http://user:pass#word@host:1", NO_URL),
        ("http://\udc80", NO_URL),
        (f"http://{DEAD}", ""),
        (f"http://user:p@ss@{DEAD}/", ""),
        ("https://host", ""),
        (DEAD, ""),
        ("host", ""),
        ("  ", ""),
    ],
)
@pytest.mark.parametrize("name", ["ALL_PROXY", "all_proxy", "https_proxy", "HTTPS_PROXY"])
def test_each_kind_of_proxy_is_used_or_named_without_its_address(
    name: str, proxy: str, problem: str
) -> None:
    environment = {name: proxy}
    why = why_out_of_reach(REMOTE, environment)
    assert why.startswith(f"{name} {problem}" if problem else "")
    assert bool(why) == bool(problem)
    assert "secret" not in why
    assert "word" not in why
    set_unusable_aside(environment)
    kept = proxy if not problem and proxy.strip() else None
    assert environment.get(name) == kept
    assert given_environment(environment) == {name: proxy}
    assert why_out_of_reach(REMOTE, environment) == why


def test_a_client_can_be_made_whatever_the_environment_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given = {
        "ALL_PROXY": "socks4://127.0.0.1:9",
        "HTTP_PROXY": f"http://{DEAD}",
        "https_proxy": "http://[::1",
        "NO_PROXY": "corp.example, fe80::/10,[::1],10.0.0.0/8,,http://x:y",
    }
    monkeypatch.delenv("no_proxy")
    monkeypatch.delenv("http_proxy")
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    with pytest.raises((ValueError, httpx.InvalidURL)):
        httpx.Client()
    set_unusable_aside(os.environ)
    httpx.Client().close()
    httpx.AsyncClient()
    assert os.environ["NO_PROXY"] == "corp.example,10.0.0.0/8"
    assert os.environ["HTTP_PROXY"] == f"http://{DEAD}"
    # git and Cargo can do more, and get what the user gave.
    assert {name: git_environment().get(name) for name in given} == given
    assert not any("SET_ASIDE" in name for name in git_environment())
    assert not any("proxy" in name.lower() for name in without_proxies(os.environ))


def test_exceptions_of_the_user_hold_beside_those_for_this_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("no_proxy")
    monkeypatch.setenv("NO_PROXY", "qdrant.internal")
    monkeypatch.setenv("http_proxy", f"http://{DEAD}")
    for _ in range(2):
        set_prefect_defaults()
    assert os.environ["no_proxy"] == "qdrant.internal,127.0.0.1,localhost,::1"
    assert os.environ["NO_PROXY"] == os.environ["no_proxy"]
    assert git_environment()["NO_PROXY"] == "qdrant.internal"
    assert "no_proxy" not in git_environment()


@pytest.mark.parametrize(
    ("environment", "url", "proxy"),
    [
        ({"HTTP_PROXY": "http://a:1", "http_proxy": "http://b:1"}, "http://x", "http://b:1"),
        ({"HTTP_PROXY": "http://a:1", "http_proxy": ""}, "http://x", None),
        ({"Http_Proxy": "a:1"}, "http://x", "http://a:1"),
        ({"HTTP_PROXY": "http://a:1"}, "https://x", None),
        ({"ALL_PROXY": "http://a:1", "HTTPS_PROXY": "http://b:1"}, "https://x", "http://b:1"),
        ({"ALL_PROXY": "http://a:1", "NO_PROXY": ".x.org"}, "https://y.x.org:1/a", None),
        ({"ALL_PROXY": "http://a:1", "NO_PROXY": "*"}, "https://x", None),
        ({"ALL_PROXY": "http://a:1", "NO_PROXY": "x", "no_proxy": "y"}, "https://x", "http://a:1"),
        ({"ALL_PROXY": "http://a:1"}, "http://127.9.9.9:6333", None),
        ({"ALL_PROXY": "http://a:1"}, "http://[::1]:6333", None),
        ({"ALL_PROXY": "http://a:1"}, "http://localhost", None),
        ({"ALL_PROXY": "http://a:1"}, "http://127.example.org", "http://a:1"),
    ],
)
def test_the_proxy_for_an_address_is_the_one_that_curl_would_use(
    environment: dict[str, str], url: str, proxy: str | None
) -> None:
    assert client_options(url, environment)["proxy"] == proxy


def test_this_machine_is_told_by_its_address_and_name() -> None:
    ours = ("http://127.0.0.1:1", "http://[::1]", "http://localhost/", "http://a.localhost")
    assert all(map(is_this_machine, ours))
    others = (
        "http://127.example.org",
        "http://10.0.0.1",
        "http://[::1",
        "",
        "http://localhost.org",
    )
    assert not any(map(is_this_machine, others))


def test_a_qdrant_server_here_is_asked_without_a_proxy_and_a_remote_one_never_without(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = load_settings().storage
    monkeypatch.setenv("http_proxy", f"http://{DEAD}")
    monkeypatch.setenv("ALL_PROXY", "socks4://user:secret@proxy")
    with QdrantDouble() as double:
        client = connect(double.url, None, settings)
        assert client.get_collections().collections == []
        client.close()
    connect("http://qdrant.example.org:6333", None, settings).close()  # http_proxy is for it
    with pytest.raises(StorageError) as raised:
        connect(REMOTE, None, settings)
    assert str(raised.value) == (
        f"{REMOTE} can't be reached: ALL_PROXY names a proxy of type socks4; "
        "only http, https, socks5 and socks5h can be used"
    )


def test_a_remote_prefect_server_and_hub_are_never_asked_around_the_proxy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("all_proxy", "socks5://proxy")
    monkeypatch.setenv("HF_ENDPOINT", "https://hub.example.org")
    set_prefect_defaults()
    assert why_unreachable(0.1).startswith(f"hub.example.org can't be reached: all_proxy {SOCKS}")
    for url in ("https://prefect.example.org/api", "https://api.prefect.cloud/api/x"):
        monkeypatch.setenv("PREFECT_API_URL", url)
        with pytest.raises(ServerUnreachable, match=f"{url} can't be reached: all_proxy {SOCKS}"):
            require_answer()


def test_the_temporary_server_gets_no_proxy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    started: list[dict[str, str]] = []

    class Started:
        stdin = None

        def __init__(self, *_: object, env: dict[str, str], **__: object) -> None:
            started.append(env)

        def wait(self, _: float) -> None: ...

    monkeypatch.setattr("flows.server.temporary.subprocess.Popen", Started)
    monkeypatch.setenv("ALL_PROXY", "socks5://proxy")
    TemporaryServer().stop()
    assert not any(name.lower().endswith("_proxy") for name in started[0])
