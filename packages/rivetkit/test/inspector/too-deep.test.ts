// Values as deep as they may be, which lie deeper in an answer than CBOR reaches.
import { expect, it } from "vitest";
import { actor } from "../../src/index.ts";
import { TestRuntime } from "../support/test-runtime.ts";
import { inspect } from "./support/inspect.ts";
import { InspectorStream } from "./support/stream.ts";

const subject = actor({
	actions: {
		plan: async (c) => {
			await c.schedule.after(3_600_000, "run", "shallow");
			await c.schedule.after(3_600_001, "run", nested(1_023));
			const args = [nested(1_023)];
			await c.cron.every({ name: "job", interval: 3_600_000, action: "run", args });
		},
		deep: () => nested(1_024),
		run: () => {},
	},
});

it("a schedule with such arguments is shown: in JSON whole, in CBOR without them", async () => {
	await using runtime = await TestRuntime.start({ subject });
	const id = await runtime.actorId("subject");
	expect((await runtime.action(id, "plan")).status).toBe(200);
	const shown = async (cbor: boolean) => {
		const { status, body } = await inspect(runtime, id, "schedules", { cbor });
		expect(status).toBe(200);
		return body.schedules;
	};
	expect(await shown(false)).toMatchObject([
		{ args: ["shallow"] },
		{ args: [expect.any(Array)] },
		{ name: "job", args: [expect.any(Array)] },
	]);
	const inCbor = [
		expect.objectContaining({ args: ["shallow"] }),
		expect.objectContaining({ action: "run", isTooDeep: true }),
		expect.objectContaining({ name: "job", isTooDeep: true }),
	];
	expect(await shown(true)).toEqual(inCbor);
	const topic = "?topics=schedules&values=cbor";
	await using stream = await InspectorStream.open(runtime, id, topic);
	expect((await stream.until("schedules")).data.schedules).toEqual(inCbor);
});

it("what cannot be shown in CBOR at all is refused in words: 406 inspector.too_deep", async () => {
	await using runtime = await TestRuntime.start({ subject });
	const id = await runtime.actorId("subject");
	const call = { method: "POST", body: {} };
	const json = await inspect(runtime, id, "action/deep", call);
	expect([json.status, json.body.output]).toEqual([200, expect.any(Array)]);
	const { status, body } = await inspect(runtime, id, "action/deep", { ...call, cbor: true });
	expect([status, body.group, body.code]).toEqual([406, "inspector", "too_deep"]);
	expect(runtime.log.filter(({ level }) => level === "error")).toEqual([]);
});

function nested(levels: number): unknown {
	let value: unknown = "deep";
	for (let level = 0; level < levels; level++) value = [value];
	return value;
}
