"""Proxies that the environment names: which of them Python's HTTP clients can use.

httpx, which Prefect and Qdrant's client use, reads every variable when a client is made. It fails
on one that it can't use, even if nothing is asked for over it. So these are set aside, under names
that no program reads. git, Cargo and rust-analyzer get them back, because they can do more.
"""

from __future__ import annotations

import ipaddress
import ssl
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping

_SET_ASIDE = "LSIF_INGEST_SET_ASIDE_"
"""Before a variable's own name, with the value that the user gave it; empty: it was not set."""
_NAMES = ("http_proxy", "https_proxy", "all_proxy")
_EXCEPT = "no_proxy"
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def is_this_machine(url: str) -> bool:
    """Return whether the URL's host is this machine, by a loopback address or its usual name."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return False
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost" or host.endswith(".localhost")


def set_unusable_aside(environment: MutableMapping[str, str]) -> None:
    """Take out of the environment each proxy and exception that Python's clients fail on."""
    for name, value in list(environment.items()):
        if name.lower() in _NAMES and value and _problem(value):
            _change(environment, name, "")
        elif name.lower() == _EXCEPT and value:
            usable = ",".join(filter(_is_host, map(str.strip, value.split(","))))
            if usable != ",".join(filter(None, map(str.strip, value.split(",")))):
                _change(environment, name, usable)


def ask_this_machine_directly(environment: MutableMapping[str, str]) -> None:
    """Have Python's clients use no proxy for this machine; other exceptions stay."""
    variables = _variables(environment)
    if not any(name in variables for name in _NAMES):
        return
    given = environment.get(variables.get(_EXCEPT, ""), "")
    hosts = [host.strip() for host in given.split(",") if host.strip()]
    hosts += [host for host in _LOOPBACK if host not in hosts]
    for name in (_EXCEPT, _EXCEPT.upper()):
        if environment.get(name) != ",".join(hosts):
            _change(environment, name, ",".join(hosts))


def given_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment with the proxies that the user gave, for other programs."""
    given = {name: value for name, value in environment.items() if not name.startswith(_SET_ASIDE)}
    for name, value in environment.items():
        if name.startswith(_SET_ASIDE):
            given[name.removeprefix(_SET_ASIDE)] = value
            if not value:
                del given[name.removeprefix(_SET_ASIDE)]
    return given


def without_proxies(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment without any proxy, for a program that asks only this machine."""
    hidden = (*_NAMES, _EXCEPT)
    return {
        name: value
        for name, value in environment.items()
        if name.lower() not in hidden and not name.startswith(_SET_ASIDE)
    }


def why_out_of_reach(url: str, environment: Mapping[str, str]) -> str:
    """Return why the URL can't be asked for over the proxy that the user gave for it; "" if it can.

    The text has no address of a proxy, which may contain a password.
    """
    variable, proxy = _proxy_for(url, environment)
    problem = _problem(proxy) if proxy else ""
    return f"{variable} {problem}" if problem else ""


def client_options(url: str, environment: Mapping[str, str]) -> dict[str, Any]:
    """Return options of an httpx client for this URL only: with its proxy, and no other one's.

    The proxy must be one that `why_out_of_reach` has nothing against.
    """
    import httpx  # noqa: PLC0415 - few commands ask anybody

    # It would not look at SSL_CERT_FILE without trust_env.
    verify = httpx.create_ssl_context(trust_env=True)
    return {"trust_env": False, "verify": verify, "proxy": _proxy_for(url, environment)[1] or None}


def _proxy_for(url: str, environment: Mapping[str, str]) -> tuple[str, str]:
    """Return the variable that names the user's proxy for the URL, and the proxy; else "", ""."""
    if is_this_machine(url):
        return "", ""
    given = given_environment(environment)
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        return "", ""
    variables = _variables(given)
    exceptions = given.get(variables.get(_EXCEPT, ""), "")
    if proxy_bypass_environment(host, {"no": exceptions}):
        return "", ""
    for name in (f"{parts.scheme}_proxy", "all_proxy"):
        variable = variables.get(name, "")
        if proxy := given.get(variable, "").strip():
            return variable, proxy if "://" in proxy else f"http://{proxy}"
    return "", ""


def _problem(proxy: str) -> str:
    """Return why httpx can't use the proxy, in words that go behind the variable's name."""
    import httpx  # noqa: PLC0415 - where a proxy is named only: its import takes time

    try:
        url = proxy.strip() if "://" in proxy else f"http://{proxy.strip()}"
        parts = urlsplit(url)
        if not parts.hostname or parts.port == 0:  # a port above 65,535 is a ValueError
            return "is not the URL of a proxy, such as http://127.0.0.1:3128"
        httpx.HTTPTransport(
            proxy=httpx.Proxy(url), verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        ).close()
    except ImportError:
        return (
            "names a SOCKS proxy, which needs more packages: "
            ".venv/bin/pip install -c constraints.txt -e '.[socks]'"
        )
    except Exception:  # noqa: BLE001 - whatever it says may quote a password
        scheme = proxy.partition("://")[0].lower() if "://" in proxy else ""
        if scheme.isalnum() and scheme not in ("http", "https", "socks5", "socks5h"):
            return (
                f"names a proxy of type {scheme}; only http, https, socks5 and socks5h can be used"
            )
        return "is not the URL of a proxy, such as http://127.0.0.1:3128"
    return ""


def _is_host(entry: str) -> bool:
    """Return whether httpx can read the entry of NO_PROXY; an empty one is left out."""
    import httpx  # noqa: PLC0415 - as above

    if entry in ("", "*"):
        return bool(entry)
    pattern = entry if "://" in entry else f"all://*{entry}"
    with suppress(ValueError):
        version = ipaddress.ip_address(entry.split("/", maxsplit=1)[0]).version
        pattern = f"all://{entry}" if version == 4 else f"all://[{entry}]"  # noqa: PLR2004 - IPv4
    try:
        httpx.Client(
            transport=httpx.MockTransport(lambda _: httpx.Response(200)),
            mounts={pattern: None},
            trust_env=False,
        ).close()
    except Exception:  # noqa: BLE001 - it has no common class for these
        return False
    return True


def _variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Return which variable counts, by its name in small letters: that one, if it is set at all."""
    wanted = (*_NAMES, _EXCEPT)
    found = {name.lower(): name for name in environment if name.lower() in wanted}
    return {**found, **{name: name for name in wanted if name in environment}}


def _change(environment: MutableMapping[str, str], name: str, value: str) -> None:
    """Give the variable another value, "" for none, and note what it was unless that is noted."""
    environment.setdefault(_SET_ASIDE + name, environment.get(name, ""))
    if value:
        environment[name] = value
    else:
        environment.pop(name, None)
