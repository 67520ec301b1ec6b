import { useState } from "react";
import { Failure } from "../../ui/notice.tsx";
import { duration, useNow } from "../../ui/time.tsx";
import { ValueTree } from "../../value-view/value-tree.tsx";
import type { Span, SpanRow, Trace } from "./spans.ts";

/** Why a span has no end, and will have none. */
export const CUT_OFF = "Its process ended before it did: when it would have ended is not known.";

/** Percent below which a bar could not be seen. */
const WIDTH_MIN = 0.5;

/** Spans below their parents, each a bar from when it began to when it ended. */
export function Waterfall({ trace }: { trace: Trace }) {
	const [chosen, setChosen] = useState<string | null>(null);
	const now = useNow();
	/** What is open goes on up to now. */
	const endMs = trace.end === "open" ? Math.max(trace.endMs, now) : trace.endMs;
	return (
		<ul className="waterfall" aria-label={`Spans of ${trace.name}`}>
			{trace.rows.map((row) => (
				<li key={row.span.id}>
					<button
						type="button"
						className="waterfall-row"
						aria-expanded={chosen === row.span.id}
						onClick={() => setChosen(chosen === row.span.id ? null : row.span.id)}
					>
						<Bar row={row} startMs={trace.startMs} endMs={endMs} />
					</button>
					{chosen === row.span.id && <SpanDetails span={row.span} startMs={trace.startMs} />}
				</li>
			))}
		</ul>
	);
}

/** Between the times that the whole waterfall begins and ends at. */
function Bar({
	row: { span, depth },
	startMs,
	endMs,
}: {
	row: SpanRow;
	startMs: number;
	endMs: number;
}) {
	const wholeMs = Math.max(endMs - startMs, 0.001);
	const left = ((span.startMs - startMs) / wholeMs) * 100;
	const width = (((span.endMs ?? endMs) - span.startMs) / wholeMs) * 100;
	return (
		<>
			<code className="waterfall-name truncate" style={{ paddingLeft: depth * 14 }}>
				{span.name}
			</code>
			<span className="waterfall-track">
				<span
					className={`waterfall-bar${span.isFailed ? " is-failed" : ""}${span.endMs === null ? " is-open" : ""}`}
					style={{
						left: `${Math.min(left, 100 - WIDTH_MIN)}%`,
						width: `${Math.max(width, WIDTH_MIN)}%`,
					}}
				/>
			</span>
			<span className="waterfall-time numeric">{timeText(span)}</span>
		</>
	);
}

function timeText({ startMs, endMs, isCutOff }: Span): string {
	if (endMs !== null) return duration(endMs - startMs);
	return isCutOff ? "cut off" : "open";
}

function SpanDetails({ span, startMs }: { span: Span; startMs: number }) {
	return (
		<div className="waterfall-details">
			{span.isFailed && <Failure error={new Error(span.message ?? "It failed")} />}
			{span.isCutOff && <p className="waterfall-note">{CUT_OFF}</p>}
			<ValueTree
				label={`Details of ${span.name}`}
				value={{
					...span.attributes,
					...(span.events.length > 0 && {
						events: span.events.map(({ name, atMs, attributes }) => ({
							name,
							after: duration(Math.max(0, atMs - startMs)),
							...attributes,
						})),
					}),
				}}
			/>
		</div>
	);
}
