import { Badge, type Tone } from "../../ui/badge.tsx";
import { Empty } from "../../ui/notice.tsx";
import { Facts, Panel } from "../../ui/panel.tsx";
import { Ago, clockTime, exactTime } from "../../ui/time.tsx";
import { VirtualList } from "../../ui/virtual-list.tsx";
import type { PanelProps } from "../panel.types.ts";
import "./lifecycle.css";

const TONES: Readonly<Record<string, Tone>> = {
	ready: "good",
	starting: "accent",
	startFailed: "bad",
	stopping: "accent",
	asleep: "idle",
	destroyed: "bad",
	lost: "warn",
};

const LABELS: Readonly<Record<string, string>> = { startFailed: "start failed" };

/** When it was made, woke and slept, and why. */
export function LifecyclePanel({ life }: PanelProps) {
	const newest = [...life.history].reverse();
	return (
		<>
			<Panel title="Life">
				<Facts
					rows={[
						["Actor id", <code key="id">{life.actorId}</code>],
						["Created", <Ago key="created" ms={life.createdAtMs} />],
						["Last ready", <Ago key="started" ms={life.startedAtMs} />],
						["Last asleep", <Ago key="slept" ms={life.sleptAtMs} />],
						["Wakes by itself", <Ago key="wakes" ms={life.wakesAtMs} />],
						["Generation", life.generation],
					]}
				/>
			</Panel>
			<Panel title="History" note="what happened on this server lately, newest first">
				{newest.length === 0 ? (
					<Empty title="Nothing happened here since the server started">
						Wakes, sleeps and failed starts are listed as they happen.
					</Empty>
				) : (
					<VirtualList
						items={newest}
						label="History"
						keyOf={({ atMs, generation, event }) => `${atMs} ${generation} ${event}`}
					>
						{({ atMs, generation, event, detail }) => (
							<div className="life-row">
								<span className="muted numeric mono" title={exactTime(atMs)}>
									{clockTime(atMs)}
								</span>
								<Badge tone={TONES[event] ?? "idle"}>{LABELS[event] ?? event}</Badge>
								<span className="life-detail">{detail}</span>
								<span className="muted nowrap">generation {generation}</span>
							</div>
						)}
					</VirtualList>
				)}
			</Panel>
		</>
	);
}
