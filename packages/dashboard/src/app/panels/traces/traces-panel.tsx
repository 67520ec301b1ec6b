import { ChartNoAxesGantt } from "lucide-react";
import { useMemo, useState } from "react";
import { useInspected } from "../../api/queries.ts";
import { Badge } from "../../ui/badge.tsx";
import { Disclosure } from "../../ui/disclosure.tsx";
import { TextInput } from "../../ui/field.tsx";
import { Empty, Loading } from "../../ui/notice.tsx";
import { Panel } from "../../ui/panel.tsx";
import { Ago, duration, useNow } from "../../ui/time.tsx";
import { VirtualList } from "../../ui/virtual-list.tsx";
import { NotOffered } from "../not-offered.tsx";
import type { PanelProps } from "../panel.types.ts";
import { type Trace, tracesOf } from "./spans.ts";
import { CUT_OFF, Waterfall } from "./waterfall.tsx";
import "./traces.css";

const SPANS_MAX = 2_000;

/** What the actor did, as traces; each opens to a waterfall of its spans. */
export function TracesPanel({ actorId, options }: PanelProps) {
	const [search, setSearch] = useState(options.trace ?? "");
	const query = useInspected(
		actorId,
		["traces"],
		(inspector, signal) => inspector.traces(SPANS_MAX, signal),
		{ pollMs: 2_000 },
	);
	const { data } = query;
	const traces = useMemo(() => (data === undefined ? [] : tracesOf(data)), [data]);
	if (data === undefined) {
		return query.isError ? (
			<NotOffered what="traces" error={query.error} />
		) : (
			<Loading what="traces" />
		);
	}
	const found = traces.filter(
		({ id, rows }) => id === search || rows.some(({ span }) => span.name.includes(search)),
	);
	return (
		<Panel
			title="Traces"
			note={`${found.length}${data.clamped ? ", the latest" : ""}, newest first`}
			tools={
				<TextInput
					type="search"
					aria-label="Only traces with a span of this name, or with this id"
					placeholder="Span or trace id"
					value={search}
					onChange={({ target }) => setSearch(target.value)}
				/>
			}
		>
			{found.length === 0 ? (
				<Empty
					title={search === "" ? "No trace yet" : "No trace matches"}
					icon={<ChartNoAxesGantt />}
				>
					Calls, hooks, commits, SQL and queue work appear here as they end.
				</Empty>
			) : (
				<VirtualList items={found} label="Traces" keyOf={({ id }) => id} rowHeight={39}>
					{(trace) => <TraceRow trace={trace} />}
				</VirtualList>
			)}
		</Panel>
	);
}

/** How long it took, or takes so far. */
function TraceDuration({ trace: { startMs, endMs, end } }: { trace: Trace }) {
	switch (end) {
		case "known":
			return duration(endMs - startMs);
		case "open":
			return <DurationSoFar startMs={startMs} />;
		case "cut off":
			return <span title={CUT_OFF}>end unknown</span>;
	}
}

function DurationSoFar({ startMs }: { startMs: number }) {
	return duration(useNow() - startMs);
}

function TraceRow({ trace }: { trace: Trace }) {
	const { id, name, startMs, end, isFailed, rows } = trace;
	return (
		<Disclosure
			label={`trace ${name} ${id}`}
			summary={
				<>
					<code className="trace-name truncate">{name}</code>
					{isFailed && <Badge tone="bad">failed</Badge>}
					{end === "open" && <Badge tone="accent">open</Badge>}
					{end === "cut off" && <Badge tone="warn">cut off</Badge>}
					<span className="muted nowrap">
						{rows.length} {rows.length === 1 ? "span" : "spans"}
					</span>
					<span className="numeric nowrap trace-duration">
						<TraceDuration trace={trace} />
					</span>
					<span className="muted trace-age">
						<Ago ms={startMs} />
					</span>
				</>
			}
		>
			{() => <Waterfall trace={trace} />}
		</Disclosure>
	);
}
