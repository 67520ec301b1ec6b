import type { Row } from "@rivetkit/protocol/inspector/answers";
import { Play } from "lucide-react";
import type { FormEvent } from "react";
import { useInspector } from "../../api/context.tsx";
import { Button } from "../../ui/button.tsx";
import { DataGrid } from "../../ui/data-grid.tsx";
import { CodeInput, Field } from "../../ui/field.tsx";
import { Failure } from "../../ui/notice.tsx";
import { Panel } from "../../ui/panel.tsx";
import { duration } from "../../ui/time.tsx";
import { problemIn } from "../../value-view/problem-in.ts";
import { InlineValue } from "../../value-view/scalar.tsx";
import { parseList } from "../../values/parse.ts";
import { KeptByActor } from "../kept-by-actor.ts";
import { useKept } from "../use-kept.ts";

const SHOWN_ROWS_MAX = 500;

type Outcome =
	| { readonly ok: true; readonly rows: readonly Row[]; readonly tookMs: number }
	| { readonly ok: false; readonly error: unknown };

/** What is typed, and how the last run has ended. */
interface Query {
	readonly sql: string;
	/** The parameters. */
	readonly text: string;
	readonly isRunning: boolean;
	readonly outcome: Outcome | null;
}

/** A result can be large. */
const ACTORS_KEPT_MAX = 5;

const queries = new KeptByActor<Query>({
	none: { sql: "", text: "", isRunning: false, outcome: null },
	actorsMax: ACTORS_KEPT_MAX,
	isBusy: ({ isRunning }) => isRunning,
});

/** Runs SQL in the actor's database; writes are kept. Who looks at other pages meanwhile sees how it ended, too. */
export function QueryBox({ actorId, onDone }: { actorId: string; onDone: () => void }) {
	const inspector = useInspector(actorId);
	const [{ sql, text, outcome, isRunning }, kept] = useKept(queries, actorId);
	const put = (part: Partial<Query>) => kept.change((now) => ({ ...now, ...part }));
	const problem = problemIn(text, parseList);
	const run = async () => {
		if (problem !== null || sql.trim() === "" || isRunning) return;
		put({ isRunning: true });
		const startMs = performance.now();
		try {
			const { rows } = await inspector.execute(sql, parseList(text));
			put({ isRunning: false, outcome: { ok: true, rows, tookMs: performance.now() - startMs } });
		} catch (error) {
			put({ isRunning: false, outcome: { ok: false, error } });
		}
		onDone();
	};
	const submit = (event: FormEvent) => {
		event.preventDefault();
		void run();
	};
	return (
		<Panel title="Query" note="what it writes stays written">
			<form className="query-form" onSubmit={submit}>
				<Field label="SQL" hint="Ctrl+Enter runs it">
					{(wiring) => (
						<CodeInput
							{...wiring}
							rows={4}
							placeholder="SELECT count(*) FROM …"
							value={sql}
							onChange={({ target }) => put({ sql: target.value })}
							onSubmitKey={() => void run()}
						/>
					)}
				</Field>
				<Field label="Parameters" hint="Values for ?, separated by commas" problem={problem}>
					{(wiring) => (
						<CodeInput
							{...wiring}
							rows={1}
							value={text}
							onChange={({ target }) => put({ text: target.value })}
							onSubmitKey={() => void run()}
						/>
					)}
				</Field>
				<div>
					<Button
						type="submit"
						kind="primary"
						icon={<Play aria-hidden="true" />}
						disabled={problem !== null || sql.trim() === "" || isRunning}
					>
						{isRunning ? "Running…" : "Run"}
					</Button>
				</div>
			</form>
			{outcome !== null && <Result outcome={outcome} />}
		</Panel>
	);
}

function Result({ outcome }: { outcome: Outcome }) {
	if (!outcome.ok) return <Failure error={outcome.error} />;
	const { rows, tookMs } = outcome;
	const shown = rows.slice(0, SHOWN_ROWS_MAX);
	// Those of several statements have columns of their own.
	const names = [...new Set(shown.flatMap((row) => Object.keys(row)))];
	return (
		<>
			<p className="query-note muted" role="status">
				{countOf(rows)} in {duration(tookMs)}
				{rows.length > SHOWN_ROWS_MAX && `; the first ${SHOWN_ROWS_MAX} are shown`}
			</p>
			{rows.length > 0 && (
				<DataGrid
					label="Result"
					columns={names.map((name) => ({
						name,
						cell: (row: Row) =>
							Object.hasOwn(row, name) && <InlineValue value={row[name]} charsMax={80} />,
					}))}
					rows={shown}
					keyOf={(_, index) => index}
				/>
			)}
		</>
	);
}

/** Nothing is said about what was written: the server tells rows only. */
function countOf({ length }: readonly Row[]): string {
	if (length === 0) return "Done, no row came back,";
	return length === 1 ? "1 row" : `${length.toLocaleString()} rows`;
}
