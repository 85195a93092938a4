"""Settings of pip and uv, translated for each other before the packages are installed."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SPEC = importlib.util.spec_from_file_location("env_install", ROOT / "env/install.py")
assert SPEC is not None and SPEC.loader is not None
install = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(install)

MIRROR = "https://mirror.example/simple"


def test_pip_settings_environment_beats_install_section_beats_global() -> None:
    listing = (
        ":env:.find-links='/from/environment'\n"
        "global.find-links='/from/global'\n"
        "global.index-url='https://global.example/simple'\n"
        "install.index-url='https://install.example/simple'\n"
        "global.trusted-host='a.example\\nb.example'\n"
    )
    assert install.parse_pip_settings(listing) == {
        "find-links": "/from/environment",
        "index-url": "https://install.example/simple",
        "trusted-host": "a.example\nb.example",
    }


def test_values_with_dots_equals_signs_and_quotes_survive() -> None:
    listing = (
        "global.index-url='https://user:a=b@host.example/simple?x=1'\nglobal.proxy=\"http://it's.example\"\n"
    )
    settings = install.parse_pip_settings(listing)
    assert settings["index-url"] == "https://user:a=b@host.example/simple?x=1"
    assert settings["proxy"] == "http://it's.example"


def test_lines_that_are_no_settings_are_passed_over() -> None:
    assert install.parse_pip_settings("WARNING: something\n\n=\n") == {}


def test_pip_itself_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", MIRROR)
    assert install.pip_settings()["index-url"] == MIRROR


def test_pip_settings_reach_uv() -> None:
    pip = {
        "index-url": MIRROR,
        "extra-index-url": "https://one.example\nfile:///two",
        "find-links": "/a /b",
        "trusted-host": "a.example\nb.example",
        "proxy": "http://proxy.example:3128",
        "cert": "/certificates.pem",
        "client-cert": "/client.pem",
        "no-index": "true",
        "timeout": "300",
    }
    assert install.installer_environment({}, pip) == {
        "UV_DEFAULT_INDEX": MIRROR,
        "UV_INDEX": "https://one.example file:///two",
        "UV_FIND_LINKS": "/a,/b",
        "UV_INSECURE_HOST": "a.example b.example",
        "ALL_PROXY": "http://proxy.example:3128",
        "SSL_CERT_FILE": "/certificates.pem",
        "SSL_CLIENT_CERT": "/client.pem",
        "UV_NO_INDEX": "true",
        "UV_HTTP_TIMEOUT": "300",
        "UV_LINK_MODE": "copy",
    }


@pytest.mark.parametrize("variable", ["UV_DEFAULT_INDEX", "UV_INDEX_URL"])
def test_uv_keeps_what_it_was_told(variable: str) -> None:
    env = {variable: "https://uv.example", "SSL_CERT_FILE": "/host.pem"}
    result = install.installer_environment(env, {"index-url": MIRROR, "cert": "/pip.pem"})
    assert {k: v for k, v in result.items() if "INDEX" in k} == {variable: "https://uv.example"}
    assert result["SSL_CERT_FILE"] == "/host.pem"


def test_pip_learns_where_uv_looks_because_it_fetches_uv() -> None:
    env = {
        "UV_DEFAULT_INDEX": MIRROR,
        "UV_INDEX": "house=https://house.example/a=b https://other.example/x=1",
    }
    result = install.installer_environment(env, {})
    assert result["PIP_INDEX_URL"] == MIRROR
    assert result["PIP_EXTRA_INDEX_URL"] == "https://house.example/a=b https://other.example/x=1"
    assert "PIP_INDEX_URL" not in install.installer_environment(env, {"index-url": "https://pip.example"})


def test_uv_configuration_files_reach_pip_and_are_not_overridden(tmp_path: Path) -> None:
    file = tmp_path / "uv/uv.toml"
    file.parent.mkdir()
    file.write_text(
        f'[[index]]\nurl = "{MIRROR}"\ndefault = true\n\n[[index]]\nname = "house"\nurl = "https://house.example"\n'
    )
    files = install.uv_configuration_files({"XDG_CONFIG_HOME": str(tmp_path), "XDG_CONFIG_DIRS": "/nowhere"})
    assert files[0] == file
    indexes = install.uv_indexes([file])
    assert indexes == (MIRROR, ["https://house.example"])
    result = install.installer_environment({}, {}, indexes)
    assert result["PIP_INDEX_URL"] == MIRROR
    assert result["PIP_EXTRA_INDEX_URL"] == "https://house.example"
    # pip's own index is for pip: uv reads its file.
    result = install.installer_environment({}, {"index-url": "https://pip.example"}, indexes)
    assert "UV_DEFAULT_INDEX" not in result
    assert result["PIP_INDEX_URL"] == "https://pip.example"


def test_the_first_uv_configuration_names_the_default_index(tmp_path: Path) -> None:
    user, system, broken = tmp_path / "user.toml", tmp_path / "system.toml", tmp_path / "broken.toml"
    user.write_text('[pip]\nindex-url = "https://user.example"\n')
    system.write_text('index-url = "https://system.example"\n')
    broken.write_text("[[[")
    assert install.uv_indexes([tmp_path / "absent.toml", broken, user, system])[0] == "https://user.example"


def test_uv_configuration_can_be_named_or_switched_off() -> None:
    assert install.uv_configuration_files({"UV_CONFIG_FILE": "/my.toml"}) == [Path("/my.toml")]
    assert install.uv_configuration_files({"UV_NO_CONFIG": "1"}) == []


def test_nothing_is_invented() -> None:
    assert install.installer_environment({"HOME": "/h"}, {}) == {
        "HOME": "/h",
        "UV_HTTP_TIMEOUT": "180",
        "UV_LINK_MODE": "copy",
    }


def in_fresh_python(code: str, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    start = f"import sys; sys.path.insert(0, {str(path)!r}); import dawndusk_hdf5_order\n" if path else ""
    command = [sys.executable, "-c", start + code]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("h5py", ["print('h5py')", "raise ImportError", None])
def test_h5py_comes_before_dolfinx_when_it_is_there(tmp_path: Path, h5py: str | None) -> None:
    install.install_import_order(tmp_path)
    assert (tmp_path / "dawndusk_hdf5_order.pth").read_text() == "import dawndusk_hdf5_order\n"
    (tmp_path / "dolfinx.py").write_text("print('dolfinx')\n")
    if h5py:
        (tmp_path / "h5py.py").write_text(h5py + "\n")
        expected = ["h5py", "dolfinx"] if "print" in h5py else ["dolfinx"]
    else:
        expected = ["dolfinx"]
    hide = "" if h5py else "sys.modules['h5py'] = None\n"
    result = in_fresh_python(hide + "import dolfinx\nimport dolfinx", tmp_path)
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == expected


def test_dolfinx_and_h5py_live_in_one_process() -> None:
    """In this environment, the order that used to fail."""
    pytest.importorskip("dolfinx", reason="no dolfinx here")
    pytest.importorskip("h5py", reason="no h5py here")
    result = in_fresh_python("import dolfinx, h5py; print(h5py.h5t.NATIVE_DOUBLE.get_size())")
    assert (result.returncode, result.stdout.split()) == (0, ["8"]), result.stderr
