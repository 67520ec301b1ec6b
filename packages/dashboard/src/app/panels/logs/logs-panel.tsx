import type { LogEntry } from "@rivetkit/protocol/inspector/answers";
import { ScrollText } from "lucide-react";
import { useState } from "react";
import { useHref } from "../../router/use-address.ts";
import { Badge, type Tone } from "../../ui/badge.tsx";
import { Disclosure } from "../../ui/disclosure.tsx";
import { TextInput } from "../../ui/field.tsx";
import { Empty, Loading } from "../../ui/notice.tsx";
import { Panel } from "../../ui/panel.tsx";
import { clockTime, exactTime } from "../../ui/time.tsx";
import { ValueTree } from "../../value-view/value-tree.tsx";
import { NotOffered } from "../not-offered.tsx";
import type { PanelProps } from "../panel.types.ts";
import { TailList } from "../tail-list.tsx";
import { linesOf, useTail } from "../use-tail.ts";
import "./logs.css";

const LEVELS = ["trace", "debug", "info", "warn", "error", "fatal"] as const;

const TONES: Readonly<Record<string, Tone>> = {
	trace: "idle",
	debug: "idle",
	info: "accent",
	warn: "warn",
	error: "bad",
	fatal: "bad",
};

/** The log lines of the actor, and the runtime's about it. */
export function LogsPanel({ actorId }: PanelProps) {
	const [level, setLevel] = useState<string>("debug");
	const [search, setSearch] = useState("");
	const tail = useTail<LogEntry>(actorId, ["logs", level], async (inspector, after, signal) => {
		const { logs, recording, missed, lastId } = await inspector.logs({ after, level }, signal);
		return { entries: logs, isRecording: recording, isGap: missed === true, lastId };
	});
	if (tail.data === undefined) {
		return tail.isError ? <NotOffered what="logs" error={tail.error} /> : <Loading what="logs" />;
	}
	const wanted = search.toLowerCase();
	const found = linesOf(tail.data, ({ message }) => message.toLowerCase().includes(wanted));
	const count = found.filter((line) => "entry" in line).length;
	return (
		<Panel
			title="Logs"
			note={`${count}, newest first`}
			tools={
				<>
					<select
						className="select"
						aria-label="Lowest level"
						value={level}
						onChange={({ target }) => setLevel(target.value)}
					>
						{LEVELS.map((name) => (
							<option key={name}>{name}</option>
						))}
					</select>
					<TextInput
						className="logs-search"
						type="search"
						aria-label="Search in messages"
						placeholder="Search"
						value={search}
						onChange={({ target }) => setSearch(target.value)}
					/>
				</>
			}
		>
			{found.length === 0 ? (
				<Empty title={search === "" ? "No log line" : "No log line matches"} icon={<ScrollText />}>
					What the actor writes with <code>c.log</code> appears here, below the logger's level too
					while you look.
				</Empty>
			) : (
				<TailList lines={found} label="Log lines">
					{(line) => <LogRow actorId={actorId} line={line} />}
				</TailList>
			)}
		</Panel>
	);
}

function LogRow({ actorId, line }: { actorId: string; line: LogEntry }) {
	const href = useHref();
	const { id, atMs, level, message, fields, traceId } = line;
	return (
		<Disclosure
			label={`log line ${id}`}
			summary={
				<>
					<span className="muted mono" title={exactTime(atMs)}>
						{clockTime(atMs)}
					</span>
					<Badge tone={TONES[level] ?? "idle"}>{level}</Badge>
					<span className="log-message">{message}</span>
				</>
			}
		>
			{() => (
				<>
					<ValueTree value={fields} label="Fields" />
					{traceId !== undefined && (
						<a
							href={href({
								page: "actor",
								actorId,
								tab: "traces",
								options: { trace: traceId },
							})}
						>
							Show its trace
						</a>
					)}
				</>
			)}
		</Disclosure>
	);
}
