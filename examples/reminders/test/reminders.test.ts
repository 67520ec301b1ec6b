import { join } from "node:path";
import { eventually, exampleServer } from "example-support/server";
import { expectTranscript } from "example-support/transcript";
import { createClient } from "rivetkit/client";
import { setupTest } from "rivetkit/test";
import { afterAll, beforeAll, expect, it } from "vitest";
import { registry } from "../src/registry.ts";

const HOUR = 3_600_000;

const server = exampleServer(join(import.meta.dirname, ".."), { RIVET_LOG_LEVEL: "info" });
let client: ReturnType<typeof createClient<typeof registry>>;
beforeAll(() => {
	client = createClient<typeof registry>(server.url);
});
afterAll(() => client.dispose());

it("does what its README shows", () => expectTranscript(server));

it("reminds after kill -9, without being called", async () => {
	const reminders = client.reminders.getOrCreate(["crash"]);
	const at = Date.now() + 1_000;
	await reminders.remind("after the crash", at);
	await server.stop("SIGKILL");
	await server.start();
	await eventually(() => expect(server.output).toContain("reminding of after the crash"));
	expect(Date.now()).toBeGreaterThanOrEqual(at);
	expect(await reminders.list()).toMatchObject({ upcoming: [], done: [{ at }] });
});

it("sends the digest at eight in the morning where its owner is, over a change of clocks", async (context) => {
	// A Friday in Berlin; on Sunday, the clocks go forward.
	const fakeTime = { startAt: Date.UTC(2026, 2, 27, 12) };
	const { client, time } = await setupTest(context, registry, { fakeTime });
	const reminders = client.reminders.getOrCreate(["me"], {
		createWithInput: { timeZone: "Europe/Berlin" },
	});
	await reminders.remind("call home", time.now() + HOUR);
	await time.advance(18 * HOUR);
	// 07:00 of Saturday.
	expect(await reminders.list()).toMatchObject({ done: [{ text: "call home" }], digests: 0 });
	await time.advance(HOUR);
	expect(await reminders.list()).toMatchObject({ done: [], digests: 1 });
	// 23 hours later it is eight in summer time.
	await time.advance(23 * HOUR - 1);
	expect(await reminders.list()).toMatchObject({ digests: 1 });
	await time.advance(1);
	expect(await reminders.list()).toMatchObject({ digests: 2 });
});

it("does not remind of what was cancelled", async (context) => {
	const { client, time } = await setupTest(context, registry, { fakeTime: true });
	const reminders = client.reminders.getOrCreate(["me"]);
	const { id } = await reminders.remind("never mind", time.now() + HOUR);
	expect(await reminders.cancel(id)).toBe(true);
	await time.advance(2 * HOUR);
	expect(await reminders.list()).toMatchObject({ upcoming: [], done: [] });
	await expect(reminders.remind("", 0)).rejects.toMatchObject({ code: "text_length" });
});
