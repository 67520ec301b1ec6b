// Every route in every state of an actor, for every kind of caller (issue: "tested in each state and each auth mode").
import { expect, it } from "vitest";
import { actor } from "../../src/actor/definition.ts";
import { queue } from "../../src/actor/tokens.ts";
import { db } from "../../src/db/index.ts";
import { ROUTE_PATTERNS } from "../../src/runtime/inspector/http/routes.ts";
import { workflow } from "../../src/workflow/index.ts";
import { TestRuntime } from "../support/test-runtime.ts";
import { inspect } from "./support/inspect.ts";
import { tokenOf } from "./support/inspector-socket.ts";

const READS = [
	["GET", "summary"],
	["GET", "state"],
	["GET", "connections"],
	["GET", "rpcs"],
	["GET", "queue"],
	["GET", "traces"],
	["GET", "events"],
	["GET", "logs?level=warn"],
	["GET", "workflow-history"],
	["GET", "workflow"],
	["GET", "lifecycle"],
	["GET", "metrics"],
	["GET", "declarations"],
	["GET", "queue/messages"],
	["GET", "queue/dead-letters"],
	["GET", "schedules"],
	["GET", "schedules/x/history"],
	["GET", "schedules/failures"],
	["GET", "kv"],
] as const;
/** Of what is stored, where the actor does not start. */
const REPAIRS = [
	["PATCH", "state", { state: { n: 1 } }],
	["DELETE", "queue"],
	["DELETE", "queue/messages/1"],
	["POST", "queue/redrive", {}],
] as const;
const CHANGES = [
	["POST", "action/get", {}],
	["POST", "queue", { name: "jobs" }],
	["DELETE", "schedules/x"],
	["POST", "wake"],
	["GET", "database/schema"],
	["GET", "database/rows?table=t"],
	["POST", "database/execute", { sql: "SELECT 1" }],
	["POST", "workflow/pause"],
	["POST", "workflow/resume"],
	["POST", "workflow/wake"],
	["POST", "workflow/replay"],
	["GET", "workflow/export"],
	// Only a failed workflow can be recovered, and only an exported one imported: 400 for everybody who may.
	["POST", "workflow/recover", undefined, 400],
	["POST", "workflow/import", {}, 400],
	// Last: what is cancelled can not be replayed.
	["POST", "workflow/cancel"],
] as const;
type Route = readonly [method: string, path: string, body?: object | undefined, status?: number];
type Kind = "read" | "repair" | "change";
const ROUTES: readonly { readonly route: Route; readonly kind: Kind }[] = [
	...READS.map((route) => ({ route, kind: "read" as const })),
	...REPAIRS.map((route) => ({ route, kind: "repair" as const })),
	...CHANGES.map((route) => ({ route, kind: "change" as const })),
];

it("leaves no route out", () => {
	const tested = ROUTES.map(({ route: [method, path] }) => `${method} ${path.split("?")[0]}`);
	for (const pattern of ROUTE_PATTERNS) {
		const expected = new RegExp(`^${pattern.replaceAll("{}", "[^/]+")}$`);
		expect([pattern, tested.some((route) => expected.test(route))]).toEqual([pattern, true]);
	}
});

type State = "awake" | "asleep" | "failing" | "destroyed";
/** `open`: nobody, where no token is set, on loopback. */
type Caller = "nobody" | "wrong" | "configured" | "own" | "open";
const STATES: readonly State[] = ["awake", "asleep", "failing", "destroyed"];
const CALLERS: readonly Caller[] = ["nobody", "wrong", "configured", "own", "open"];

function expected(state: State, caller: Caller, kind: Kind, ok: number): number {
	if (state === "destroyed") return 404;
	if (caller === "nobody" || caller === "wrong") return 401;
	return state === "failing" && kind === "change" ? 500 : ok;
}

it.each(STATES)(
	"answers whom it should, and nobody else, about an actor that is %s",
	async (state) => {
		let fails = false;
		const subject = actor({
			state: { n: 0 },
			queues: { jobs: queue<number>() },
			db: db({ onMigrate: (d) => void d.execute("CREATE TABLE IF NOT EXISTS t (a)") }),
			onWake: () => {
				if (fails) throw new Error("broken");
			},
			run: workflow((ctx) => ctx.sleep("long", 1e12)),
			actions: { get: (c) => c.state.n },
		});
		let configured = "s3cret";
		const inspection = { token: () => configured };
		await using runtime = await TestRuntime.start({ subject }, { token: "engine", inspection });
		const id = await runtime.actorId("subject");
		const tokens: Record<Caller, string | null> = {
			nobody: null,
			wrong: "s3cret-not",
			configured: "s3cret",
			own: await tokenOf(runtime, id),
			open: null,
		};
		if (state === "destroyed") await runtime.embedded.engine.destroy(id);
		else await runtime.embedded.host.stop(id, "sleep");
		fails = state === "failing";
		if (state === "awake" || state === "failing") await runtime.action(id, "get");
		for (const { route, kind } of ROUTES) {
			const [method, path, body, ok = 200] = route;
			for (const caller of CALLERS) {
				const token = tokens[caller];
				configured = caller === "open" ? "" : "s3cret";
				const headers = token === null ? undefined : { authorization: `Bearer ${token}` };
				const { status } = await inspect(runtime, id, path, {
					method,
					...(body && { body }),
					...(headers && { headers }),
				});
				const what = [caller, method, path];
				expect([...what, status]).toEqual([...what, expected(state, caller, kind, ok)]);
				if (state !== "asleep") continue;
				const isWoken = kind !== "read" && status !== 401 && status !== 404;
				expect([...what, runtime.embedded.host.liveActorIds.length]).toEqual([
					...what,
					isWoken ? 1 : 0,
				]);
				await runtime.embedded.host.stop(id, "sleep");
			}
		}
	},
);

it("there is none of it where the inspector is disabled, whatever token comes with it", async () => {
	const subject = actor({ state: { n: 0 }, actions: { get: (c) => c.state.n } });
	const inspection = { enabled: false, token: () => "s3cret" };
	await using runtime = await TestRuntime.start({ subject }, { inspection });
	const id = await runtime.actorId("subject");
	for (const state of ["awake", "asleep"]) {
		if (state === "asleep") await runtime.embedded.host.stop(id, "sleep");
		for (const { route } of ROUTES) {
			const [method, path, body] = route;
			const headers = { authorization: "Bearer s3cret" };
			const { status } = await inspect(runtime, id, path, {
				method,
				headers,
				...(body && { body }),
			});
			expect([state, method, path, status]).toEqual([state, method, path, 404]);
		}
		expect(runtime.embedded.host.liveActorIds.length).toBe(state === "awake" ? 1 : 0);
	}
	expect((await fetch(`${runtime.url}/gateway/${id}/metrics`)).status).toBe(404);
});
