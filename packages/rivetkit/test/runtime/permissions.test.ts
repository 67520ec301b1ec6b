import { describe, expect, it } from "vitest";
import { actor } from "../../src/actor/definition.ts";
import { db } from "../../src/db/index.ts";
import { eventually } from "../support/eventually.ts";
import { TestRuntime } from "../support/test-runtime.ts";
import { codeOf, wireAction } from "../support/wire-http.ts";

/** What a call does at one place. "later": not part of this release. "refused": names the place. */
type Verdict = "ok" | "later" | "refused" | "stopping" | "closed";

interface AnyContext {
	readonly actorId: string;
	state: { n: number };
	readonly vars: { v: number };
	readonly kv: { get(key: string): unknown };
	readonly db: { execute(sql: string): unknown };
	readonly queue: {
		send(name: string, body: unknown): unknown;
		next(options: object): unknown;
		tryNext(): unknown;
	};
	readonly schedule: { after(ms: number, action: string): unknown };
	readonly cron: { set(options: object): unknown };
	readonly conns: { size: number };
	readonly log: { info(message: string): void };
	broadcast(name: string): void;
	saveState(): Promise<void>;
	waitUntil(promise: Promise<unknown>): void;
	keepAwake<T>(promise: Promise<T>): Promise<T>;
	atomic(work: () => void): unknown;
	client(): Record<
		"subject" | "other",
		{ getOrCreate(key: string[]): { echo(n: number): Promise<number> } }
	>;
}

const OPERATIONS: Readonly<Record<string, (c: AnyContext) => unknown>> = {
	"state read": (c) => c.state.n,
	"state write": (c) => {
		c.state.n++;
	},
	vars: (c) => c.vars.v,
	kv: (c) => c.kv.get("k"),
	db: (c) => c.db.execute("select 1"),
	"queue.send": (c) => c.queue.send("q", 1),
	"queue.next": (c) => c.queue.next({ names: ["other"], timeout: 1 }),
	"queue.tryNext": (c) => c.queue.tryNext(),
	schedule: (c) => c.schedule.after(3_600_000, "echo"),
	cron: (c) => c.cron.set({ name: "yearly", expression: "0 0 1 1 *", action: "echo" }),
	atomic: (c) => c.atomic(() => {}),
	"call others": (c) => c.client().other.getOrCreate(["x"]).echo(1),
	"call itself": (c) => c.client().subject.getOrCreate(["self"]).echo(1),
	broadcast: (c) => c.broadcast("nobody"),
	saveState: (c) => c.saveState(),
	waitUntil: (c) => c.waitUntil(Promise.resolve()),
	keepAwake: (c) => c.keepAwake(Promise.resolve(1)),
	conns: (c) => c.conns.size,
	log: (c) => c.log.info("here"),
};

const PLACES = [
	"onMigrate",
	"createState",
	"onCreate",
	"createVars",
	"onWake",
	"action",
	"onSleep",
	"onDestroy",
	"after the stop",
] as const;
type Place = (typeof PLACES)[number];

/** The required column of lifecycle 4, where "ok" needs a feature of a later release: "later". */
const REQUIRED: Readonly<Record<string, Readonly<Record<Place, Verdict>>>> = (() => {
	const row = (...verdicts: Verdict[]) =>
		Object.fromEntries(PLACES.map((place, index) => [place, verdicts[index]!])) as Record<
			Place,
			Verdict
		>;
	const all = (verdict: Verdict, after: Verdict) =>
		row(...Array<Verdict>(PLACES.length - 1).fill(verdict), after);
	const fromOnCreate = (verdict: Verdict) =>
		row("refused", "refused", ...Array<Verdict>(6).fill(verdict), "stopping");
	return {
		"state read": row("refused", "refused", "ok", "ok", "ok", "ok", "ok", "ok", "ok"),
		"state write": fromOnCreate("ok"),
		vars: row("refused", "refused", "refused", "refused", "ok", "ok", "ok", "ok", "ok"),
		kv: all("ok", "stopping"),
		db: all("ok", "closed"),
		"queue.send": fromOnCreate("ok"),
		// Ruling 20: an actor that stops takes nothing more.
		"queue.next": row(
			...Array<Verdict>(5).fill("refused"),
			"ok",
			"stopping",
			"stopping",
			"stopping",
		),
		"queue.tryNext": row(
			...Array<Verdict>(4).fill("refused"),
			"ok",
			"ok",
			"stopping",
			"stopping",
			"stopping",
		),
		schedule: fromOnCreate("ok"),
		cron: fromOnCreate("ok"),
		atomic: all("ok", "stopping"),
		"call others": all("ok", "stopping"),
		"call itself": row(
			...Array<Verdict>(5).fill("refused"),
			"ok",
			"refused",
			"refused",
			"stopping",
		),
		broadcast: all("ok", "stopping"),
		saveState: fromOnCreate("ok"),
		waitUntil: fromOnCreate("ok"),
		keepAwake: all("ok", "stopping"),
		conns: all("ok", "ok"),
		log: all("ok", "ok"),
	};
})();

async function verdictOf(c: AnyContext, operation: string, place: Place): Promise<string> {
	try {
		await OPERATIONS[operation]!(c);
		return "ok";
	} catch (error) {
		const code = codeOf(error);
		const message = (error as Error).message;
		if (code === "feature.not_implemented") return "later";
		if (code === "actor.stopping") return "stopping";
		if (code === "database.closed") return "closed";
		if (code !== "actor.internal_error") return `${code}: ${message}`;
		const expected = place === "action" ? "ready" : place;
		return message.includes(`does not work in ${expected}; it works in `) ? "refused" : message;
	}
}

async function observe(operation: string): Promise<Record<string, string>> {
	const seen: Record<string, string> = {};
	let leftover: AnyContext | null = null;
	const look = async (place: Place, c: unknown) => {
		// The actor is started more than once; its first time counts.
		seen[place] ??= await verdictOf(c as AnyContext, operation, place);
	};
	const subject = actor({
		createState: async (c) => {
			await look("createState", c);
			return { n: 0 };
		},
		createVars: async (c) => {
			await look("createVars", c);
			return { v: 1 };
		},
		db: db(),
		onMigrate: (c) => look("onMigrate", c),
		onCreate: (c) => look("onCreate", c),
		onWake: (c) => look("onWake", c),
		onSleep: (c) => look("onSleep", c),
		onDestroy: (c) => look("onDestroy", c),
		actions: {
			echo: (_c, n: number) => n,
			look: async (c) => {
				await look("action", c);
			},
			nap: (c) => {
				leftover = c as never;
				c.sleep();
			},
			end: (c) => c.destroy(),
		},
	});
	const other = actor({ actions: { echo: (_c, n: number) => n } });
	await using runtime = await TestRuntime.start({ subject, other });
	const { host } = runtime.embedded;
	const id = await runtime.actorId("subject", "self");
	expect((await wireAction(runtime, id, "look")).error).toBeUndefined();
	await runtime.action(id, "nap");
	await eventually(() => expect(host.liveActorIds).not.toContain(id));
	seen["after the stop"] = await verdictOf(leftover!, operation, "after the stop");
	await runtime.action(id, "end");
	await eventually(() => expect(host.liveActorIds).not.toContain(id));
	return seen;
}

describe("L6 what works when", () => {
	it.each(Object.keys(OPERATIONS))("%s", async (operation) => {
		expect(await observe(operation)).toEqual(REQUIRED[operation]);
	});

	it("c.aborted is true in the stop hooks, and false before", async () => {
		const seen: [string, boolean, boolean][] = [];
		const look = (place: string, c: { aborted: boolean; abortSignal: AbortSignal }) => {
			seen.push([place, c.aborted, c.abortSignal.aborted]);
		};
		const subject = actor({
			onWake: (c) => look("onWake", c),
			onSleep: (c) => look("onSleep", c),
			onDestroy: (c) => look("onDestroy", c),
			actions: { nap: (c) => c.sleep(), end: (c) => c.destroy() },
		});
		await using runtime = await TestRuntime.start({ subject });
		const id = await runtime.actorId("subject");
		await runtime.action(id, "nap");
		await eventually(() => expect(seen.at(-1)).toEqual(["onSleep", true, true]));
		await runtime.action(id, "end");
		await eventually(() => expect(seen.at(-1)).toEqual(["onDestroy", true, true]));
		expect(seen.filter(([place]) => place === "onWake")).toEqual([
			["onWake", false, false],
			["onWake", false, false],
		]);
	});

	it("c.db says that no database is defined when there is none", async () => {
		const subject = actor({ actions: { db: (c) => (c as { db: unknown }).db } });
		await using runtime = await TestRuntime.start({ subject }, { exposeErrors: true });
		const id = await runtime.actorId("subject");
		expect(codeOf(await wireAction(runtime, id, "db"))).toBe("database.not_enabled");
	});

	it("names what is missing for state, vars and connection state (A11), and masks it for callers", async () => {
		const subject = actor({
			actions: {
				state: (c) => c.state,
				assign: (c) => {
					(c as { state: unknown }).state = 1;
				},
				vars: (c) => c.vars,
				connState: (c) => c.conn.state,
			},
		});
		const codes = {
			state: "actor.state_not_enabled",
			assign: "actor.state_not_enabled",
			vars: "actor.vars_not_enabled",
			connState: "actor.conn_state_not_enabled",
		};
		for (const exposeErrors of [true, false]) {
			await using runtime = await TestRuntime.start({ subject }, { exposeErrors });
			const id = await runtime.actorId("subject");
			for (const [action, code] of Object.entries(codes)) {
				const answer = await wireAction(runtime, id, action);
				expect(codeOf(answer)).toBe(exposeErrors ? code : "rivetkit.internal_error");
			}
		}
	});
});
