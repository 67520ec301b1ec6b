import type { DeclarationsAnswer } from "@rivetkit/protocol/inspector/answers";
import { Play } from "lucide-react";
import { useState } from "react";
import { useInspector } from "../../api/context.tsx";
import { ApiError } from "../../api/errors.ts";
import { useDeclarations, useRefreshActor } from "../../api/queries.ts";
import type { Route } from "../../router/route.ts";
import { useHref } from "../../router/use-address.ts";
import { Badge, type Tone } from "../../ui/badge.tsx";
import { Button } from "../../ui/button.tsx";
import { Field } from "../../ui/field.tsx";
import { Empty, Failure, Loading } from "../../ui/notice.tsx";
import { Panel } from "../../ui/panel.tsx";
import { Ago, duration } from "../../ui/time.tsx";
import { InlineValue } from "../../value-view/scalar.tsx";
import { ValueTree } from "../../value-view/value-tree.tsx";
import { parseList } from "../../values/parse.ts";
import { printValue } from "../../values/print.ts";
import { describeArguments, exampleArguments } from "../../values/schema.ts";
import { hasChildren } from "../../values/tree.ts";
import { KeptByActor } from "../kept-by-actor.ts";
import type { PanelProps } from "../panel.types.ts";
import { useKept } from "../use-kept.ts";
import { ValueForm } from "../value-form.tsx";
import "./actions.css";

interface Call {
	readonly id: number;
	readonly action: string;
	readonly args: readonly unknown[];
	readonly atMs: number;
	/** Null while it runs. */
	readonly outcome: Outcome | null;
	/** Stops to wait for it; the action is told by its `abortSignal`. */
	readonly stop: () => void;
}

type Ending =
	| { readonly is: "ok"; readonly output: unknown }
	| { readonly is: "failed"; readonly error: unknown }
	| { readonly is: "stopped" };
type Outcome = Ending & { readonly tookMs: number };

/** Those that have ended. */
const CALLS_KEPT_MAX = 50;
const ACTORS_KEPT_MAX = 20;
/** Calls at the same time: a browser has six connections to a server, and the page wants some. */
const CALLS_RUNNING_MAX = 3;
/** For how long a second press of the button is none: it was a double click. */
const DOUBLE_CLICK_MS = 500;

const isRunning = ({ outcome }: Call) => outcome === null;

const callsKept = new KeptByActor<readonly Call[]>({
	none: [],
	actorsMax: ACTORS_KEPT_MAX,
	isBusy: (calls) => calls.some(isRunning),
});

/** Calls any action with any arguments, and shows what comes back, also to who has looked at other pages meanwhile. */
export function ActionsPanel({ actorId, options }: PanelProps) {
	const declared = useDeclarations(actorId);
	const [calls, kept] = useKept(callsKept, actorId);
	if (declared.data === undefined) {
		return declared.isError ? <Failure error={declared.error} /> : <Loading what="the actions" />;
	}
	const { actions } = declared.data;
	const running = calls.filter(isRunning).length;
	const begun = (call: Call) => kept.change((before) => [call, ...withoutOldest(before)]);
	const ended = (id: number, outcome: Outcome) =>
		kept.change((before) => before.map((call) => (call.id === id ? { ...call, outcome } : call)));
	if (actions.length === 0) {
		return (
			<Empty title="This actor has no actions" icon={<Play />}>
				Give its definition <code>actions</code> to call them here.
			</Empty>
		);
	}
	return (
		<>
			<Panel title="Call an action" note="wakes the actor if it sleeps">
				<CallForm
					actorId={actorId}
					actions={actions}
					initial={(actions.find(({ name }) => name === options.action) ?? actions[0]!).name}
					isReady={running < CALLS_RUNNING_MAX}
					onBegin={begun}
					onEnd={ended}
				/>
			</Panel>
			{calls.length > 0 && (
				<Panel title="Results" note="of this visit, newest first">
					<ul>
						{calls.map((call) => (
							<li key={call.id} className="call">
								<CallResult actorId={actorId} call={call} />
							</li>
						))}
					</ul>
				</Panel>
			)}
		</>
	);
}

/** One that runs stays however old it is: it can be stopped, and counts. */
function withoutOldest(calls: readonly Call[]): readonly Call[] {
	let kept = 0;
	return calls.filter((call) => isRunning(call) || ++kept < CALLS_KEPT_MAX);
}

let callCount = 0;

function CallForm({
	actorId,
	actions,
	initial,
	isReady,
	onBegin,
	onEnd,
}: {
	actorId: string;
	actions: DeclarationsAnswer["actions"];
	initial: string;
	isReady: boolean;
	onBegin: (call: Call) => void;
	onEnd: (id: number, outcome: Outcome) => void;
}) {
	const inspector = useInspector(actorId);
	const refresh = useRefreshActor(actorId);
	const [action, setAction] = useState(initial);
	const { schema, takesList = false } = actions.find(({ name }) => name === action) ?? {};
	const call = async (args: readonly unknown[]) => {
		callCount += 1;
		const id = callCount;
		const startMs = performance.now();
		const stopped = new AbortController();
		onBegin({ id, action, args, atMs: Date.now(), outcome: null, stop: () => stopped.abort() });
		const end = (ending: Ending) => {
			onEnd(id, { ...ending, tookMs: performance.now() - startMs });
			refresh();
		};
		const answered = inspector.call(action, args, stopped.signal).then(
			({ output }) => end({ is: "ok", output }),
			(error: unknown) => end(stopped.signal.aborted ? { is: "stopped" } : { is: "failed", error }),
		);
		const pause = new Promise((resolve) => window.setTimeout(resolve, DOUBLE_CLICK_MS));
		await Promise.race([answered, pause]);
	};
	return (
		<ValueForm
			// What was typed stays, unless there is something better to begin with.
			key={schema === undefined ? "any" : action}
			label="Arguments"
			hint={
				schema === undefined ? (
					<>
						Separated by commas: <code>1, "text", {"{ a: [true] }"}, 12n, Date("2026-01-31")</code>
					</>
				) : (
					<>
						It takes <code>{describeArguments(schema, takesList)}</code>
					</>
				)
			}
			initial={
				schema === undefined ? "" : exampleArguments(schema, takesList).map(printValue).join(", ")
			}
			parse={parseList}
			verb="Call"
			isReady={isReady}
			icon={<Play aria-hidden="true" />}
			onSubmit={call}
		>
			<Field label="Action">
				{(wiring) => (
					<select
						{...wiring}
						className="select mono"
						value={action}
						onChange={({ target }) => setAction(target.value)}
					>
						{actions.map(({ name }) => (
							<option key={name}>{name}</option>
						))}
					</select>
				)}
			</Field>
		</ValueForm>
	);
}

const BADGES: Readonly<Record<Outcome["is"], Tone>> = {
	ok: "good",
	failed: "bad",
	stopped: "idle",
};

function CallResult({ actorId, call }: { actorId: string; call: Call }) {
	const { action, args, atMs, outcome, stop } = call;
	return (
		<>
			<div className="call-head">
				{outcome === null ? (
					<Badge tone="accent">running</Badge>
				) : (
					<Badge tone={BADGES[outcome.is]}>{outcome.is}</Badge>
				)}
				<code className="truncate">
					{action}(
					{args.map((value, at) => [
						at > 0 && ", ",
						<InlineValue key={String(at)} value={value} />,
					])}
					)
				</code>
				<span className="call-time muted numeric">
					{outcome !== null && `${duration(outcome.tookMs)} · `}
					<Ago ms={atMs} />
				</span>
				{outcome === null && <Button onClick={stop}>Stop waiting</Button>}
			</div>
			{outcome !== null && <CallOutcome actorId={actorId} action={action} outcome={outcome} />}
		</>
	);
}

function CallOutcome({
	actorId,
	action,
	outcome,
}: {
	actorId: string;
	action: string;
	outcome: Outcome;
}) {
	const href = useHref();
	if (outcome.is === "stopped") return null;
	if (outcome.is === "failed") {
		const { error } = outcome;
		const isMasked = error instanceof ApiError && error.is("rivetkit.internal_error");
		return (
			<>
				<Failure error={error} />
				{isMasked && (
					<p className="call-output">
						Callers are not told more. <a href={href(logsOf(actorId))}>The actor's log</a> says what
						was thrown.
					</p>
				)}
			</>
		);
	}
	return hasChildren(outcome.output) ? (
		<ValueTree value={outcome.output} label={`Result of ${action}`} />
	) : (
		<div className="call-output">
			<InlineValue value={outcome.output} charsMax={2_000} />
		</div>
	);
}

function logsOf(actorId: string): Route {
	return { page: "actor", actorId, tab: "logs", options: {} };
}
