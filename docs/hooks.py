"""What MkDocs needs beyond the pages in this folder.

README and its neighbours become pages of the site, and so does the notebook, with its outputs. Links are those of the checkout: one to a file that
the site doesn't have becomes plain text, one to a file that isn't there stops the build. So does a name of the Python reference without a docstring.
"""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import griffe
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File

ROOT = Path(__file__).resolve().parent.parent
ROOT_PAGES = {"README.md": "index.md", "CHANGELOG.md": "changelog.md", "CONTRIBUTING.md": "contributing.md", "SECURITY.md": "security.md"}
FENCED = re.compile(r"(^```.*?^```$)", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s#]+)(#[^)]*)?\)")


def on_files(files, config):
    for name, page in ROOT_PAGES.items():
        files.append(File.generated(config, page, content=(ROOT / name).read_text(encoding="utf-8")))
    files.append(File.generated(config, "tour.md", content=notebook_page(ROOT / "docs" / "tour.ipynb")))
    return files


def notebook_page(path):
    """A Jupyter notebook as Markdown: text, code, and what the code printed and drew."""
    parts = []
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        source = "".join(cell["source"])
        parts.append(source if cell["cell_type"] == "markdown" else f"```python\n{source}\n```")
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if "image/png" in data:
                parts.append(f'<img alt="what the code above draws" src="data:image/png;base64,{"".join(data["image/png"]).strip()}">')
            elif text := "".join(output.get("text", data.get("text/plain", ""))).rstrip():
                parts.append(f"```text\n{text}\n```")
    return "\n\n".join(parts)


def on_page_markdown(markdown, page, config, files):
    names = {site: name for name, site in ROOT_PAGES.items()}
    origin = ROOT / names.get(page.file.src_uri, f"docs/{page.file.src_uri}")

    def site_link(match):
        image, text, target, anchor = match.groups()
        if "://" in target or target.startswith("mailto:"):
            return match[0]
        path = (origin.parent / target).resolve()
        if not path.exists():
            raise PluginError(f"{origin}: broken link to {target}")
        name = path.relative_to(ROOT).as_posix()
        if name in ROOT_PAGES:
            return f"[{text}]({ROOT_PAGES[name]}{anchor or ''})"
        if name == "docs/tour.ipynb":
            return f"[{text}](tour.md)"
        on_site = name.startswith("docs/") and not name.endswith(".py")
        return f"{image}[{text}]({name.removeprefix('docs/')}{anchor or ''})" if on_site else text

    return "".join(part if part.startswith("```") else LINK.sub(site_link, part) for part in FENCED.split(markdown))


def on_pre_build(config):
    """PluginError for a public name that the reference lacks, or that has no docstring."""
    reference = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    named = re.findall(r"^::: (\S+)$", reference, re.MULTILINE)
    for node in ast.parse((ROOT / "translate" / "__init__.py").read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__":
            for name in ast.literal_eval(node.value):
                if not name.startswith("__") and not any(full.endswith(f".{name}") for full in named):
                    raise PluginError(f"docs/api.md lacks translate.{name}")
    package = griffe.load("translate", search_paths=[str(ROOT)])
    for full in named:
        thing = package[full.removeprefix("translate.")]
        parts = [thing, *(member for name, member in thing.members.items() if not name.startswith("_") and not member.is_attribute)]
        for part in parts:
            if not part.docstring and not part.is_alias:
                raise PluginError(f"{part.path} has no docstring")
