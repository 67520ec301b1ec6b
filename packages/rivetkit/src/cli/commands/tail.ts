import type {
	ConnectionsAnswer,
	EventEntry,
	InspectedConnection,
	LifecycleReport,
	LogEntry,
	QueueStatus,
	SchedulesAnswer,
	StateAnswer,
} from "@rivetkit/protocol/inspector/answers";
import { findActor } from "../actors.ts";
import { ADDRESS_HELP, formatAddress, parseAddress } from "../address.ts";
import { command } from "../command.ts";
import { UsageError } from "../failure.ts";
import { DEFAULT_TOPICS, followActor, TOPICS, type Topic } from "../follow.ts";
import { changesBetween } from "../output/changes.ts";
import { EXACT_JSON_HELP } from "../output/exact-json.ts";
import { printable, type Style, shortened, type Terminal, timeOf } from "../output/terminal.ts";

const CHANGES_SHOWN = 20;

export const tail = command({
	name: "actors tail",
	summary: "Follows an actor, over its sleep, until Ctrl-C or until it is destroyed. Wakes nobody.",
	usage: "ACTOR",
	arity: [1, 1],
	options: {
		only: {
			type: "string",
			value: "TOPICS",
			help: `some of ${TOPICS.join(", ")}, with commas between; all but the last two by default`,
		},
	},
	details: [
		ADDRESS_HELP,
		'With --json one object per line: { "topic", "atMs", "data" }, with data as docs/inspector.md has it for streams.',
		EXACT_JSON_HELP,
	],
	async run({ server, positionals, options, out, notes }) {
		const topics = topicsOf(options.only);
		const actor = await findActor(server, parseAddress(positionals[0]!));
		const shown = printable(formatAddress(actor.name, actor.key));
		const show = options.json ? jsonPrinter(out) : linePrinter(out);
		const stopped = new AbortController();
		const stop = () => stopped.abort();
		process.once("SIGINT", stop);
		process.once("SIGTERM", stop);
		try {
			const end = await followActor(server, actor.id, {
				topics,
				signal: stopped.signal,
				onEvent: show,
				onLost: (why) =>
					notes.line(
						why === "gone"
							? "The server went away; waiting for it."
							: "The server ended the stream; asking for another one.",
					),
				onBack: () => notes.line("It goes on."),
			});
			if (end !== null && !options.json) notes.line(`The end of ${shown}: ${printable(end)}.`);
		} finally {
			process.off("SIGINT", stop);
			process.off("SIGTERM", stop);
		}
	},
});

function topicsOf(text: string | undefined): readonly Topic[] {
	if (text === undefined) return DEFAULT_TOPICS;
	return text.split(",").map((word) => {
		const topic = TOPICS.find((one) => one === word.trim());
		if (topic !== undefined) return topic;
		throw new UsageError(`--only takes ${TOPICS.join(", ")}, got '${word}'.`);
	});
}

type Show = (topic: string, data: unknown) => void;

function jsonPrinter(out: Terminal): Show {
	return (topic, data) => out.line(JSON.stringify({ topic, atMs: Date.now(), data }));
}

const STYLES: Readonly<Record<string, Style>> = {
	state: "green",
	events: "magenta",
	logs: "cyan",
	queue: "yellow",
	dropped: "red",
};

/** One line per thing that happened: what changed, rather than all there is. */
function linePrinter(out: Terminal): Show {
	const last = new Map<string, unknown>();
	return (topic, data) => {
		const before = last.get(topic);
		last.set(topic, data);
		const time = new Date().toISOString().slice(11, 23);
		const name = topic.padEnd(12);
		for (const text of linesOf(topic, data, before)) {
			const label = STYLES[topic] ? out.style(STYLES[topic], name) : name;
			out.line(`${out.style("dim", time)}  ${label}${printable(shortened(text, 500))}`);
		}
	};
}

/** `before` is undefined for the first of a topic. */
function linesOf(topic: string, data: unknown, before: unknown): string[] {
	switch (topic) {
		case "state":
			return stateLines(data as StateAnswer, before as StateAnswer | undefined);
		case "connections":
			return connectionLines(data as ConnectionsAnswer, before as ConnectionsAnswer | undefined);
		case "queue": {
			const { size, maxSize } = data as QueueStatus;
			return [`${size} of ${maxSize} messages`];
		}
		case "schedules": {
			const { schedules } = data as SchedulesAnswer;
			const next = schedules
				.map(({ nextRunAt, action }) => ({ nextRunAt, action }))
				.sort((a, b) => a.nextRunAt - b.nextRunAt)[0];
			const when = next ? `, next ${next.action} at ${timeOf(next.nextRunAt)}` : "";
			return [`${schedules.length} scheduled${when}`];
		}
		case "lifecycle": {
			const { status, awakeBecause } = data as LifecycleReport;
			const was = before as LifecycleReport | undefined;
			const reasons = awakeBecause.join("; ");
			const isSame = was && withoutNumbers(was.awakeBecause.join("; ")) === withoutNumbers(reasons);
			if (isSame && was.status === status) return [];
			return [reasons === "" ? status : `${status}: ${reasons}`];
		}
		case "events": {
			const { name, args, connId } = data as EventEntry;
			const to = connId === undefined ? "" : ` to ${connId}`;
			return [`${name}(${JSON.stringify(args)?.slice(1, -1) ?? ""})${to}`];
		}
		case "logs": {
			const { level, message, fields } = data as LogEntry;
			const more = fields && Object.keys(fields).length > 0 ? ` ${JSON.stringify(fields)}` : "";
			return [`${level.toUpperCase()} ${message}${more}`];
		}
		case "dropped": {
			const { topic: of, count } = data as { topic: string; count: number | null };
			return count === null
				? [`some of ${of} may be missing: more happened meanwhile than the server keeps`]
				: [`${count} of ${of} were missed, because they came faster than they were read`];
		}
		default:
			return [JSON.stringify(data)];
	}
}

/** How long something has been so is no change. */
function withoutNumbers(text: string): string {
	return text.replace(/\d+/g, "#");
}

function stateLines(
	{ state, isStateEnabled }: StateAnswer,
	before: StateAnswer | undefined,
): string[] {
	if (!isStateEnabled) return [];
	if (!before) return [JSON.stringify(state)];
	const changes = changesBetween(before.state, state);
	const lines = changes.slice(0, CHANGES_SHOWN).map(({ path, ...change }) => {
		const value = "value" in change ? JSON.stringify(change.value) : "gone";
		return path === "" ? value : `${path}: ${value}`;
	});
	const hidden = changes.length - lines.length;
	return hidden > 0 ? [...lines, `and ${hidden} more changes`] : lines;
}

function connectionLines(
	{ connections }: ConnectionsAnswer,
	before: ConnectionsAnswer | undefined,
): string[] {
	const old = new Map(before?.connections.map((one) => [one.id, one]));
	const now = new Set(connections.map(({ id }) => id));
	const text = ({ type, id }: InspectedConnection) => `${type} ${id}`;
	const lines = [
		...connections.filter(({ id }) => !old.has(id)).map((one) => `+ ${text(one)}`),
		...[...old.values()].filter(({ id }) => !now.has(id)).map((one) => `- ${text(one)}`),
	];
	return before ? lines : [`${connections.length} connections`, ...lines];
}
