import type { DatabaseTable, Row } from "@rivetkit/protocol/inspector/answers";
import { ChevronLeft, ChevronRight } from "lucide-react";
import { useInspected } from "../../api/queries.ts";
import { goTo } from "../../router/use-address.ts";
import { Button } from "../../ui/button.tsx";
import { type Column, DataGrid } from "../../ui/data-grid.tsx";
import { Failure, Loading } from "../../ui/notice.tsx";
import { InlineValue } from "../../value-view/scalar.tsx";
import { WakeFirst } from "./wake-first.tsx";

const PAGE = 100;

/** One table, page by page. Which page it is stands in the address. */
export function TableRows({
	actorId,
	table: { table, columns, records },
	options,
	mayAsk,
	onWake,
}: {
	actorId: string;
	table: DatabaseTable;
	options: Readonly<Record<string, string>>;
	/** Whether the actor may be asked for rows that are not known: it is awake, or somebody wants it to be. */
	mayAsk: boolean;
	/** Somebody wants it to be. */
	onWake: () => void;
}) {
	const offset = Math.max(0, Math.trunc(Number(options.offset ?? 0)) || 0);
	const query = useInspected(
		actorId,
		["database", "rows", table.name, offset],
		(inspector, signal) => inspector.rows({ table: table.name, limit: PAGE, offset }, signal),
		{ pollMs: false, againOnReturn: false, enabled: mayAsk },
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
	const isUnread = !mayAsk && !query.isFetching && (isOther || query.isPending);
	const pagerText = () => {
		if (isUnread || query.isError) return `Rows from ${offset + 1} on`;
		if (isOther || query.isPending) return `Loading rows from ${offset + 1} on`;
		if (rows.length === 0) return "No rows";
		return `Rows ${offset + 1} to ${last}${records === null ? "" : ` of ${records.toLocaleString()}`}`;
	};
	return (
		<>
			{query.isError && <Failure error={query.error} onRetry={() => void query.refetch()} />}
			{isUnread && <WakeFirst onWake={onWake} />}
			{!isUnread && query.isPending && <Loading what="rows" />}
			{!isUnread && query.isSuccess && (
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
					{pagerText()}
				</span>
				<Button
					disabled={
						isOther || isUnread || (records === null ? rows.length < PAGE : last >= records)
					}
					onClick={() => show(offset + PAGE)}
				>
					Next
					<ChevronRight aria-hidden="true" />
				</Button>
			</div>
		</>
	);
}
