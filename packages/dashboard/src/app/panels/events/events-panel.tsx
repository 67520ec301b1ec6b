import type { EventEntry } from "@rivetkit/protocol/inspector/answers";
import { Radio } from "lucide-react";
import { useState } from "react";
import { Badge, Status } from "../../ui/badge.tsx";
import { Disclosure } from "../../ui/disclosure.tsx";
import { TextInput } from "../../ui/field.tsx";
import { Empty, Loading } from "../../ui/notice.tsx";
import { Panel } from "../../ui/panel.tsx";
import { clockTime, exactTime } from "../../ui/time.tsx";
import { InlineValue } from "../../value-view/scalar.tsx";
import { ValueTree } from "../../value-view/value-tree.tsx";
import { NotOffered } from "../not-offered.tsx";
import type { PanelProps } from "../panel.types.ts";
import { TailList } from "../tail-list.tsx";
import { linesOf, useTail } from "../use-tail.ts";
import "./events.css";

/** What the actor broadcasts, as it happens. Recorded while somebody looks. */
export function EventsPanel({ actorId }: PanelProps) {
	const [name, setName] = useState("");
	const tail = useTail<EventEntry>(actorId, ["events"], async (inspector, after, signal) => {
		const { events, recording, missed, lastId } = await inspector.events(after, signal);
		return { entries: events, isRecording: recording, isGap: missed === true, lastId };
	});
	if (tail.data === undefined) {
		return tail.isError ? (
			<NotOffered what="event log" error={tail.error} />
		) : (
			<Loading what="events" />
		);
	}
	const found = linesOf(tail.data, (event) => event.name.includes(name));
	return (
		<Panel
			title="Events"
			note={
				<Status
					tone={tail.data.isRecording ? "good" : "idle"}
					label={tail.data.isRecording ? "recording while you look" : "not recording"}
				/>
			}
			tools={
				<TextInput
					type="search"
					aria-label="Only events with this name"
					placeholder="Name"
					value={name}
					onChange={({ target }) => setName(target.value)}
				/>
			}
		>
			{found.length === 0 ? (
				<Empty
					title={name === "" ? "No event since you look" : "No event matches"}
					icon={<Radio />}
				>
					What the actor sends with <code>c.broadcast</code> or <code>conn.send</code> appears here
					at once.
				</Empty>
			) : (
				<TailList lines={found} label="Events">
					{(event) => <EventRow event={event} />}
				</TailList>
			)}
		</Panel>
	);
}

function EventRow({ event }: { event: EventEntry }) {
	const { id, atMs, name, args, subscribers, connId } = event;
	return (
		<Disclosure
			label={`event ${name} ${id}`}
			summary={
				<>
					<span className="muted mono" title={exactTime(atMs)}>
						{clockTime(atMs)}
					</span>
					<code className="event-name truncate">{name}</code>
					<span className="event-args truncate">
						{"args" in event ? (
							<InlineValue value={args} charsMax={110} />
						) : (
							<span className="muted">
								{event.isTooDeep ? "nested too deep to be shown" : "too large to be kept"}
							</span>
						)}
					</span>
					<Badge tone={connId === undefined ? "idle" : "accent"}>
						{connId === undefined
							? `${subscribers} ${subscribers === 1 ? "subscriber" : "subscribers"}`
							: "to one connection"}
					</Badge>
				</>
			}
		>
			{() => (
				<>
					{connId !== undefined && (
						<p>
							<span className="muted">Connection</span> <code>{connId}</code>
						</p>
					)}
					<ValueTree value={args} label="Arguments" />
				</>
			)}
		</Disclosure>
	);
}
