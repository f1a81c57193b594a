"""A node on a desk, enrolled with an office's county and started with its site file; for tests."""

import pathlib
import shutil

from device.provisioning.verify import Addressee
from tests.support.county_folder import site_text
from tests.support.office import NODE, Office
from tools.county import pole

ILL_HOLD_S = pole.ILL_HOLD_S


class Pole(pole.Pole):
    """Enrolled when it is made."""

    def __init__(self, folder: pathlib.Path, office: Office, node: str = NODE.node, group: str = NODE.group) -> None:
        super().__init__(folder)
        whose = Addressee(NODE.county, group, node)
        self.enrol(whose, office.repository.files["1.root.json"], site_text(node))

    def keep(self) -> pathlib.Path:
        """A copy of all its files, for ``again``."""
        kept = self.folder.with_name(f"{self.folder.name}_kept")
        shutil.copytree(self.folder, kept)
        return kept

    def again(self, kept: pathlib.Path) -> None:
        """Everything as it was when it was kept, core running."""
        shutil.rmtree(self.folder)
        shutil.copytree(kept, self.folder)
        self.core.start()
