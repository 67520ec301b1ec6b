import { failureOf } from "../driver-test-suite/framework.ts";
import { curl, type SuiteContext } from "./suite-context.ts";

const ENCODINGS = ["bare", "cbor", "json"] as const;
const CALLS_AT_ONCE = 50;

/** Management routes, actions in every encoding, errors and connections. */
export function callTests({ setup, expect, test }: SuiteContext): void {
	test("answers /health and /metadata, with the actors and their display names", async (subject) => {
		const health = await fetch(`${subject.endpoint}/health`);
		expect([health.status, await health.json()]).toMatchObject([
			200,
			{ status: "ok", runtime: "rivetkit" },
		]);
		const metadata = await (await fetch(`${subject.endpoint}/metadata`)).json();
		expect(metadata).toMatchObject({
			runtime: "rivetkit",
			actorNames: { probe: { metadata: { name: "Probe", icon: "🧪" } } },
		});
	});

	test("answers 404 for what is not there", async (subject) => {
		const gatewayUrl = await subject.gatewayUrl("k");
		for (const url of [`${subject.endpoint}/nowhere`, `${gatewayUrl}/nowhere`]) {
			const response = await fetch(url);
			await response.text();
			expect(response.status).toBe(404);
		}
	});

	test("carries plain JSON calls, as with curl", async (subject) => {
		const gatewayUrl = await subject.gatewayUrl("k");
		expect(await curl(gatewayUrl, "count", { args: [2] })).toEqual({
			status: 200,
			body: { output: 2 },
		});
		expect(await curl(gatewayUrl, "nothing", { args: [] })).toEqual({
			status: 200,
			body: { output: null },
		});
	});

	for (const encoding of ENCODINGS) {
		test(`carries calls and errors of clients that speak ${encoding}`, async (subject) => {
			const handle = subject.client(encoding).probe.getOrCreate(["k", "with/slash"]);
			const values = [1, "text", null, { deep: [true] }, 5n, new Uint8Array([0, 255])];
			expect(await handle.echo(...values)).toEqual(values);
			expect(await handle.count(2)).toBe(2);
			expect(await failureOf(handle.refuse())).toMatchObject({
				group: "user",
				code: "not_today",
				message: "Not today",
				metadata: { until: 5 },
			});
			expect(await failureOf(handle.action({ name: "missing", args: [] }))).toMatchObject({
				group: "action",
				code: "not_found",
			});
			const masked = (await failureOf(handle.fail())) as Error;
			expect(masked).toMatchObject({ group: "rivetkit", code: "internal_error" });
			expect(masked.message.includes("secret")).toBe(false);
		});
	}

	test("carries the key, the input and the conn params of a client untouched", async (subject) => {
		const client = subject.client("bare");
		const key = ["ä/b", "", "c?d=e&f"];
		const first = client.probe.getOrCreate(key, { params: { who: "ü (1)" } });
		expect(await first.count(1)).toBe(1);
		expect(await client.probe.get(key).count(1)).toBe(2);
		expect(await failureOf(client.probe.get(["ä/b"]).count(1))).toMatchObject({
			group: "actor",
			code: "not_found",
		});
	});

	test("answers what it cannot read with an error, and goes on", async (subject) => {
		const gatewayUrl = await subject.gatewayUrl("k");
		expect(await curl(gatewayUrl, "count", "{")).toMatchObject({
			status: 400,
			body: { group: "message", code: "malformed" },
		});
		const tooLong = { args: ["x".repeat(70_000)] };
		expect(await curl(gatewayUrl, "echo", tooLong)).toMatchObject({
			status: 400,
			body: { group: "message", code: "incoming_too_long" },
		});
		expect(await curl(gatewayUrl, "count", { args: [1] })).toMatchObject({ status: 200 });
	});

	test(`answers each of ${CALLS_AT_ONCE} calls at once`, async (subject) => {
		const handle = subject.client("bare").probe.getOrCreate(["k"]);
		const calls = Array.from({ length: CALLS_AT_ONCE }, () => handle.count(1));
		const counts = (await Promise.all(calls)).sort((a, b) => a - b);
		expect(counts).toEqual(Array.from({ length: CALLS_AT_ONCE }, (_, index) => index + 1));
	});

	test("leads connections to the actor, with calls and events in order", async (subject) => {
		const how = setup.takesUpgrades ? "stays" : "follows";
		const handle = subject.client("bare", how).probe.getOrCreate(["k"]);
		const connection = handle.connect();
		const counted: unknown[] = [];
		connection.on("counted", (count) => counted.push(count));
		expect(await connection.count(1)).toBe(1);
		expect(await connection.count(2)).toBe(3);
		expect(counted).toEqual([1, 3]);
		expect(await subject.client("bare").probe.get(["k"]).count(0)).toBe(3);
		await connection.dispose();
	});
}
