"""Several vaults in one PostgreSQL database: each database role sees its own cells alone.

The server enforces it by row-level security on `current_user`, which a client cannot set: it is the
role that logged in, or one that this role was made a member of. The statements name the tenant too,
for superusers, whom row-level security does not hold.
"""

from __future__ import annotations

from mien.vault.backends.base import VaultTable

FROM_SCHEMA = 3
"""The first schema with tenants."""

OF_TENANT = " AND tenant = current_user"
"""Ends the condition of each statement on a table of cells."""


def _steps_of(table: str) -> tuple[str, ...]:
    return (
        f"ALTER TABLE {table} ADD COLUMN tenant name NOT NULL DEFAULT current_user",
        f"ALTER TABLE {table} DROP CONSTRAINT {table.partition('.')[2]}_pkey",
        f"ALTER TABLE {table} ADD PRIMARY KEY (tenant, key)",
        *policy_of(table),
    )


def policy_of(table: str) -> tuple[str, ...]:
    """The statements that let each role see and change its own rows of a table alone."""
    return (
        f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
        f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY",  # also for the owner of the table
        f"CREATE POLICY own_cells ON {table} USING (tenant = current_user)"
        " WITH CHECK (tenant = current_user)",
    )


MIGRATION = tuple(
    statement for section in VaultTable for statement in _steps_of(f"mien.cell_{section.value}")
)
"""What is in the tables then belongs to the role that migrates."""
