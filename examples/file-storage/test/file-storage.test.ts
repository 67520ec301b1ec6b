import { createHash, randomBytes } from "node:crypto";
import { request as httpRequest } from "node:http";
import { join } from "node:path";
import { eventually, exampleServer } from "example-support/server";
import { expectTranscript } from "example-support/transcript";
import { actor, setup } from "rivetkit";
import { createClient } from "rivetkit/client";
import { setupTest } from "rivetkit/test";
import { expect, it } from "vitest";
import { dropPending } from "../src/files.ts";
import { answer } from "../src/http.ts";
import type { registry } from "../src/registry.ts";

const server = exampleServer(join(import.meta.dirname, ".."), { RIVET_LOG_LEVEL: "error" });
const url = (path: string) => `${server.pageUrl}/buckets/${path}`;
const put = (path: string, body: Uint8Array<ArrayBuffer>) =>
	fetch(url(path), { method: "PUT", body });
const list = async (bucket: string) => (await fetch(url(`${bucket}/`))).json();

/** An upload that goes on until `end` or `leave`. */
function beginUpload(address: string) {
	const request = httpRequest(address, { method: "PUT" });
	const status = new Promise<number | string>((resolve) => {
		request.on("response", (response) => {
			response.resume();
			resolve(response.statusCode ?? 0);
		});
		request.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
	});
	return {
		request,
		status,
		send: (bytes: Uint8Array) => new Promise((sent) => request.write(bytes, sent)),
	};
}

it("does what its README shows", () => expectTranscript(server));

it("gives back the bytes it got, whole and in ranges, also after kill -9", async () => {
	const bytes = new Uint8Array(randomBytes(300_000));
	const sha256 = createHash("sha256").update(bytes).digest("hex");
	const stored = await put("crash/file", bytes);
	expect(stored.status).toBe(201);
	expect(await stored.json()).toEqual({ name: "file", size: 300_000, sha256 });
	await server.stop("SIGKILL");
	await server.start();
	const read = async (headers = {}) => {
		const response = await fetch(url("crash/file"), { headers });
		return { status: response.status, bytes: new Uint8Array(await response.arrayBuffer()) };
	};
	expect(await read()).toEqual({ status: 200, bytes });
	const ranges: [string, Uint8Array][] = [
		["0-0", bytes.subarray(0, 1)],
		["65530-65545", bytes.subarray(65_530, 65_546)],
		["131072-", bytes.subarray(131_072)],
		["-10", bytes.subarray(-10)],
		["299999-400000", bytes.subarray(299_999)],
	];
	for (const [range, expected] of ranges) {
		expect(await read({ range: `bytes=${range}` }), range).toEqual({
			status: 206,
			bytes: expected,
		});
	}
	expect(await read({ range: "bytes=300000-" })).toMatchObject({ status: 416 });
	expect(await read({ range: "bytes=0-9", "if-range": '"another"' })).toMatchObject({
		status: 200,
	});
	expect(await read({ "if-none-match": `"${sha256}"` })).toMatchObject({ status: 304 });
});

it("replaces a file in one step, and counts what is stored", async () => {
	await put("replace/a", new Uint8Array(100_000).fill(1));
	const { request, status, send } = beginUpload(url("replace/a"));
	await send(new Uint8Array(70_000).fill(2));
	const during = new Uint8Array(await (await fetch(url("replace/a"))).arrayBuffer());
	expect([during.length, during[0]]).toEqual([100_000, 1]);
	request.end();
	expect(await status).toBe(200);
	const after = new Uint8Array(await (await fetch(url("replace/a"))).arrayBuffer());
	expect([after.length, after[0]]).toEqual([70_000, 2]);
	expect(await list("replace")).toMatchObject({ used: 70_000, files: [{ name: "a" }] });
	expect((await fetch(url("replace/a"), { method: "DELETE" })).status).toBe(204);
	expect(await list("replace")).toEqual({ used: 0, files: [] });
});

/** The bucket's own code, in an actor that also tells its keys and can leave behind what a crash would. */
const probe = actor({
	state: { used: 0 },
	onWake: (c) => dropPending(c.kv),
	onRequest: (c, request) => answer(c.kv, c.state, request),
	actions: {
		keys: async (c) => (await c.kv.list()).map(([key]) => key),
		crash: async (c) => {
			await c.kv.put("pending:1", "");
			await c.kv.put("chunk:1:00000000", "cut off");
			c.sleep();
		},
	},
});

it("keeps nothing of an upload whose client leaves, or that a crash cuts off", async (context) => {
	const { client } = await setupTest(context, setup({ use: { probe } }));
	const bucket = client.probe.getOrCreate(["one"]);
	await bucket.fetch("/kept", { method: "PUT", body: "kept" });
	const keys = await bucket.keys();
	expect(keys).toHaveLength(2);

	const upload = beginUpload(`${await bucket.getGatewayUrl()}/request/leaves`);
	await upload.send(new Uint8Array(200_000));
	await eventually(async () => expect((await bucket.keys()).length).toBeGreaterThan(keys.length));
	upload.request.destroy();
	expect(await upload.status).toBe("ECONNRESET");
	await eventually(async () => expect(await bucket.keys()).toEqual(keys));

	await bucket.crash();
	await eventually(async () => expect(await bucket.keys()).toEqual(keys));
	expect(await (await bucket.fetch("/kept")).text()).toBe("kept");
});

it("has no upload on its way after kill -9", async () => {
	const client = createClient<typeof registry>(server.url);
	const bucket = client.bucket.getOrCreate(["cut"]);
	const upload = beginUpload(url("cut/off"));
	await upload.send(new Uint8Array(200_000));
	await eventually(async () => expect(await bucket.uploads()).toBe(1));
	await server.stop("SIGKILL");
	await upload.status;
	await server.start();
	expect(await bucket.uploads()).toBe(0);
	expect(await list("cut")).toEqual({ used: 0, files: [] });
	await client.dispose();
});

it.each([
	["with its size, before all of it is sent", 16 * 1024 * 1024 + 1],
	["without, when it has grown too large", undefined],
])("refuses a file that is too large, announced %s", async (_what, length) => {
	const headers = length === undefined ? {} : { "content-length": length };
	const request = httpRequest(url("large/file"), { method: "PUT", headers });
	const status = new Promise((resolve, reject) => {
		request.on("response", (response) => {
			response.resume();
			resolve(response.statusCode);
		});
		request.on("error", reject);
	});
	if (length === undefined)
		for (let mb = 0; mb < 17; mb++) request.write(new Uint8Array(1024 * 1024));
	else request.write(new Uint8Array(1024));
	expect(await status).toBe(413);
	request.destroy();
	expect(await list("large")).toEqual({ used: 0, files: [] });
});

it("refuses names that are paths, and what is not there", async () => {
	expect((await put("odd/..%2Fetc", new Uint8Array(1))).status).toBe(400);
	expect((await fetch(url("odd/nothing"))).status).toBe(404);
	expect((await fetch(url("odd/nothing"), { method: "POST" })).status).toBe(405);
});
