import type { DatabaseTable } from "@rivetkit/protocol/inspector/answers";
import { Database, RefreshCw } from "lucide-react";
import { useState } from "react";
import { useInspected, useRefreshActor } from "../../api/queries.ts";
import { useHref } from "../../router/use-address.ts";
import { Button } from "../../ui/button.tsx";
import { Empty, Failure, Loading } from "../../ui/notice.tsx";
import { Panel } from "../../ui/panel.tsx";
import type { PanelProps } from "../panel.types.ts";
import { QueryBox } from "./query-box.tsx";
import { TableRows } from "./table-rows.tsx";
import "./database.css";

/** The actor's SQLite database. Its routes wake the actor, so an actor that sleeps is asked for first. */
export function DatabasePanel({ actorId, life, options }: PanelProps) {
	const summary = useInspected(
		actorId,
		["summary"],
		(inspector, signal) => inspector.summary(signal),
		{
			pollMs: false,
		},
	);
	const refresh = useRefreshActor(actorId);
	const [mayWake, setMayWake] = useState(false);
	const isEnabled = summary.data?.isDatabaseEnabled === true;
	const mayAsk = mayWake || life.status === "awake";
	const schema = useInspected(
		actorId,
		["database", "schema"],
		(inspector, signal) => inspector.schema(signal),
		// Each look is a call that keeps the actor awake: no polling.
		{ pollMs: false, enabled: isEnabled && mayAsk },
	);
	if (summary.data === undefined) {
		return summary.isError ? <Failure error={summary.error} /> : <Loading what="the actor" />;
	}
	if (!isEnabled) {
		return (
			<Empty title="This actor has no database" icon={<Database />}>
				Give its definition <code>db: db()</code> of <code>rivetkit/db</code> to have one.
			</Empty>
		);
	}
	if (schema.data === undefined) {
		if (schema.isError)
			return <Failure error={schema.error} onRetry={() => void schema.refetch()} />;
		if (mayAsk) return <Loading what="the tables" />;
		return (
			<Empty title="The actor sleeps" icon={<Database />}>
				<p>SQL runs in the actor's own connection, so looking into its database wakes it.</p>
				<p className="database-wake">
					<Button kind="primary" onClick={() => setMayWake(true)}>
						Wake it and look
					</Button>
				</p>
			</Empty>
		);
	}
	const { tables } = schema.data.schema;
	const chosen = tables.find(({ table }) => table.name === options.table) ?? tables[0];
	return (
		<>
			<Panel
				title="Tables"
				note={`${tables.length}`}
				tools={
					<Button
						icon={<RefreshCw aria-hidden="true" />}
						disabled={schema.isFetching}
						onClick={() => {
							setMayWake(true);
							refresh();
						}}
					>
						Refresh
					</Button>
				}
			>
				{chosen === undefined ? (
					<Empty title="The database is empty">Tables appear here once they are created.</Empty>
				) : (
					<>
						<TableList actorId={actorId} tables={tables} chosen={chosen} />
						<TableRows key={chosen.table.name} actorId={actorId} table={chosen} options={options} />
					</>
				)}
			</Panel>
			<QueryBox actorId={actorId} onDone={refresh} />
		</>
	);
}

function TableList({
	actorId,
	tables,
	chosen,
}: {
	actorId: string;
	tables: readonly DatabaseTable[];
	chosen: DatabaseTable;
}) {
	const href = useHref();
	return (
		<nav className="table-list" aria-label="Tables">
			{tables.map(({ table: { name, type }, records, error }) => (
				<a
					key={name}
					className="table-link mono"
					href={href({ page: "actor", actorId, tab: "database", options: { table: name } })}
					aria-current={name === chosen.table.name ? "page" : undefined}
				>
					{name}
					<span className="muted">
						{error === undefined ? (records?.toLocaleString() ?? type) : `${type}, cannot be read`}
					</span>
				</a>
			))}
		</nav>
	);
}
