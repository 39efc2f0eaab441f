"""Write a software bill of materials in CycloneDX JSON: L0, the files vendored in it, and what its extras install.

    python scripts/sbom.py ENVIRONMENT FILE

ENVIRONMENT is a virtual environment that has L0 with the extra `all` (`make package` prepares one); the components are
the distributions in it. cyclonedx-py lists them; this script adds the vendored files, which no distribution declares.
Each folder in a `vendor` folder has a README whose first line is '# name version'. Equal input gives equal bytes.
"""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
TITLE = re.compile(r"# (?P<name>\S+) (?P<version>\S+)")


def vendored() -> list[dict[str, Any]]:
    """Return a component for each vendored npm package, with its licence."""
    return [component(folder) for folder in sorted((ROOT / "src").rglob("vendor/*/"))]


def component(folder: Path) -> dict[str, Any]:
    """Return the component of one folder, named by the first line of its README."""
    title = TITLE.match((folder / "README.md").read_text(encoding="utf-8"))
    if title is None:
        raise ValueError(f"{folder}/README.md must begin with '# name version'")
    name, version = title["name"].lower(), title["version"]
    if not (folder / "LICENSE").read_text(encoding="utf-8").startswith("The MIT License (MIT)"):
        raise ValueError(f"{folder}/LICENSE: only the MIT licence is expected here and in pyproject.toml")
    purl = f"pkg:npm/{name}@{version}"
    return {
        "type": "library",
        "bom-ref": purl,
        "name": name,
        "version": version,
        "purl": purl,
        "licenses": [{"license": {"id": "MIT"}}],
        "properties": [{"name": "l0:vendored", "value": str(folder.relative_to(ROOT / "src"))}],
    }


def bill(environment: Path) -> dict[str, Any]:
    """Return the bill of materials of an environment, with the vendored components."""
    command = [sys.executable, "-m", "cyclonedx_py", "environment", "--output-reproducible", "--of", "JSON"]
    command += ["--pyproject", str(ROOT / "pyproject.toml"), "--mc-type", "library"]
    done = subprocess.run([*command, str(environment / "bin" / "python")], capture_output=True, check=True)
    materials: dict[str, Any] = json.loads(done.stdout)
    added = vendored()
    materials["components"] = [*materials.get("components", []), *added]
    root = materials["metadata"]["component"]["bom-ref"]
    own = next(entry for entry in materials["dependencies"] if entry["ref"] == root)
    own["dependsOn"] = sorted({*own.get("dependsOn", []), *(part["bom-ref"] for part in added)})
    materials["dependencies"] += [{"ref": part["bom-ref"]} for part in added]
    return materials


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(json.dumps(bill(Path(sys.argv[1])), indent=2) + "\n", encoding="utf-8")
