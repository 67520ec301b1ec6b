import { createServer } from "node:http";
import { afterEach, expect, it, onTestFinished, vi } from "vitest";
import { complete } from "../src/model.ts";

afterEach(() => vi.unstubAllEnvs());

/** A server that speaks OpenAI's API, and what it was asked. */
async function provider(status: number, pieces: readonly string[]) {
	const asked: { body: unknown; authorization: unknown; path: unknown; left: Promise<void> }[] = [];
	const server = createServer(async (request, response) => {
		let body = "";
		for await (const chunk of request) body += chunk;
		asked.push({
			body: JSON.parse(body),
			authorization: request.headers.authorization,
			path: request.url,
			left: new Promise((resolve) => response.on("close", resolve)),
		});
		response.writeHead(status, { "content-type": "text/event-stream" });
		for (const piece of pieces) response.write(piece);
		if (pieces.at(-1)?.includes("[DONE]") || status !== 200) response.end();
	});
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	onTestFinished(() => {
		server.closeAllConnections();
		server.close();
	});
	const { port } = server.address() as { port: number };
	vi.stubEnv("OPENAI_BASE_URL", `http://127.0.0.1:${port}/v1`);
	vi.stubEnv("OPENAI_API_KEY", "key");
	vi.stubEnv("OPENAI_MODEL", "small");
	return asked;
}

const token = (content: string) =>
	`data: ${JSON.stringify({ choices: [{ delta: { content } }] })}\n\n`;
const turns = [{ role: "user", text: "Hi" }] as const;
const never = new AbortController().signal;

async function collect(reply: AsyncIterable<string>): Promise<string[]> {
	const pieces: string[] = [];
	for await (const piece of reply) pieces.push(piece);
	return pieces;
}

it("streams what a provider streams, however its bytes are cut", async () => {
	const whole = `: comment\n\n${token("Hel")}${token("lo, 世界")}data: {"choices":[]}\n\ndata: [DONE]\n\n`;
	const asked = await provider(200, [whole.slice(0, 40), whole.slice(40)]);
	expect(await collect(complete(turns, never))).toEqual(["Hel", "lo, 世界"]);
	expect(asked).toMatchObject([
		{
			path: "/v1/chat/completions",
			authorization: "Bearer key",
			body: { model: "small", stream: true, messages: [{ role: "system" }, { content: "Hi" }] },
		},
	]);
});

it("says that the provider failed, and leaves it when nobody reads any more", async () => {
	await provider(429, ["slow down"]);
	await expect(collect(complete(turns, never))).rejects.toMatchObject({ code: "model_failed" });
	const asked = await provider(200, [token("one")]);
	for await (const piece of complete(turns, never)) {
		expect(piece).toBe("one");
		break;
	}
	await asked[0]?.left;
});
