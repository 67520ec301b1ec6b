import { join } from "node:path";
import { exampleServer } from "example-support/server";
import { expectTranscript } from "example-support/transcript";
import { expect, it } from "vitest";

const server = exampleServer(join(import.meta.dirname, ".."));

async function call(list: string, path: string, method = "GET", body?: unknown, headers = {}) {
	const response = await fetch(`${server.pageUrl}/lists/${list}${path}`, {
		method,
		headers,
		...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
	});
	const text = await response.text();
	return {
		status: response.status,
		etag: response.headers.get("etag"),
		body: text && JSON.parse(text),
	};
}

it("does what its README shows", () => expectTranscript(server));

it("keeps lists apart, and their items over kill -9", async () => {
	expect(await call("mine", "/items", "POST", { text: "tea" })).toMatchObject({ status: 201 });
	expect((await call("yours", "/items")).body).toEqual([]);
	await server.stop("SIGKILL");
	await server.start();
	expect((await call("mine", "/items")).body).toEqual([{ id: 1, text: "tea", done: false }]);
});

it("counts versions: 304 for what is known, 412 for who saw an older one", async () => {
	const { etag } = await call("versions", "/items", "POST", { text: "tea" });
	const known = { "if-none-match": etag };
	expect(await call("versions", "/items", "GET", undefined, known)).toMatchObject({ status: 304 });
	const seen = { "if-match": etag };
	const change = () => call("versions", "/items/1", "PATCH", { done: true }, seen);
	// Two who saw the same: one of them wins.
	const statuses = (await Promise.all([change(), change()])).map(({ status }) => status);
	expect(statuses.sort()).toEqual([200, 412]);
});

it.each([
	["no JSON", "POST", "/items", "hello", 400],
	["no object", "POST", "/items", "null", 400],
	["no text", "POST", "/items", {}, 400],
	["a text that is too long", "POST", "/items", { text: "x".repeat(201) }, 400],
	["a body that is too large", "POST", "/items", { text: "x".repeat(5_000) }, 413],
	["an item that is not there", "PATCH", "/items/7", { done: true }, 404],
	["another one to delete", "DELETE", "/items/7", undefined, 404],
	["a path that is not there", "GET", "/", undefined, 404],
])("refuses %s", async (_what, method, path, body, status) => {
	const refused = await call("strict", path, method, body);
	expect(refused).toMatchObject({ status, body: { error: expect.any(String) } });
	expect((await call("strict", "/items")).body).toEqual([]);
});
