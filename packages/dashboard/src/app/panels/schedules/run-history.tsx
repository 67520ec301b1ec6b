import type { Fire } from "@rivetkit/protocol/inspector/answers";
import { useInspected } from "../../api/queries.ts";
import { Badge, type Tone } from "../../ui/badge.tsx";
import { type Column, DataGrid } from "../../ui/data-grid.tsx";
import { Failure, Loading } from "../../ui/notice.tsx";
import { Panel } from "../../ui/panel.tsx";
import { Ago, duration } from "../../ui/time.tsx";

const TONES: Readonly<Record<string, Tone>> = {
	ok: "good",
	error: "bad",
	running: "accent",
	skipped: "idle",
};

const COLUMNS: readonly Column<Fire>[] = [
	{
		name: "Result",
		cell: ({ result }) => <Badge tone={TONES[result] ?? "idle"}>{result}</Badge>,
	},
	{ name: "Action", cell: ({ action }) => <code>{action}</code> },
	{ name: "Due", cell: ({ scheduledAt }) => <Ago ms={scheduledAt} /> },
	{ name: "Late by", cell: ({ scheduledAt, firedAt }) => duration(firedAt - scheduledAt) },
	{
		name: "Took",
		cell: ({ firedAt, finishedAt }) =>
			finishedAt === undefined ? "not over" : duration(finishedAt - firedAt),
	},
	{ name: "Tries", cell: ({ attempts }) => attempts },
	{
		name: "Error",
		cell: ({ error }) => error && <span title={error.message}>{error.message}</span>,
	},
];

/** What became of the runs of a job, newest first. */
export function RunHistory({ actorId, scheduleId }: { actorId: string; scheduleId: string }) {
	const query = useInspected(actorId, ["schedules", scheduleId], (inspector, signal) =>
		inspector.scheduleHistory(scheduleId, signal),
	);
	if (query.data === undefined) {
		return query.isError ? <Failure error={query.error} /> : <Loading what="the runs" />;
	}
	const { history } = query.data;
	if (history.length === 0) return <p className="muted">It has not run yet.</p>;
	return (
		<DataGrid
			label="Runs"
			columns={COLUMNS}
			rows={history}
			keyOf={({ scheduledAt, firedAt }) => `${scheduledAt} ${firedAt}`}
		/>
	);
}

/** Calls that failed as often as they were to be tried. */
export function FailedCalls({ actorId }: { actorId: string }) {
	const query = useInspected(
		actorId,
		["schedules", "failures"],
		(inspector, signal) => inspector.scheduleFailures(signal),
		{ pollMs: 5_000 },
	);
	const failures = query.data?.failures ?? [];
	if (failures.length === 0 && !query.isError) return null;
	return (
		<Panel title="Calls that were given up" note={query.data && `${failures.length}`}>
			{query.isError && <Failure error={query.error} />}
			{failures.length > 0 && (
				<DataGrid
					label="Calls that were given up"
					columns={COLUMNS}
					rows={failures}
					keyOf={({ id }) => id}
				/>
			)}
		</Panel>
	);
}
