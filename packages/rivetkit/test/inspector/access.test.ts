// Who may inspect (contract: protocol 7.1, check 72; ruling 13).
import { expect, it } from "vitest";
import { actor } from "../../src/actor/definition.ts";
import { InspectorAccess } from "../../src/runtime/inspector/access.ts";
import { recordingLogger, TestRuntime } from "../support/test-runtime.ts";
import { inspect } from "./support/inspect.ts";

const subject = actor({ state: { n: 1 }, actions: { get: (c) => c.state.n } });

const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });

async function actorToken(runtime: TestRuntime, actorId: string): Promise<string> {
	const response = await fetch(`${runtime.url}/actors/${actorId}/kv/keys/Aw==`, {
		headers: { "x-rivet-token": "engine" },
	});
	const { value } = (await response.json()) as { value: string | null };
	return Buffer.from(value ?? "", "base64").toString("utf8");
}

it("a configured token opens every route of every actor, awake or asleep; nothing else does", async () => {
	const inspection = { token: () => "s3cret", isOpen: () => true };
	await using runtime = await TestRuntime.start({ subject }, { inspection, token: "engine" });
	const id = await runtime.actorId("subject");
	for (const state of ["awake", "asleep"]) {
		if (state === "asleep") await runtime.embedded.host.stop(id, "sleep");
		const status = async (headers: Record<string, string>) =>
			(await inspect(runtime, id, "state", { headers })).status;
		expect([state, await status({ authorization: "Bearer s3cret" })]).toEqual([state, 200]);
		expect(await status({ authorization: "bearer s3cret" })).toBe(200);
		expect(await status({ authorization: "s3cret" })).toBe(200);
		for (const wrong of ["", "Bearer", "Bearer ", "Bearer s3cre", "Bearer s3cret2", "S3CRET"]) {
			expect([wrong, await status({ authorization: wrong })]).toEqual([wrong, 401]);
		}
		expect(await status({})).toBe(401);
		expect(await status({ "x-rivet-token": "s3cret" })).toBe(401);
	}
	const refused = await inspect(runtime, id, "action/get", { method: "POST" });
	expect(refused).toMatchObject({
		status: 401,
		body: { group: "inspector", code: "unauthorized", metadata: null },
	});
	// Who is refused wakes nobody, and hears nothing of what routes there are.
	expect((await inspect(runtime, id, "nothing")).status).toBe(401);
	expect(runtime.embedded.host.liveActorIds).toEqual([]);
});

it.each([
	["none is sent where one is set", "s3cret", {}, /wants a token: its RIVET_INSPECTOR_TOKEN/],
	["another is sent", "s3cret", bearer("wrong"), /does not open.*wants its RIVET_INSPECTOR_TOKEN/],
	["none is set", "", {}, /Set RIVET_INSPECTOR_TOKEN where it runs, or `setup\(/],
	["none is set and one is sent", "", bearer("any"), /Set RIVET_INSPECTOR_TOKEN where it runs/],
])("a refusal says which token is wanted when %s", async (_, configured, options, says) => {
	const inspection = { token: () => configured, isOpen: () => false };
	await using runtime = await TestRuntime.start({ subject }, { inspection });
	const { status, body } = await inspect(
		runtime,
		await runtime.actorId("subject"),
		"state",
		options,
	);
	expect([status, body]).toEqual([
		401,
		{
			group: "inspector",
			code: "unauthorized",
			message: expect.stringMatching(says),
			metadata: null,
		},
	]);
	expect(JSON.stringify(body)).not.toContain("s3cret");
});

it("an actor's own token opens that actor, and stays the same", async () => {
	const inspection = { token: () => "", isOpen: () => false };
	await using runtime = await TestRuntime.start({ subject }, { inspection, token: "engine" });
	const [mine, other] = [await runtime.actorId("subject"), await runtime.actorId("subject", "b")];
	expect((await inspect(runtime, mine, "state")).status).toBe(401);
	const token = await actorToken(runtime, mine);
	expect(token).toMatch(/^[\w-]{43}$/);
	expect((await inspect(runtime, mine, "state", bearer(token))).status).toBe(200);
	expect((await inspect(runtime, other, "state", bearer(token))).status).toBe(401);
	await runtime.embedded.host.stop(mine, "sleep");
	expect(await actorToken(runtime, mine)).toBe(token);
	expect((await inspect(runtime, mine, "state", bearer(token))).status).toBe(200);
	// The actor can still wake: the token lies among its data.
	expect((await runtime.action(mine, "get")).status).toBe(200);
	expect((await inspect(runtime, mine, "state", bearer(token))).body.state).toEqual({ n: 1 });
});

it("a development server on loopback is open, with one warning", async () => {
	await using runtime = await TestRuntime.start({ subject });
	const id = await runtime.actorId("subject");
	expect((await inspect(runtime, id, "state")).status).toBe(200);
	expect((await inspect(runtime, id, "rpcs", bearer("whatever"))).status).toBe(200);
	const warnings = runtime.log.filter(({ level }) => level === "warn");
	expect(warnings.map(({ message }) => message)).toEqual([
		expect.stringContaining("RIVET_INSPECTOR_TOKEN"),
	]);
});

it("a page of another origin, or a name that only resolves to loopback, needs a token there, too", async () => {
	await using runtime = await TestRuntime.start({ subject });
	const id = await runtime.actorId("subject");
	const status = async (origin: string) =>
		(await inspect(runtime, id, "state", { headers: { origin } })).status;
	expect(await status("http://localhost:5173")).toBe(200);
	expect(await status("http://127.0.0.1:6420")).toBe(200);
	expect(await status("http://[::1]:80")).toBe(200);
	expect(await status("https://evil.example")).toBe(401);
	expect(await status("null")).toBe(401);
	expect(await status("http://localhost.evil.example")).toBe(401);
	// `fetch` does not let the host be set.
	const access = new InspectorAccess(
		{ enabled: true, token: () => "", isOpen: () => true },
		recordingLogger([]),
	);
	const opens = (host: string, peerAddress: string | undefined) =>
		access
			.checkRequest(
				{
					headers: { get: (name) => (name === "host" ? host : null), entries: () => [] },
					peerAddress,
				},
				async () => null,
			)
			.then(
				() => true,
				() => false,
			);
	expect(await opens("127.0.0.1:6420", "127.0.0.1")).toBe(true);
	expect(await opens("localhost", "::ffff:127.0.0.1")).toBe(true);
	expect(await opens("rebound.example", "127.0.0.1")).toBe(false);
	expect(await opens("127.0.0.1", "192.168.1.5")).toBe(false);
	expect(await opens("127.0.0.1", undefined)).toBe(false);
});

it("a server that others reach, and a fetch-style handler, are closed without a token", async () => {
	await using runtime = await TestRuntime.start(
		{ subject },
		{ inspection: { isOpen: () => false } },
	);
	const id = await runtime.actorId("subject");
	expect((await inspect(runtime, id, "state")).status).toBe(401);
	await using open = await TestRuntime.start({ subject });
	const other = await open.actorId("subject");
	const url = `http://127.0.0.1/gateway/${other}/inspector/state`;
	expect((await open.embedded.engine.fetch(new Request(url))).status).toBe(401);
});

it("an inspector that is switched off is not there", async () => {
	const inspection = { enabled: false, token: () => "s3cret" };
	await using runtime = await TestRuntime.start({ subject }, { inspection });
	const id = await runtime.actorId("subject");
	for (const state of ["awake", "asleep"]) {
		if (state === "asleep") await runtime.embedded.host.stop(id, "sleep");
		const answer = await inspect(runtime, id, "state", bearer("s3cret"));
		expect([state, answer.status, answer.body]).toEqual([state, 404, "Not Found (RivetKit)"]);
	}
});
