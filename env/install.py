"""Install the locked packages with uv, under the index, certificate and proxy settings of pip and uv alike."""

import os
import subprocess
import sys


def pip_settings() -> dict[str, str]:
    """Return pip's effective settings, e.g. ``{"index-url": ...}``; environment beats file."""
    shown = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False
    )
    settings: dict[str, str] = {}
    for line in shown.stdout.splitlines():
        key, _, value = line.partition("=")
        section, _, name = key.partition(".")
        if section.strip(":") in {"global", "install", "env"} or section == ":env:":
            settings[name.lstrip(".")] = value.strip().strip("'\"").replace("\\n", " ")
    return settings


def main(lock: str) -> int:
    """Install `lock` into the running interpreter's environment; return an exit status."""
    env = dict(os.environ)
    pip = pip_settings()
    # uv's own settings win; where there are none, pip's say where packages come from.
    if "UV_INDEX_URL" not in env and "UV_DEFAULT_INDEX" not in env and pip.get("index-url"):
        env["UV_DEFAULT_INDEX"] = pip["index-url"]
    if "UV_INDEX" not in env and "UV_EXTRA_INDEX_URL" not in env and pip.get("extra-index-url"):
        env["UV_INDEX"] = " ".join(pip["extra-index-url"].split())
    if "UV_FIND_LINKS" not in env and pip.get("find-links"):
        env["UV_FIND_LINKS"] = ",".join(pip["find-links"].split())
    if "UV_INSECURE_HOST" not in env and pip.get("trusted-host"):
        env["UV_INSECURE_HOST"] = pip["trusted-host"]
    if pip.get("proxy"):
        env.setdefault("ALL_PROXY", pip["proxy"])
    if pip.get("cert"):
        env.setdefault("SSL_CERT_FILE", pip["cert"])
    default_index = env.get("UV_DEFAULT_INDEX") or env.get("UV_INDEX_URL")
    if default_index and not pip.get("index-url"):
        env["PIP_INDEX_URL"] = default_index
    env["UV_HTTP_TIMEOUT"] = env.get("UV_HTTP_TIMEOUT", "180")

    pip_install = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--quiet"]
    uv_install = [sys.executable, "-m", "uv", "pip", "install", "--python", sys.executable]
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
