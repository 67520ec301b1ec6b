import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useSession } from "../../api/context.tsx";
import { needsToken } from "../../api/errors.ts";
import { fetchMetrics } from "../../api/metrics.ts";
import { Loading } from "../../ui/notice.tsx";
import { Panel } from "../../ui/panel.tsx";
import { bytesText } from "../../ui/size.ts";
import { duration } from "../../ui/time.tsx";
import { NotOffered } from "../not-offered.tsx";
import type { PanelProps } from "../panel.types.ts";
import { gauge, quantile, rate, type Series, type Snapshot } from "./series.ts";
import { Sparkline } from "./sparkline.tsx";
import "./metrics.css";

const POLL_MS = 2_000;
/** Five minutes. */
const SNAPSHOTS_MAX = 150;

interface Chart {
	readonly title: string;
	readonly of: (snapshots: readonly Snapshot[], actor: string) => Series;
	readonly print: (value: number) => string;
}

const perSecond = (value: number) => `${round(value)}/s`;
const seconds = (value: number) => duration(value * 1_000);

const CHARTS: readonly Chart[] = [
	{
		title: "Calls",
		of: (all, actor) => rate(all, "rivetkit_calls_total", { actor }),
		print: perSecond,
	},
	{
		title: "Failed calls",
		of: (all, actor) => rate(all, "rivetkit_calls_total", { actor, outcome: "error" }),
		print: perSecond,
	},
	{
		title: "Call time, median",
		of: (all, actor) => quantile(all, "rivetkit_call_duration_seconds", { actor }, 0.5),
		print: seconds,
	},
	{
		title: "Call time, 99 of 100",
		of: (all, actor) => quantile(all, "rivetkit_call_duration_seconds", { actor }, 0.99),
		print: seconds,
	},
	{
		title: "Commits",
		of: (all, actor) => rate(all, "rivetkit_commits_total", { actor }),
		print: perSecond,
	},
	{
		title: "Commit time, 99 of 100",
		of: (all, actor) => quantile(all, "rivetkit_commit_duration_seconds", { actor }, 0.99),
		print: seconds,
	},
	{
		title: "Written by commits",
		of: (all, actor) => rate(all, "rivetkit_commit_bytes_sum", { actor }),
		print: (value) => `${bytesText(value)}/s`,
	},
	{
		title: "Events",
		of: (all, actor) => rate(all, "rivetkit_events_total", { actor }),
		print: perSecond,
	},
	{
		title: "Awake",
		of: (all, actor) => gauge(all, "rivetkit_actors", { actor, status: "live" }),
		print: round,
	},
	{
		title: "Sleeping",
		of: (all, actor) => gauge(all, "rivetkit_actors", { actor, status: "sleeping" }),
		print: round,
	},
	{
		title: "Messages in queues",
		of: (all, actor) => gauge(all, "rivetkit_queue_depth", { actor }),
		print: round,
	},
	{
		title: "Connections",
		of: (all, actor) => gauge(all, "rivetkit_connections", { actor }),
		print: round,
	},
];

/** The metrics of all actors of this type, drawn as they come in. */
export function MetricsPanel({ life: { name } }: PanelProps) {
	const { session } = useSession();
	const client = useQueryClient();
	const queryKey = ["metrics", session];
	const query = useQuery<readonly Snapshot[]>({
		queryKey,
		queryFn: async ({ signal }) => {
			const before = client.getQueryData<readonly Snapshot[]>(queryKey) ?? [];
			const samples = await fetchMetrics(session, signal);
			return [...before, { atMs: Date.now(), samples }].slice(-SNAPSHOTS_MAX);
		},
		refetchInterval: ({ state }) => (needsToken(state.error) ? false : POLL_MS),
		structuralSharing: false,
	});
	if (query.data === undefined) {
		return query.isError ? (
			<NotOffered what="metrics" error={query.error} />
		) : (
			<Loading what="metrics" />
		);
	}
	const snapshots = query.data;
	return (
		<Panel title={`Metrics of all ${name} actors`} note="since you look, every 2 s">
			<ul className="charts">
				{CHARTS.map(({ title, of, print }) => (
					<li key={title}>
						<Sparkline title={title} series={of(snapshots, name)} print={print} />
					</li>
				))}
			</ul>
		</Panel>
	);
}

function round(value: number): string {
	return (value < 10 ? Math.round(value * 10) / 10 : Math.round(value)).toLocaleString();
}
