import { HEADER_STREAM } from "@rivetkit/protocol";
import { curl, type SuiteContext } from "./suite-context.ts";

const LARGE_BODY_BYTES = 1024 * 1024;
const POLL_MS = 5;

/** Resolves when the actor counts one caller of this kind. */
async function until(gatewayUrl: string, what: "ticking" | "hanging" | "left"): Promise<void> {
	for (;;) {
		const { body } = await curl(gatewayUrl, "callers", { args: [] });
		const { output } = body as { output: Record<typeof what, number> };
		if (output[what] === 1) return;
		await new Promise((resolve) => setTimeout(resolve, POLL_MS));
	}
}

/** `onRequest`: what a server passes on byte by byte, and when. */
export function rawTests({ expect, test }: SuiteContext): void {
	test("passes path and query of raw requests on as they came", async (subject) => {
		const gatewayUrl = await subject.gatewayUrl("k");
		const path = "/a%2Fb/c%20d?x=%20&y=1+2&y=3";
		const response = await fetch(`${gatewayUrl}/request${path}`);
		expect(await response.text()).toBe(path);
	});

	test("passes method, headers, status and several cookies on", async (subject) => {
		const gatewayUrl = await subject.gatewayUrl("k");
		const response = await fetch(`${gatewayUrl}/request/echo`, {
			method: "PATCH",
			headers: { "content-type": "text/x-odd", "x-asked": "this" },
			body: "text",
		});
		expect(response.status).toBe(207);
		expect(response.headers.get("content-type")).toBe("text/x-odd");
		expect(response.headers.get("x-seen")).toBe("PATCH this");
		expect(response.headers.getSetCookie()).toEqual(["a=1", "b=2"]);
		expect(await response.text()).toBe("text");
	});

	test("answers HEAD without a body", async (subject) => {
		const gatewayUrl = await subject.gatewayUrl("k");
		const response = await fetch(`${gatewayUrl}/request/anything`, { method: "HEAD" });
		expect([response.status, await response.text()]).toEqual([200, ""]);
	});

	test("carries a body of 1 MiB both ways, byte for byte", async (subject) => {
		const gatewayUrl = await subject.gatewayUrl("k");
		const body = new Uint8Array(LARGE_BODY_BYTES);
		for (let at = 0; at < body.length; at++) body[at] = at % 251;
		const response = await fetch(`${gatewayUrl}/request/echo`, { method: "POST", body });
		const echoed = new Uint8Array(await response.arrayBuffer());
		expect(echoed.byteLength).toBe(LARGE_BODY_BYTES);
		expect(echoed.every((byte, at) => byte === body[at])).toBe(true);
	});

	test("streams a response: each chunk arrives when it is written", async (subject) => {
		const gatewayUrl = await subject.gatewayUrl("k");
		const tick = (chunk: string | null) => curl(gatewayUrl, "tick", { args: [chunk] });
		// Some servers send the head with the first chunk.
		const pending = fetch(`${gatewayUrl}/request/ticks`);
		await until(gatewayUrl, "ticking");
		await tick("one");
		const { body } = await pending;
		const reader = body!.pipeThrough(new TextDecoderStream()).getReader();
		expect(await reader.read()).toEqual({ done: false, value: "one" });
		await tick("two");
		expect(await reader.read()).toEqual({ done: false, value: "two" });
		await tick(null);
		expect((await reader.read()).done).toBe(true);
	});

	test("ends a streamed response when its reader goes away", async (subject) => {
		const gatewayUrl = await subject.gatewayUrl("k");
		const leaving = new AbortController();
		const pending = fetch(`${gatewayUrl}/request/ticks`, { signal: leaving.signal });
		await until(gatewayUrl, "ticking");
		await curl(gatewayUrl, "tick", { args: ["data: one\n\n"] });
		await (await pending).body!.getReader().read();
		leaving.abort();
		await until(gatewayUrl, "left");
	});

	test("streams an action, and ends it when its reader goes away", async (subject) => {
		const gatewayUrl = await subject.gatewayUrl("k");
		const leaving = new AbortController();
		const response = await fetch(`${gatewayUrl}/action/stream`, {
			method: "POST",
			headers: { [HEADER_STREAM]: "1" },
			body: JSON.stringify({ args: [] }),
			signal: leaving.signal,
		});
		const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
		expect(await reader.read()).toEqual({ done: false, value: '{"value":"first"}\n' });
		leaving.abort();
		expect(((await reader.read().catch((error) => error)) as Error).name).toBe("AbortError");
		await until(gatewayUrl, "left");
	});

	test("tells the actor's request signal when the caller goes away", async (subject) => {
		const gatewayUrl = await subject.gatewayUrl("k");
		const leaving = new AbortController();
		const call = fetch(`${gatewayUrl}/request/hang`, { signal: leaving.signal }).catch(
			(error: Error) => error.name,
		);
		await until(gatewayUrl, "hanging");
		leaving.abort();
		expect(await call).toBe("AbortError");
		await until(gatewayUrl, "left");
	});

	test("answers browsers of other origins: preflights, results and errors", async (subject) => {
		const gatewayUrl = await subject.gatewayUrl("k");
		const origin = "https://app.example";
		const preflight = await fetch(`${gatewayUrl}/action/count`, {
			method: "OPTIONS",
			headers: {
				origin,
				"access-control-request-method": "POST",
				"access-control-request-headers": "x-rivet-encoding",
			},
		});
		expect(preflight.status).toBe(204);
		expect(preflight.headers.get("access-control-allow-origin")).toBe(origin);
		expect(preflight.headers.get("access-control-allow-headers")).toBe("x-rivet-encoding");
		for (const action of ["count", "missing"]) {
			const answer = await fetch(`${gatewayUrl}/action/${action}`, {
				method: "POST",
				headers: { origin },
				body: JSON.stringify({ args: [1] }),
			});
			await answer.text();
			expect(answer.headers.get("access-control-allow-origin")).toBe(origin);
			expect(answer.headers.get("access-control-allow-credentials")).toBe("true");
		}
	});
}
