import { resolve } from "node:path";
import { z } from "zod";
import {
	callAction,
	destroyActor,
	findActor,
	importActor,
	listActors,
	readState,
	replaceState,
	reportActor,
	STATUSES,
} from "../actors.ts";
import { parseAddress, parseNameAndKey } from "../address.ts";
import { CommandFailed, UsageError } from "../failure.ts";
import { defaultFile, readFile, writeFile } from "../files.ts";
import { DEFAULT_TOPICS, followActor, TOPICS } from "../follow.ts";
import { fromExactData, toExactData } from "../output/exact-json.ts";
import type { Server } from "../server/server.ts";

/** What an agent can do. */
export interface Tool {
	readonly name: string;
	readonly title: string;
	readonly description: string;
	readonly input: z.ZodObject;
	readonly output: z.ZodObject;
	readonly annotations: {
		readonly readOnlyHint: boolean;
		readonly destructiveHint: boolean;
		readonly idempotentHint: boolean;
		/** All of it happens on the one server. */
		readonly openWorldHint: false;
	};
	/** Throws {@link CommandFailed}. */
	run(server: Server, input: unknown, signal: AbortSignal): Promise<Record<string, unknown>>;
}

interface ToolSpec<Input extends z.ZodObject> extends Omit<Tool, "input" | "annotations" | "run"> {
	readonly input: Input;
	readonly does: "reads" | "changes" | "destroys";
	readonly idempotent?: boolean;
	run(
		server: Server,
		input: z.output<Input>,
		signal: AbortSignal,
	): Promise<Record<string, unknown>>;
}

function tool<Input extends z.ZodObject>(spec: ToolSpec<Input>): Tool {
	const { does, idempotent = does === "reads", ...rest } = spec;
	return {
		...rest,
		annotations: {
			readOnlyHint: does === "reads",
			destructiveHint: does === "destroys",
			idempotentHint: idempotent,
			openWorldHint: false,
		},
		run: (server, input, signal) => spec.run(server, input as z.output<Input>, signal),
	};
}

const actor = z
	.string()
	.describe(
		"NAME/KEY (several parts: NAME/PART/PART; the empty key: NAME/; a slash within a part: \\/), or an actor's id",
	);
const value = z
	.unknown()
	.describe(
		'JSON; what it has no form for as a tagged pair: ["$BigInt","5"], ["$Date","<ISO>"], …',
	);
const listed = z.object({
	id: z.string(),
	name: z.string(),
	key: z.array(z.string()),
	status: z.enum(STATUSES),
	createdAtMs: z.number(),
	startedAtMs: z.number().nullable(),
	sleptAtMs: z.number().nullable(),
	destroyedAtMs: z.number().nullable(),
});

/** Events that one answer has. */
const WATCHED_MAX = 500;

export const TOOLS: readonly Tool[] = [
	tool({
		name: "list_actors",
		title: "List actors",
		description: "Lists actors, newest first, with what they do now.",
		does: "reads",
		input: z.strictObject({
			name: z.string().optional().describe("Only actors of this name; default: of all names"),
			status: z.enum(STATUSES).optional(),
			limit: z.int().min(1).max(1_000).default(50),
			after: z.string().optional().describe("`next` of the page before"),
		}),
		output: z.object({
			actors: z.array(listed),
			next: z.string().nullable().describe("`after` of the next page; null on the last one"),
		}),
		run: async (server, query) => ({ ...(await listActors(server, query)) }),
	}),
	tool({
		name: "get_actor",
		title: "Get actor",
		description:
			"Shows all about one actor: why it is awake, its state, actions, connections, queue and schedules. Does not wake it.",
		does: "reads",
		input: z.strictObject({ actor }),
		output: z.looseObject({ actor: listed, actions: z.array(z.string()) }),
		run: async (server, { actor: text }) =>
			toExactData(await reportActor(server, parseAddress(text))) as Record<string, unknown>,
	}),
	tool({
		name: "read_state",
		title: "Read state",
		description: "The whole state of an actor. Does not wake it.",
		does: "reads",
		input: z.strictObject({ actor }),
		output: z.object({
			state: value,
			etag: z
				.string()
				.nullable()
				.describe("Which version this is, for replace_state; null where the server tells none"),
		}),
		async run(server, { actor: text }) {
			const { state, etag } = await readState(server, parseAddress(text));
			return { state: toExactData(state), etag };
		},
	}),
	tool({
		name: "watch_actor",
		title: "Watch actor",
		description:
			"Follows an actor for some seconds, and tells what happened: state changes, connections, queue, schedules, events, log lines. Does not wake it.",
		does: "reads",
		input: z.strictObject({
			actor,
			seconds: z.number().min(0.1).max(60).default(5),
			topics: z
				.array(z.enum(TOPICS))
				.min(1)
				.default([...DEFAULT_TOPICS]),
		}),
		output: z.object({
			events: z
				.array(z.object({ topic: z.string(), atMs: z.number(), data: z.unknown() }))
				.describe(
					"In order; the first of most topics says how it was. `lost`: the server went away, or ended the stream; `back`: it goes on",
				),
			truncated: z.boolean().describe(`Whether it ended early, after ${WATCHED_MAX} events`),
			ended: z.string().nullable().describe("Why there will be no more; null when there may be"),
		}),
		async run(server, { actor: text, seconds, topics }, signal) {
			const { id } = await findActor(server, parseAddress(text));
			const full = new AbortController();
			const events: { topic: string; atMs: number; data: unknown }[] = [];
			const onEvent = (topic: string, data: unknown) => {
				if (events.length < WATCHED_MAX) events.push({ topic, atMs: Date.now(), data });
				else full.abort();
			};
			const ended = await followActor(server, id, {
				topics,
				signal: AbortSignal.any([signal, full.signal, AbortSignal.timeout(seconds * 1_000)]),
				onEvent,
				onLost: (why) => onEvent("lost", { why }),
				onBack: () => onEvent("back", {}),
			});
			return { events, truncated: full.signal.aborted, ended };
		},
	}),
	tool({
		name: "call_action",
		title: "Call action",
		description:
			"Runs an action of an actor, waking it if it sleeps. What it does is up to the actor's own code; get_actor names the actions.",
		// Nobody knows what an action does.
		does: "destroys",
		idempotent: false,
		input: z.strictObject({
			actor,
			action: z.string(),
			args: z.array(value).default([]),
			create: z
				.boolean()
				.default(false)
				.describe("Make the actor if there is none; needs NAME/KEY"),
			input: value.optional().describe("What a new actor gets; with create"),
		}),
		output: z.object({ output: value.optional() }),
		async run(server, { actor: text, action, args, create, input }, signal) {
			const address = parseAddress(text);
			if (create && address.kind === "id") {
				throw new UsageError("create needs NAME/KEY: an id is given to an actor when it is made.");
			}
			const output = await callAction(server, {
				address,
				action,
				args: args.map((argument, index) => exact(argument, `args[${index}]`)),
				signal,
				...(create
					? { create: { input: input === undefined ? undefined : exact(input, "input") } }
					: {}),
			});
			return output === undefined ? {} : { output: toExactData(output) };
		},
	}),
	tool({
		name: "replace_state",
		title: "Replace state",
		description:
			"Replaces the whole state of an actor, waking it if it sleeps. Read it first, and send it back with the change and the etag of read_state.",
		does: "destroys",
		idempotent: true,
		input: z.strictObject({
			actor,
			state: value,
			etag: z
				.string()
				.regex(/^"[\x21\x23-\x7e]*"$/, "no etag: it is in quotes, which are part of it")
				.nullish()
				.describe(
					"Of read_state: nothing is replaced when the state has been changed since. Default: whatever is there is replaced",
				),
		}),
		output: z.object({ ok: z.literal(true) }),
		async run(server, { actor: text, state, etag }) {
			await replaceState(server, parseAddress(text), {
				state: exact(state, "state"),
				etag: etag ?? undefined,
			});
			return { ok: true };
		},
	}),
	tool({
		name: "destroy_actor",
		title: "Destroy actor",
		description: "Destroys an actor with all its data. There is no way back but an export.",
		does: "destroys",
		idempotent: true,
		input: z.strictObject({ actor }),
		output: z.object({ destroyed: z.string().describe("Its id") }),
		async run(server, { actor: text }) {
			const { id } = await findActor(server, parseAddress(text));
			await destroyActor(server, id);
			return { destroyed: id };
		},
	}),
	tool({
		name: "export_actor",
		title: "Export actor",
		description:
			"Writes an actor with all its data to a file on this machine, as its last commit left it. Does not wake it. A file that is there is kept.",
		does: "changes",
		input: z.strictObject({
			actor,
			file: z.string().optional().describe("Default: NAME-KEY.rivetactor in the server's folder"),
		}),
		output: z.object({ actor: listed, file: z.string(), bytes: z.number() }),
		async run(server, { actor: text, file }) {
			const found = await findActor(server, parseAddress(text));
			const path = resolve(file ?? defaultFile(found));
			const bytes = await writeFile(await server.exportActor(found.id), path, { force: false });
			return { actor: found, file: path, bytes };
		},
	}),
	tool({
		name: "import_actor",
		title: "Import actor",
		description: "Makes an actor of the file of an exported one, with an id of its own, asleep.",
		does: "destroys",
		idempotent: false,
		input: z.strictObject({
			file: z.string(),
			as: z.string().optional().describe("NAME/KEY; default: those in the file"),
			replace: z.boolean().default(false).describe("Destroy the actor that has the name and key"),
		}),
		output: z.object({ actor: listed, replaced: z.string().nullable() }),
		async run(server, { file, as, replace }) {
			if (file === "-") throw new UsageError("file must be the path of a file.");
			return {
				...(await importActor(server, await readFile(file), {
					as: as === undefined ? undefined : parseNameAndKey(as),
					replace,
				})),
			};
		},
	}),
];

function exact(data: unknown, what: string): unknown {
	try {
		return fromExactData(data);
	} catch (error) {
		throw new CommandFailed(`${what}: ${(error as Error).message}.`);
	}
}
