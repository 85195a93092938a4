"""Install the locked packages with uv, under the index, certificate and proxy settings of pip and uv."""

import ast
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path

# What pip calls a setting, the variable that tells uv, and what separates several values there.
PIP_TO_UV = (
    ("index-url", "UV_DEFAULT_INDEX", None),
    ("extra-index-url", "UV_INDEX", " "),
    ("find-links", "UV_FIND_LINKS", ","),
    ("trusted-host", "UV_INSECURE_HOST", " "),
    ("no-index", "UV_NO_INDEX", None),
    ("proxy", "ALL_PROXY", None),
    ("cert", "SSL_CERT_FILE", None),
    ("client-cert", "SSL_CLIENT_CERT", None),
    ("default-timeout", "UV_HTTP_TIMEOUT", None),
    ("timeout", "UV_HTTP_TIMEOUT", None),
)
# The other names under which uv knows a setting.
ALIASES = {"UV_DEFAULT_INDEX": "UV_INDEX_URL", "UV_INDEX": "UV_EXTRA_INDEX_URL"}


def parse_pip_settings(listing: str) -> dict[str, str]:
    """Read the output of ``pip config list``; the environment comes before [install] before [global]."""
    by_section: dict[str, dict[str, str]] = {}
    for line in listing.splitlines():
        key, _, value = line.partition("=")
        section, _, name = key.rpartition(".")
        try:
            by_section.setdefault(section, {})[name] = str(ast.literal_eval(value))
        except (SyntaxError, ValueError):
            continue
    return {name: v for s in ("global", "install", ":env:") for name, v in by_section.get(s, {}).items()}


def pip_settings() -> dict[str, str]:
    """Return the settings that pip itself would use here."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    return parse_pip_settings(subprocess.run(command, capture_output=True, text=True, check=False).stdout)


def uv_configuration_files(env: Mapping[str, str]) -> list[Path]:
    """Return the uv.toml files that hold for this user, the strongest first."""
    if env.get("UV_CONFIG_FILE"):
        return [Path(env["UV_CONFIG_FILE"])]
    if env.get("UV_NO_CONFIG"):
        return []
    user = env.get("XDG_CONFIG_HOME") or f"{env.get('HOME', '')}/.config"
    folders = [user, *(env.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(":")]
    return [*(Path(folder, "uv/uv.toml") for folder in folders), Path("/etc/uv/uv.toml")]


def uv_indexes(files: Iterable[Path]) -> tuple[str | None, list[str]]:
    """Return uv's default index and its other ones, as its configuration files name them."""
    default: str | None = None
    others: list[str] = []
    for file in files:
        try:
            settings = tomllib.loads(file.read_text(encoding="utf-8"))
        except (OSError, tomllib.TOMLDecodeError):
            continue
        for table in (settings, settings.get("pip", {})):
            default = default or table.get("index-url")
            others += table.get("extra-index-url", [])
        for index in settings.get("index", []):
            if index.get("default"):
                default = default or index["url"]
            else:
                others.append(index["url"])
    return default, others


def installer_environment(
    env: Mapping[str, str], pip: Mapping[str, str], from_files: tuple[str | None, list[str]] = (None, [])
) -> dict[str, str]:
    """Return `env` with each tool's settings told to the other; what a tool was told itself wins."""
    result = dict(env)
    default, others = from_files
    if default:
        result.setdefault("PIP_INDEX_URL", pip.get("index-url") or default)
    if others:
        result.setdefault("PIP_EXTRA_INDEX_URL", pip.get("extra-index-url") or " ".join(others))
    in_file = {"index-url": bool(default), "extra-index-url": bool(others)}
    for name, variable, separator in PIP_TO_UV:
        value = pip.get(name)
        if not value or in_file.get(name) or env.get(variable) or env.get(ALIASES.get(variable, "")):
            continue
        result[variable] = separator.join(value.split()) if separator else value
    told = env.get("UV_DEFAULT_INDEX") or env.get("UV_INDEX_URL")
    if told and not pip.get("index-url"):
        result["PIP_INDEX_URL"] = told
    more = env.get("UV_INDEX") or env.get("UV_EXTRA_INDEX_URL")
    if more and not pip.get("extra-index-url"):
        # uv lets an index have a name, pip does not: name=https://...
        result["PIP_EXTRA_INDEX_URL"] = " ".join(re.sub(r"^[\w-]+=", "", url) for url in more.split())
    result.setdefault("UV_HTTP_TIMEOUT", "180")
    # The cache is reached through another mount than the environment: a hard link is refused there.
    result.setdefault("UV_LINK_MODE", "copy")
    return result


def install_import_order(folder: Path) -> None:
    """Put env/hdf5_order.py into the site-packages `folder`, to be imported when Python starts."""
    module = "dawndusk_hdf5_order"
    shutil.copy(Path(__file__).with_name("hdf5_order.py"), folder / f"{module}.py")
    (folder / f"{module}.pth").write_text(f"import {module}\n", encoding="utf-8")


def main(lock: str) -> int:
    """Install `lock` into the running interpreter's environment; return an exit status."""
    install_import_order(Path(sysconfig.get_path("purelib")))
    env = installer_environment(os.environ, pip_settings(), uv_indexes(uv_configuration_files(os.environ)))
    pip_install = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--quiet"]
    uv_install = [sys.executable, "-m", "uv", "pip", "install", "--python", sys.executable]
    if env.get("UV_NO_INDEX", "").lower() in {"1", "true", "yes", "on"}:
        uv_install.append("--no-index")
    # The hashes of the lock make it safe to take a version from whichever index has it.
    uv_install += ["--require-hashes", "--index-strategy", "unsafe-best-match", "--compile-bytecode"]
    print("installing uv", flush=True)
    if subprocess.run([*pip_install, "uv"], env=env, check=False).returncode == 0:
        print("installing the locked packages", flush=True)
        if subprocess.run([*uv_install, "-r", lock], env=env, check=False).returncode == 0:
            return 0
        print("uv could not; trying pip", flush=True)
    return subprocess.run([*pip_install, "--require-hashes", "-r", lock], env=env, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
