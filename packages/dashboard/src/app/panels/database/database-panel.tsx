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
import { WakeFirst } from "./wake-first.tsx";
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
	/** The incarnation after which there may be one for the page: said once, it is meant once. */
	const [wakeAfter, setWakeAfter] = useState<number | null>(null);
	const isEnabled = summary.data?.isDatabaseEnabled === true;
	const isUp = life.status === "awake" || life.status === "starting";
	const wake = () => {
		if (!isUp) setWakeAfter(life.generation);
	};
	const mayAsk = isUp || wakeAfter === life.generation;
	const schema = useInspected(
		actorId,
		["database", "schema"],
		(inspector, signal) => inspector.schema(signal),
		// Each look is a call that keeps the actor awake: no polling. Who comes back may not know yet that it sleeps.
		{ pollMs: false, againOnReturn: false, enabled: isEnabled && mayAsk },
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
		if (mayAsk || schema.isFetching) return <Loading what="the tables" />;
		return <WakeFirst onWake={wake} />;
	}
	const { tables } = schema.data.schema;
	const chosen = tables.find(({ table }) => table.name === options.table) ?? tables[0];
	return (
		<>
			<Panel
				title="Tables"
				note={mayAsk ? `${tables.length}` : `${tables.length}, as last read`}
				tools={
					<Button
						icon={<RefreshCw aria-hidden="true" />}
						disabled={schema.isFetching}
						onClick={() => {
							wake();
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
						<TableRows
							key={chosen.table.name}
							actorId={actorId}
							table={chosen}
							options={options}
							mayAsk={mayAsk}
							onWake={wake}
						/>
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
