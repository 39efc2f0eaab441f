"""The pages of the project are complete, and their links lead somewhere."""

import re
import runpy
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = ["llms.txt", *sorted(str(file.relative_to(ROOT)) for file in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")))]
LINK = re.compile(r"\]\((?!https?://|#)([^)#]+)(?:#[^)]*)?\)")


@pytest.mark.parametrize("page", PAGES)
def test_links_of_the_page_lead_to_files(page: str) -> None:
    file = ROOT / page
    links = LINK.findall(file.read_text(encoding="utf-8"))
    assert [link for link in links if not (file.parent / link).exists()] == []


def test_llms_txt_has_every_page() -> None:
    listed = set(LINK.findall((ROOT / "llms.txt").read_text(encoding="utf-8")))
    pages = {str(file.relative_to(ROOT)) for folder in (ROOT, ROOT / "docs") for file in folder.glob("*.md")}
    assert listed == pages - {"CODE_OF_CONDUCT.md"}, "add a line for each new page to llms.txt"


def test_changelog_has_the_version_of_the_project() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    page = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## \[(.+?)\]", page, re.MULTILINE)
    assert version in headings or (headings[0] == "Unreleased" and f"This will be {version}" in page)


def test_changelog_has_only_the_kinds_of_changes_of_keep_a_changelog() -> None:
    kinds = set(re.findall(r"^### (.+)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE))
    assert kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_sbom_has_the_vendored_files() -> None:
    """The other components come from cyclonedx-py, which `make package` runs."""
    (charts,) = runpy.run_path(str(ROOT / "scripts" / "sbom.py"))["vendored"]()
    (folder,) = (ROOT / "src" / "l0").rglob("vendor/*/")
    title = (folder / "README.md").read_text(encoding="utf-8").splitlines()[0]
    assert (charts["purl"], charts["licenses"]) == ("pkg:npm/uplot@1.6.32", [{"license": {"id": "MIT"}}])
    assert title.lower() == f"# {charts['name']} {charts['version']}"
    assert folder == ROOT / "src" / charts["properties"][0]["value"]


def test_site_has_every_page() -> None:
    site = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    listed = re.findall(r": (\w+\.md)$", site, re.MULTILINE)
    assert sorted(listed) == sorted(file.name for file in (ROOT / "docs").glob("*.md"))


def test_page_of_the_site_that_loads_from_another_host_is_refused() -> None:
    check = runpy.run_path(str(ROOT / "scripts" / "site_hooks.py"))["on_post_page"]
    page = '<script src="assets/bundle.js"></script><a href="https://example.com">elsewhere</a>'
    assert check(page) == page
    with pytest.raises(ValueError, match=r"loads https://example\.com/shim"):
        check(f'{page}<script src="https://example.com/shim"></script>')
