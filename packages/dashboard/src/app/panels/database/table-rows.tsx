import type { DatabaseTable, Row } from "@rivetkit/protocol/inspector/answers";
import { ChevronLeft, ChevronRight } from "lucide-react";
import { useInspected } from "../../api/queries.ts";
import { goTo } from "../../router/use-address.ts";
import { Button } from "../../ui/button.tsx";
import { type Column, DataGrid } from "../../ui/data-grid.tsx";
import { Failure, Loading } from "../../ui/notice.tsx";
import { InlineValue } from "../../value-view/scalar.tsx";

const PAGE = 100;

/** One table, page by page. Which page it is stands in the address. */
export function TableRows({
	actorId,
	table: { table, columns, records },
	options,
}: {
	actorId: string;
	table: DatabaseTable;
	options: Readonly<Record<string, string>>;
}) {
	const offset = Math.max(0, Math.trunc(Number(options.offset ?? 0)) || 0);
	const query = useInspected(
		actorId,
		["database", "rows", table.name, offset],
		(inspector, signal) => inspector.rows({ table: table.name, limit: PAGE, offset }, signal),
		{ pollMs: false },
	);
	const show = (next: number) =>
		goTo({
			page: "actor",
			actorId,
			tab: "database",
			options: { table: table.name, ...(next > 0 && { offset: String(next) }) },
		});
	const rows = query.data?.rows ?? [];
	const last = offset + rows.length;
	// Those of the page before stand there until this one's come.
	const isOther = query.isPlaceholderData;
	return (
		<>
			{query.isError && <Failure error={query.error} onRetry={() => void query.refetch()} />}
			{query.isPending && <Loading what="rows" />}
			{query.isSuccess && (
				<DataGrid
					label={`Rows of ${table.name}`}
					columns={columns.map(
						({ name, type, pk }): Column<Row> => ({
							name,
							note: pk > 0 ? `${type} key`.trim() : type,
							cell: (row) => <InlineValue value={row[name]} charsMax={80} />,
						}),
					)}
					rows={rows}
					keyOf={(_, index) => offset + index}
				/>
			)}
			<div className="pager">
				<Button
					icon={<ChevronLeft aria-hidden="true" />}
					disabled={offset === 0}
					onClick={() => show(Math.max(0, offset - PAGE))}
				>
					Before
				</Button>
				<span className="muted numeric" aria-live="polite">
					{isOther
						? `Loading rows from ${offset + 1} on`
						: rows.length === 0
							? "No rows"
							: `Rows ${offset + 1} to ${last}${records === null ? "" : ` of ${records.toLocaleString()}`}`}
				</span>
				<Button
					disabled={isOther || (records === null ? rows.length < PAGE : last >= records)}
					onClick={() => show(offset + PAGE)}
				>
					Next
					<ChevronRight aria-hidden="true" />
				</Button>
			</div>
		</>
	);
}
