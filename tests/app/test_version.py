import platform
import re
from importlib import metadata

from app.version import code_version, package_versions


def test_the_code_version_is_the_distributions_with_the_commit_of_a_checkout() -> None:
    version = metadata.version("himed")
    assert re.fullmatch(re.escape(version) + r"(\+g[0-9a-f]{7,40}(\.dirty)?)?", code_version())


def test_package_versions_name_what_is_installed_and_nothing_else() -> None:
    versions = package_versions()
    assert versions["python"] == platform.python_version()
    assert versions["numpy"] == metadata.version("numpy")
    assert "no-such-package" not in versions
