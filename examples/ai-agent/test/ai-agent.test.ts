import { join } from "node:path";
import { eventually, exampleServer } from "example-support/server";
import { createClient } from "rivetkit/client";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { registry } from "../src/registry.ts";

const server = exampleServer(join(import.meta.dirname, ".."), {
	OPENAI_API_KEY: "",
	OPENAI_BASE_URL: "",
});
let client: ReturnType<typeof createClient<typeof registry>>;
beforeAll(() => {
	client = createClient<typeof registry>(server.url);
});
afterAll(() => client.dispose());

const agent = (name: string) => client.agent.getOrCreate([name]);

/** Asks, and reads until `enough` of the pieces. */
async function ask(name: string, text: string, enough = Number.POSITIVE_INFINITY) {
	const pieces: string[] = [];
	for await (const piece of agent(name).ask(text)) {
		pieces.push(piece);
		if (pieces.length === enough) break;
	}
	return pieces;
}

it("streams replies word by word, and remembers what was said over kill -9", async () => {
	const pieces = await ask("memory", "Hello, my name is Ada.");
	expect(pieces.length).toBeGreaterThan(5);
	expect(pieces.join("")).toMatch(/^Nice to meet you, Ada!/);
	await server.stop("SIGKILL");
	await server.start();
	expect((await ask("memory", "What is my name?")).join("")).toMatch(/^Your name is Ada/);
	expect(await agent("memory").history()).toMatchObject([
		{ role: "user", status: "done" },
		{ role: "assistant", status: "done", text: pieces.join("") },
		{ role: "user" },
		{ role: "assistant", status: "done" },
	]);
});

it("ends a reply whose reader leaves, and keeps what was read", async () => {
	const pieces = await ask("leave", "Tell me everything.", 3);
	await eventually(async () => {
		const reply = (await agent("leave").history()).at(-1);
		expect(reply?.status).toBe("stopped");
		expect(reply?.text.startsWith(pieces.join(""))).toBe(true);
		expect(reply?.text.split(" ").length).toBeLessThan(20);
	});
	expect((await ask("leave", "What is my name?")).join("")).toMatch(/^You have not told me/);
});

it("has every word that was read after kill -9 in the middle", async () => {
	const read: string[] = [];
	await expect(
		(async () => {
			for await (const piece of agent("crash").ask("Tell me everything.")) {
				read.push(piece);
				if (read.length === 5) await server.stop("SIGKILL");
			}
		})(),
	).rejects.toMatchObject({ code: "stream_broken" });
	await server.start();
	const reply = (await agent("crash").history()).at(-1);
	expect(reply?.status).toBe("stopped");
	expect(reply?.text.startsWith(read.join(""))).toBe(true);
});

it("answers one question at a time, and refuses those that are too long", async () => {
	const first = agent("busy").ask("Tell me everything.")[Symbol.asyncIterator]();
	await first.next();
	await expect(ask("busy", "And me?")).rejects.toMatchObject({ code: "busy" });
	await first.return();
	await expect(ask("busy", "x".repeat(2_001))).rejects.toMatchObject({ code: "length" });
});
