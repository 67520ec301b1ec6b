import type { WorkflowDetails, WorkflowStatus } from "@rivetkit/protocol/inspector/answers";
import { CirclePause, CirclePlay, CircleX, LifeBuoy } from "lucide-react";
import { useState } from "react";
import { useInspector } from "../../api/context.tsx";
import { useRefreshActor } from "../../api/queries.ts";
import { Button } from "../../ui/button.tsx";
import { ConfirmButton } from "../../ui/confirm.tsx";
import { sayDone, sayFailed, sayNothingDone } from "../../ui/toasts.tsx";

const ENDED: ReadonlySet<string> = new Set(["completed", "failed", "cancelled"]);

/** Whether nothing of it goes on any more. */
export function hasEnded({ state }: WorkflowStatus): boolean {
	return ENDED.has(state);
}

interface Change {
	readonly done: string;
	/** Whether it was done, by how the workflow is afterwards: one that has ended stays as it is. */
	readonly isDone: (status: WorkflowStatus) => boolean;
}

const CHANGES = {
	pause: { done: "The workflow is paused", isDone: ({ paused }) => paused },
	resume: { done: "The workflow goes on", isDone: (status) => !hasEnded(status) },
	// One that cannot be is an error.
	recover: { done: "The workflow tries again", isDone: () => true },
	cancel: {
		done: "The workflow is cancelled",
		isDone: ({ state }) => state === "cancelled" || state === "rolling_back",
	},
} as const satisfies Readonly<Record<string, Change>>;

/** What can be done to a workflow as a whole. */
export function Controls({ actorId, workflow }: { actorId: string; workflow: WorkflowDetails }) {
	const inspector = useInspector(actorId);
	const refresh = useRefreshActor(actorId);
	const [isBusy, setBusy] = useState(false);
	const { state, paused, blocked } = workflow;
	const isOver = hasEnded(workflow);
	const change = async (verb: keyof typeof CHANGES, body?: object) => {
		const { done, isDone }: Change = CHANGES[verb];
		const { workflow: after } = await inspector.changeWorkflow(verb, body);
		if (isDone(after)) sayDone(done);
		else sayNothingDone("The workflow was not changed", `It was ${after.state} before.`);
		refresh();
	};
	const press = async (verb: keyof typeof CHANGES) => {
		setBusy(true);
		try {
			await change(verb);
		} catch (error) {
			sayFailed(`The workflow could not be changed (${verb})`, error);
			refresh();
		}
		setBusy(false);
	};
	return (
		<>
			{!isOver && !paused && (
				<Button
					icon={<CirclePause aria-hidden="true" />}
					disabled={isBusy}
					onClick={() => void press("pause")}
				>
					Pause
				</Button>
			)}
			{!isOver && paused && (
				<Button
					icon={<CirclePlay aria-hidden="true" />}
					disabled={isBusy}
					onClick={() => void press("resume")}
				>
					Resume
				</Button>
			)}
			{(state === "failed" || blocked) && (
				<Button
					icon={<LifeBuoy aria-hidden="true" />}
					disabled={isBusy}
					onClick={() => void press("recover")}
				>
					Recover
				</Button>
			)}
			{!isOver && (
				<ConfirmButton
					label="Cancel workflow"
					title="Cancel this workflow?"
					icon={<CircleX aria-hidden="true" />}
					onConfirm={() => change("cancel", { reason: "cancelled in the dashboard" })}
				>
					It ends for good. Completed steps that have a rollback are undone, the latest first.
				</ConfirmButton>
			)}
		</>
	);
}
