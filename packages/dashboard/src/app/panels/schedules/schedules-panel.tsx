import type { Schedule } from "@rivetkit/protocol/inspector/answers";
import { CalendarClock, X } from "lucide-react";
import { useInspector } from "../../api/context.tsx";
import { useInspected, useRefreshActor } from "../../api/queries.ts";
import { Badge } from "../../ui/badge.tsx";
import { ConfirmButton } from "../../ui/confirm.tsx";
import { Disclosure } from "../../ui/disclosure.tsx";
import { Empty, Failure, Loading } from "../../ui/notice.tsx";
import { Facts, Panel } from "../../ui/panel.tsx";
import { Ago, duration, exactTime } from "../../ui/time.tsx";
import { sayDone, sayNothingDone } from "../../ui/toasts.tsx";
import { VirtualList } from "../../ui/virtual-list.tsx";
import { InlineValue } from "../../value-view/scalar.tsx";
import type { PanelProps } from "../panel.types.ts";
import { FailedCalls, RunHistory } from "./run-history.tsx";
import "./schedules.css";

/** Calls to come and jobs, with when they run next, and how they went. */
export function SchedulesPanel({ actorId }: PanelProps) {
	const query = useInspected(actorId, ["schedules"], (inspector, signal) =>
		inspector.schedules(signal),
	);
	const schedules = query.data?.schedules ?? [];
	return (
		<>
			<Panel title="Schedules" note={query.data && `${schedules.length}`}>
				{query.isError && <Failure error={query.error} />}
				{query.isPending && <Loading what="schedules" />}
				{query.isSuccess && schedules.length === 0 && (
					<Empty title="Nothing is scheduled" icon={<CalendarClock />}>
						Calls of <code>c.schedule.after</code> and <code>at</code>, and jobs of{" "}
						<code>c.cron</code>, appear here.
					</Empty>
				)}
				{schedules.length > 0 && (
					<VirtualList items={schedules} label="Schedules" keyOf={({ id }) => id} rowHeight={39}>
						{(schedule) => <ScheduleRow actorId={actorId} schedule={schedule} />}
					</VirtualList>
				)}
			</Panel>
			<FailedCalls actorId={actorId} />
		</>
	);
}

function ScheduleRow({ actorId, schedule }: { actorId: string; schedule: Schedule }) {
	const inspector = useInspector(actorId);
	const refresh = useRefreshActor(actorId);
	const { id, name, kind, action, args, nextRunAt, running, retrying, parked } = schedule;
	const isJob = kind !== "at";
	const title = name ?? id;
	return (
		<Disclosure
			label={`${isJob ? "job" : "call"} ${title}`}
			summary={
				<>
					<span className="schedule-kind">
						<Badge tone={isJob ? "accent" : "idle"}>{isJob ? kind : "once"}</Badge>
					</span>
					<code className="schedule-name truncate">{name ?? action}</code>
					<span className="muted truncate">{timing(schedule)}</span>
					{running && <Badge tone="accent">running</Badge>}
					{retrying && <Badge tone="warn">failed {retrying.attempts} times</Badge>}
					{parked && <Badge tone="bad">parked</Badge>}
					<span className="schedule-next">
						<span className="muted">next</span> <Ago ms={nextRunAt} />
					</span>
				</>
			}
			tools={
				<ConfirmButton
					label={isJob ? "Delete" : "Cancel call"}
					title={isJob ? `Delete the job ${title}?` : `Cancel the call of ${action}?`}
					icon={<X aria-hidden="true" />}
					onConfirm={async () => {
						const { deleted } = await inspector.deleteSchedule(id);
						if (deleted) sayDone(isJob ? "The job is deleted" : "The call is cancelled");
						else if (isJob)
							sayNothingDone("The job was not deleted", "There is no such job any more.");
						else
							sayNothingDone(
								"The call was not cancelled",
								"It had been made, or cancelled, before.",
							);
						refresh();
					}}
				>
					It will not run any more. A run that is in progress ends as it is.
				</ConfirmButton>
			}
		>
			{() => (
				<>
					<Facts
						rows={[
							["Action", <code key="action">{action}</code>],
							[
								"Arguments",
								schedule.isTooDeep ? (
									"nested too deep to be shown"
								) : (
									<InlineValue key="args" value={args} charsMax={300} />
								),
							],
							["Next run", exactTime(nextRunAt)],
							...(isJob ? [["Last run", <Ago key="last" ms={schedule.lastRunAt} />] as const] : []),
							...(schedule.catchUp ? [["Missed runs", schedule.catchUp] as const] : []),
							...(schedule.overlap ? [["Overlap", schedule.overlap] as const] : []),
							...(parked ? [["Parked", parked] as const] : []),
							...(retrying ? [["Last failure", retrying.error] as const] : []),
						]}
					/>
					{isJob && <RunHistory actorId={actorId} scheduleId={id} />}
				</>
			)}
		</Disclosure>
	);
}

function timing({ kind, expression, timezone, intervalMs }: Schedule): string {
	if (kind === "cron") return `${expression} · ${timezone}`;
	return kind === "every" ? `every ${duration(intervalMs ?? 0)}` : "";
}
