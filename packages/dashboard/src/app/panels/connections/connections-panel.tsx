import type { InspectedConnection } from "@rivetkit/protocol/inspector/answers";
import { Cable } from "lucide-react";
import { useInspected } from "../../api/queries.ts";
import { Badge } from "../../ui/badge.tsx";
import { Empty, Failure, Loading } from "../../ui/notice.tsx";
import { Panel } from "../../ui/panel.tsx";
import { VirtualList } from "../../ui/virtual-list.tsx";
import { InlineValue } from "../../value-view/scalar.tsx";
import type { PanelProps } from "../panel.types.ts";
import "./connections.css";

/** Who is connected, with parameters and connection state. */
export function ConnectionsPanel({ actorId }: PanelProps) {
	const query = useInspected(actorId, ["connections"], (inspector, signal) =>
		inspector.connections(signal),
	);
	if (query.data === undefined) {
		return query.isError ? <Failure error={query.error} /> : <Loading what="the connections" />;
	}
	const { connections } = query.data;
	return (
		<Panel title="Connections" note={`${connections.length} now`}>
			{query.isError && <Failure error={query.error} />}
			{connections.length === 0 ? (
				<Empty title="Nobody is connected" icon={<Cable />}>
					Clients appear here while they hold a connection, for example through{" "}
					<code>handle.connect()</code>.
				</Empty>
			) : (
				<VirtualList items={connections} label="Connections" keyOf={({ id }) => id} rowHeight={76}>
					{(connection) => <ConnectionRow connection={connection} />}
				</VirtualList>
			)}
		</Panel>
	);
}

function ConnectionRow({ connection: { id, type, details } }: { connection: InspectedConnection }) {
	const { params, state, stateEnabled, subscriptions, isHibernatable } = details;
	return (
		<div className="connection-row">
			<div className="connection-head">
				<code className="truncate">{id}</code>
				<Badge tone="accent">{type ?? "in process"}</Badge>
				{isHibernatable && <Badge>survives sleep</Badge>}
				<span className="muted">
					{subscriptions} {subscriptions === 1 ? "subscription" : "subscriptions"}
				</span>
			</div>
			<div className="connection-values">
				<span className="muted">params</span> <InlineValue value={params} charsMax={300} />
			</div>
			{stateEnabled && (
				<div className="connection-values">
					<span className="muted">state</span> <InlineValue value={state} charsMax={300} />
				</div>
			)}
		</div>
	);
}
