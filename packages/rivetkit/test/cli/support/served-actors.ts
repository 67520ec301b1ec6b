import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect } from "vitest";
import { actor } from "../../../src/actor/definition.ts";
import { queue } from "../../../src/actor/tokens.ts";
import { UserError } from "../../../src/errors/index.ts";
import { TestRuntime } from "../../support/test-runtime.ts";
import { type CliOptions, type CliOutcome, runCli, runCliHere } from "./run-cli.ts";

export const counter = actor({
	createState: (_c, input: { from: number } | undefined) => ({ count: input?.from ?? 0 }),
	queues: { jobs: queue<string>() },
	actions: {
		add: (c, amount: number) => {
			c.state.count += amount;
			return c.state.count;
		},
		read: (c) => c.state.count,
		nothing: () => {},
		remind: async (c) => {
			await c.schedule.after(3_600_000, "add", 1);
		},
		refuse: () => {
			throw new UserError("not today", { code: "closed", metadata: { until: "Monday" } });
		},
		break: () => {
			throw new Error("a secret");
		},
	},
});

const EXACT = {
	big: 2n ** 70n,
	at: new Date(86_400_000),
	bytes: Uint8Array.of(0, 255),
	map: new Map<unknown, unknown>([[1, "one"]]),
	set: new Set(["a"]),
	text: "\u001b[31mred",
	hole: undefined,
	list: ["$x", 1],
};
export const holder = actor({
	createState: () => ({ value: EXACT as unknown }),
	actions: { echo: (_c, value: unknown) => value },
});
const stateless = actor({ actions: {} });
const broken = actor({
	state: {},
	onWake: () => {
		throw new Error("no key for the door");
	},
	actions: { open: () => {} },
});

/** A server with these actors, and the command line pointed at it, for the tests of one file. */
export function serveActors() {
	let runtime: TestRuntime;
	let folder: string;

	beforeAll(async () => {
		runtime = await TestRuntime.start({ counter, holder, stateless, broken });
		folder = await mkdtemp(join(tmpdir(), "rivetkit-cli-"));
	});

	afterAll(async () => {
		await runtime[Symbol.asyncDispose]();
		await rm(folder, { recursive: true, force: true });
	});

	/** A process of its own, in a folder of its own. */
	function spawned(args: readonly string[], options: CliOptions = {}): Promise<CliOutcome> {
		const env = { RIVET_ENDPOINT: runtime.url, ...options.env };
		return runCli(args, { cwd: folder, ...options, env });
	}

	/** The same in this process, which is cheaper. */
	function cli(args: readonly string[], options: CliOptions = {}): Promise<CliOutcome> {
		return runCliHere(args, { ...options, env: { RIVET_ENDPOINT: runtime.url, ...options.env } });
	}

	/** The JSON that a command prints. */
	async function json(args: readonly string[], options: CliOptions = {}) {
		const outcome = await spawned([...args, "--json"], options);
		expect(outcome).toMatchObject({ code: 0, stderr: "" });
		return JSON.parse(outcome.stdout);
	}

	return {
		spawned,
		cli,
		json,
		get runtime(): TestRuntime {
			return runtime;
		},
		get folder(): string {
			return folder;
		},
	};
}

export const failed = (message: string) => ({
	code: 1,
	stdout: "",
	stderr: `error: ${message}\n`,
});

export const misused = (message: string) => ({
	code: 2,
	stdout: "",
	stderr: expect.stringContaining(`error: ${message}`),
});
