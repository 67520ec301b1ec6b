import type { WorkflowEntryDetails } from "@rivetkit/protocol/inspector/answers";
import {
	Bookmark,
	Clock,
	Flag,
	GitFork,
	History,
	Hourglass,
	type LucideIcon,
	Mail,
	Repeat,
	Send,
	ShieldQuestion,
	Split,
	SquareCheck,
} from "lucide-react";
import { useInspector } from "../../api/context.tsx";
import { useRefreshActor } from "../../api/queries.ts";
import { Status, type Tone } from "../../ui/badge.tsx";
import { ConfirmButton } from "../../ui/confirm.tsx";
import { Disclosure } from "../../ui/disclosure.tsx";
import { Empty } from "../../ui/notice.tsx";
import { Facts } from "../../ui/panel.tsx";
import { Ago, duration, relativeTime, useNow } from "../../ui/time.tsx";
import { sayDone } from "../../ui/toasts.tsx";
import { InlineValue } from "../../value-view/scalar.tsx";
import { ValueTree } from "../../value-view/value-tree.tsx";
import type { FlowLane, FlowNode } from "./flow.ts";

const ICONS: Readonly<Record<string, LucideIcon>> = {
	step: SquareCheck,
	loop: Repeat,
	sleep: Clock,
	message: Mail,
	join: GitFork,
	race: Split,
	try: ShieldQuestion,
	send: Send,
	rollback_checkpoint: Bookmark,
	version_check: Flag,
	removed: History,
};

const TONES: Readonly<Record<string, Tone>> = {
	pending: "idle",
	running: "accent",
	waiting: "warn",
	retrying: "warn",
	completed: "good",
	failed: "bad",
	exhausted: "bad",
	cancelled: "idle",
};

/** The entries of a workflow from top to bottom; branches stand side by side. */
export function Flow({
	actorId,
	nodes,
	isOver,
}: {
	actorId: string;
	nodes: readonly FlowNode[];
	/** Whether nothing of it goes on any more. */
	isOver: boolean;
}) {
	if (nodes.length === 0) {
		return isOver ? (
			<Empty title="Nothing was recorded">It ended before its first step did.</Empty>
		) : (
			<Empty title="Nothing is recorded yet">Steps appear here as they begin.</Empty>
		);
	}
	return (
		<div className="flow-root">
			<Lane actorId={actorId} nodes={nodes} />
		</div>
	);
}

function Lane({ actorId, nodes }: { actorId: string; nodes: readonly FlowNode[] }) {
	return (
		<ol className="flow">
			{nodes.map((node) => (
				<li key={node.entry.id} className={`flow-node tone-${toneOf(node.entry)}`}>
					<Card actorId={actorId} entry={node.entry} />
					{node.lanes.length > 0 && <Lanes actorId={actorId} node={node} />}
				</li>
			))}
		</ol>
	);
}

function Lanes({ actorId, node: { entry, lanes } }: { actorId: string; node: FlowNode }) {
	const isParallel = entry.kind === "join" || entry.kind === "race";
	return (
		<div className={isParallel ? "flow-lanes is-parallel" : "flow-lanes"}>
			{lanes.map((lane) => (
				<section key={lane.title ?? ""} className="flow-lane" aria-label={laneTitle(entry, lane)}>
					{lane.title !== null && (
						<h3 className="flow-lane-title">
							{laneTitle(entry, lane)}
							<BranchEnd entry={entry} lane={lane} />
						</h3>
					)}
					<Lane actorId={actorId} nodes={lane.nodes} />
					<BranchResult entry={entry} lane={lane} />
				</section>
			))}
		</div>
	);
}

function laneTitle({ kind, name }: WorkflowEntryDetails, { title }: FlowLane): string {
	if (title === null) return `Inside ${name}`;
	return kind === "loop" ? `Iteration ${title}` : title;
}

function BranchEnd({ entry, lane }: { entry: WorkflowEntryDetails; lane: FlowLane }) {
	const branch = entry.branches?.find(({ name }) => name === lane.title);
	if (branch === undefined) return null;
	const isWinner = entry.winner === branch.name;
	return (
		<Status
			tone={TONES[branch.status] ?? "idle"}
			label={isWinner ? "won" : branch.status}
			isBusy={branch.status === "running"}
		/>
	);
}

/** What came out of a branch; its entries go when the join or race around it ends. */
function BranchResult({ entry, lane }: { entry: WorkflowEntryDetails; lane: FlowLane }) {
	const branch = entry.branches?.find(({ name }) => name === lane.title);
	if (branch === undefined) return null;
	if (branch.error !== null) return <p className="flow-error">{branch.error}</p>;
	return branch.output === undefined || branch.output === null ? null : (
		<InlineValue value={branch.output} charsMax={200} />
	);
}

function toneOf({ status, rolledBackAt }: WorkflowEntryDetails): Tone {
	return rolledBackAt === null ? (TONES[status] ?? "idle") : "warn";
}

function Card({ actorId, entry }: { actorId: string; entry: WorkflowEntryDetails }) {
	const { kind, name, status, attempts, error, rolledBackAt } = entry;
	const Icon = ICONS[kind] ?? SquareCheck;
	return (
		<div className="flow-card">
			<Disclosure
				label={`${kind} ${name}`}
				summary={
					<>
						<Icon aria-hidden="true" className="flow-icon" />
						<span className="flow-name">{name}</span>
						<span className="muted flow-kind">{kind.replaceAll("_", " ")}</span>
						<span className="flow-end">
							{attempts > 1 && <span className="muted nowrap">try {attempts}</span>}
							<Timing entry={entry} />
							<Status
								tone={toneOf(entry)}
								label={rolledBackAt === null ? status : "undone"}
								isBusy={status === "running"}
							/>
						</span>
						{error !== null && <span className="flow-error">{error.message}</span>}
					</>
				}
			>
				{() => <CardDetails actorId={actorId} entry={entry} />}
			</Disclosure>
		</div>
	);
}

function Timing({
	entry: { startedAt, endedAt, deadline, status, kind },
}: {
	entry: WorkflowEntryDetails;
}) {
	const now = useNow();
	if (endedAt !== null) {
		return <span className="muted numeric nowrap">{duration(endedAt - startedAt)}</span>;
	}
	if (deadline === null) return null;
	const what = status === "retrying" ? "again" : kind === "sleep" ? "until" : "at the latest";
	return (
		<span className="flow-wait numeric nowrap">
			<Hourglass aria-hidden="true" />
			{what} {relativeTime(deadline, now)}
		</span>
	);
}

function CardDetails({ actorId, entry }: { actorId: string; entry: WorkflowEntryDetails }) {
	const inspector = useInspector(actorId);
	const refresh = useRefreshActor(actorId);
	const { id, kind, name, path, startedAt, endedAt, attempts, queues, messages, error } = entry;
	return (
		<>
			<Facts
				rows={[
					["Path", <code key="path">{path}</code>],
					["Began", <Ago key="began" ms={startedAt} />],
					["Ended", endedAt === null ? "not yet" : <Ago key="ended" ms={endedAt} />],
					...(kind === "step" ? [["Tries", attempts] as const] : []),
					...(entry.currentIteration === undefined
						? []
						: [["Iteration", entry.currentIteration] as const]),
					...(queues === undefined ? [] : [["Queues", queues?.join(", ") ?? "all"] as const]),
					...(entry.isCompensable ? [["Can be undone", "yes"] as const] : []),
					...(entry.rollbackError ? [["Undoing failed", entry.rollbackError] as const] : []),
				]}
			/>
			{error?.stack !== undefined && <pre className="flow-stack">{error.stack}</pre>}
			{"output" in entry && <Value title="Output" value={entry.output} />}
			{"state" in entry && <Value title="State of the loop" value={entry.state} />}
			{messages?.map((message) => (
				<p key={message.id}>
					<span className="muted">
						Message {message.id} of {message.queue}:
					</span>{" "}
					<InlineValue value={message.body} charsMax={300} />
				</p>
			))}
			{kind === "step" && (
				<ConfirmButton
					label="Replay from here"
					title={`Replay from ${name}?`}
					icon={<History aria-hidden="true" />}
					onConfirm={async () => {
						await inspector.replayWorkflow(id);
						sayDone(`The workflow goes on from ${name}`);
						refresh();
					}}
				>
					This step and everything that began after it are taken back and done again. What they
					changed outside of the workflow's history stays.
				</ConfirmButton>
			)}
		</>
	);
}

function Value({ title, value }: { title: string; value: unknown }) {
	return (
		<>
			<h4 className="flow-value-title">{title}</h4>
			<ValueTree value={value} label={title} />
		</>
	);
}
