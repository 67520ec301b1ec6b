import type { WorkflowDetails } from "@rivetkit/protocol/inspector/answers";
import { Workflow } from "lucide-react";
import { useMemo } from "react";
import { useInspected } from "../../api/queries.ts";
import { Status, type Tone } from "../../ui/badge.tsx";
import { Empty, Failure, Loading } from "../../ui/notice.tsx";
import { Panel } from "../../ui/panel.tsx";
import { Ago, relativeTime, useNow } from "../../ui/time.tsx";
import { InlineValue } from "../../value-view/scalar.tsx";
import type { PanelProps } from "../panel.types.ts";
import { blockedText } from "./blocked-text.ts";
import { Controls, hasEnded } from "./controls.tsx";
import { flowOf, leftAsTheyWere } from "./flow.ts";
import { Flow } from "./flow-view.tsx";
import "./workflow.css";

const TONES: Readonly<Record<string, Tone>> = {
	running: "accent",
	sleeping: "idle",
	rolling_back: "warn",
	completed: "good",
	failed: "bad",
	cancelled: "idle",
};

const POLL_FAST_MS = 800;

/** The workflow as it runs: what is done, what runs, what it waits for. */
export function WorkflowPanel({ actorId }: PanelProps) {
	const query = useInspected(
		actorId,
		["workflow"],
		(inspector, signal) => inspector.workflow(signal),
		{ pollMs: POLL_FAST_MS },
	);
	if (query.data === undefined) {
		return query.isError ? <Failure error={query.error} /> : <Loading what="the workflow" />;
	}
	if (!query.data.isWorkflowEnabled) {
		return (
			<Empty title="This actor runs no workflow" icon={<Workflow />}>
				Give its definition <code>run: workflow(…)</code> of <code>rivetkit/workflow</code> to have
				one.
			</Empty>
		);
	}
	const { workflow } = query.data;
	if (workflow === null) {
		return (
			<Empty title="The workflow has not begun" icon={<Workflow />}>
				Its steps appear here as they are recorded.
			</Empty>
		);
	}
	return <WorkflowView actorId={actorId} workflow={workflow} />;
}

function WorkflowView({ actorId, workflow }: { actorId: string; workflow: WorkflowDetails }) {
	const { state, paused, blocked, error, epoch, startedAt, entries, liveEntries } = workflow;
	const isOver = hasEnded(workflow);
	const nodes = useMemo(
		() => flowOf(isOver ? leftAsTheyWere(entries) : entries),
		[entries, isOver],
	);
	return (
		<Panel
			title="Workflow"
			note={
				<span className="workflow-state">
					<Status
						tone={TONES[state] ?? "idle"}
						label={stateText(workflow)}
						isBusy={state === "running"}
					/>
					<span>
						began <Ago ms={startedAt} />
					</span>
					{epoch > 0 && <span>replayed {epoch === 1 ? "once" : `${epoch} times`}</span>}
				</span>
			}
			tools={<Controls actorId={actorId} workflow={workflow} />}
		>
			{error !== undefined && <Failure error={new Error(`${error.name}: ${error.message}`)} />}
			{(blocked || paused) && (
				<p className="workflow-note" role="status">
					{blocked ? blockedText(error) : "It is paused: nothing new begins until it is resumed."}
				</p>
			)}
			{"output" in workflow && (
				<p className="workflow-note">
					It returned <InlineValue value={workflow.output} charsMax={300} />
				</p>
			)}
			{workflow.truncated && (
				<p className="workflow-note muted">
					The latest {entries.length} of {liveEntries} entries are shown.
				</p>
			)}
			<Waits workflow={workflow} />
			<Flow actorId={actorId} nodes={nodes} isOver={isOver} />
		</Panel>
	);
}

function stateText({ state, paused, blocked, waitingFor }: WorkflowDetails): string {
	if (blocked) return "blocked";
	if (paused) return "paused";
	if (state === "sleeping") return waitingFor.length > 0 ? "waiting" : "asleep";
	return state.replaceAll("_", " ");
}

function Waits({ workflow: { waitingFor, retryAt } }: { workflow: WorkflowDetails }) {
	const now = useNow();
	if (waitingFor.length === 0 && retryAt === undefined) return null;
	return (
		<ul className="workflow-waits" aria-label="What it waits for">
			{waitingFor.map(({ path, names, deadline }) => (
				<li key={path}>
					<code>{path}</code> waits{" "}
					{names !== undefined &&
						`for a message in ${names === null ? "any queue" : names.join(" or ")}`}
					{names !== undefined && deadline !== undefined && ", or "}
					{deadline !== undefined && `until its time comes, ${relativeTime(deadline, now)}`}
				</li>
			))}
			{retryAt !== undefined && <li>It is tried again {relativeTime(retryAt, now)}.</li>}
		</ul>
	);
}
