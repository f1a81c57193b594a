"""What stands in a repository, as plain values: versions, terms, and which keys are asked for."""

from typing import Any

from tuf.api.metadata import Root, Signed, Targets

from device.provisioning.trusted import time_text
from device.provisioning.verify import role_of
from tools.county.trust.repository import Repository


def account(repository: Repository) -> dict[str, Any]:
    """``{"county", "issued", "roles": [{"role", "version", "expires", "threshold", "keys"}]}``; a group by its name."""
    root, targets = repository.root, repository.targets
    rows: list[tuple[str, Root | Targets, Signed]] = [
        ("root", root, root),
        ("targets", root, targets),
        ("snapshot", root, repository.snapshot),
        ("timestamp", root, repository.timestamp),
        *((role_of(group), targets, repository.role(group)) for group in repository.groups),
    ]
    roles = []
    for role, holder, signed in rows:
        held = holder.get_delegated_role(role)
        roles.append(
            {
                "role": role.removeprefix(role_of("")),
                "version": signed.version,
                "expires": time_text(signed.expires),
                "threshold": held.threshold,
                "keys": held.keyids,
            }
        )
    return {"county": repository.county, "issued": repository.timestamp.unrecognized_fields["issued"], "roles": roles}
