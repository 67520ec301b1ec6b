import type { DeclarationsAnswer } from "@rivetkit/protocol/inspector/answers";
import { Play } from "lucide-react";
import { useState } from "react";
import { useInspector } from "../../api/context.tsx";
import { useDeclarations, useRefreshActor } from "../../api/queries.ts";
import { Badge } from "../../ui/badge.tsx";
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
import type { PanelProps } from "../panel.types.ts";
import { ValueForm } from "../value-form.tsx";
import "./actions.css";

interface Call {
	readonly id: number;
	readonly action: string;
	readonly args: readonly unknown[];
	readonly atMs: number;
	readonly tookMs: number;
	readonly outcome:
		| { readonly ok: true; readonly output: unknown }
		| { readonly ok: false; readonly error: unknown };
}

const CALLS_KEPT_MAX = 50;

/** Calls any action with any arguments, and shows what comes back. */
export function ActionsPanel({ actorId, options }: PanelProps) {
	const declared = useDeclarations(actorId);
	const [calls, setCalls] = useState<readonly Call[]>([]);
	if (declared.data === undefined) {
		return declared.isError ? <Failure error={declared.error} /> : <Loading what="the actions" />;
	}
	const { actions } = declared.data;
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
					onCall={(call) => setCalls((before) => [call, ...before].slice(0, CALLS_KEPT_MAX))}
				/>
			</Panel>
			{calls.length > 0 && (
				<Panel title="Results" note="of this visit, newest first">
					<ul>
						{calls.map((call) => (
							<li key={call.id} className="call">
								<CallResult call={call} />
							</li>
						))}
					</ul>
				</Panel>
			)}
		</>
	);
}

let callCount = 0;

function CallForm({
	actorId,
	actions,
	initial,
	onCall,
}: {
	actorId: string;
	actions: DeclarationsAnswer["actions"];
	initial: string;
	onCall: (call: Call) => void;
}) {
	const inspector = useInspector(actorId);
	const refresh = useRefreshActor(actorId);
	const [action, setAction] = useState(initial);
	const { schema, takesList = false } = actions.find(({ name }) => name === action) ?? {};
	const call = async (args: readonly unknown[]) => {
		const atMs = Date.now();
		const startMs = performance.now();
		const report = (outcome: Call["outcome"]) => {
			callCount += 1;
			const tookMs = performance.now() - startMs;
			onCall({ id: callCount, action, args, atMs, tookMs, outcome });
		};
		try {
			const { output } = await inspector.call(action, args);
			report({ ok: true, output });
		} catch (error) {
			report({ ok: false, error });
		}
		refresh();
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
			busyVerb="Running…"
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

function CallResult({ call: { action, args, atMs, tookMs, outcome } }: { call: Call }) {
	return (
		<>
			<div className="call-head">
				<Badge tone={outcome.ok ? "good" : "bad"}>{outcome.ok ? "ok" : "failed"}</Badge>
				<code className="truncate">
					{action}(
					{args.map((value, at) => [
						at > 0 && ", ",
						<InlineValue key={String(at)} value={value} />,
					])}
					)
				</code>
				<span className="call-time muted numeric">
					{duration(tookMs)} · <Ago ms={atMs} />
				</span>
			</div>
			{!outcome.ok ? (
				<Failure error={outcome.error} />
			) : hasChildren(outcome.output) ? (
				<ValueTree value={outcome.output} label={`Result of ${action}`} />
			) : (
				<div className="call-output">
					<InlineValue value={outcome.output} charsMax={2_000} />
				</div>
			)}
		</>
	);
}
