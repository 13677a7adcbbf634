"""``%%sql``: the cell's SQL on nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from IPython.core import magic_arguments
from IPython.core.magic import cell_magic, magics_class, no_var_expand
from IPython.display import display

from labhelpers.errors import CommandSucceeded
from labhelpers.magics.arguments import duration, interpolate, nodes_of, parse
from labhelpers.magics.base import WorkshopMagics
from labhelpers.magics.errors import StatementFailed

if TYPE_CHECKING:
    from labhelpers.magics.sql import NodeFrame


@magics_class
class SqlMagics(WorkshopMagics):
    """SQL on nodes."""

    @no_var_expand
    @magic_arguments.magic_arguments()
    @magic_arguments.argument("nodes", nargs="+", metavar="NODE", help="nodes, postgres, leader or replicas")
    @magic_arguments.argument("--user", default="app", help="the role that connects (default: app)")
    @magic_arguments.argument("--database", help="default: app, and postgres with --as-postgres")
    @magic_arguments.argument("--as-postgres", action="store_true", help="through psql on the node, as postgres")
    @magic_arguments.argument(
        "--timeout", type=duration, default=60.0, metavar="S", help="seconds that each node has (default: 60)"
    )
    @magic_arguments.argument("--expect-failure", action="store_true", help="the refusal is the lesson")
    @magic_arguments.argument("--into", metavar="NAME", help="also keep the DataFrame in this variable")
    @cell_magic
    def sql(self, line: str, cell: str) -> NodeFrame | None:
        """Execute the cell's SQL on nodes; the last result of each in one DataFrame with a column for the node."""
        # pandas is half of what loading the magics costs, and many chapters have no SQL.
        from labhelpers.magics.sql import ask_all_over_tcp, ask_through_psql, assemble

        args = parse(self.sql, line)
        lab = self.session.lab()
        names = nodes_of(lab, interpolate(args.nodes, self.names))
        if args.as_postgres:
            answers = ask_through_psql(lab, names, cell, database=args.database or "postgres", timeout=args.timeout)
        else:
            answers = ask_all_over_tcp(
                lab, names, cell, user=args.user, database=args.database or "app", timeout=args.timeout
            )
        frame = assemble(answers)
        reasons = {answer.node: answer.reason for answer in answers if answer.reason is not None}
        if args.into:
            self.names[args.into] = frame
        if args.expect_failure and len(reasons) < len(answers):
            raise CommandSucceeded([answer.node for answer in answers if answer.reason is None])
        if reasons and not args.expect_failure:
            if len(reasons) < len(answers):
                display(frame)
            raise StatementFailed(reasons)
        return frame
