/** Our bytes against the running server of the published package, and its answers against ours. */
import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
	type ApiGetOrCreateActorResponse,
	buildSubprotocols,
	decodeCbor,
	decodeToClient,
	ENCODINGS,
	type Encoding,
	encodeCbor,
	encodeConnParamsHeader,
	encodeHttpActionRequest,
	encodeHttpQueueSendRequest,
	encodeHttpResponseError,
	encodeToClient,
	encodeToServer,
	gatewayPath,
	HEADER_CONN_PARAMS,
	HEADER_ENCODING,
	parseKey,
	type ToClient,
	type ToServer,
} from "../../src/index.ts";
import {
	CODECS,
	type GoldenMessage,
	goldenGatewayPaths,
	goldenKeys,
	goldenMessages,
	goldenValues,
	shown,
	type Wire,
	wire,
} from "../support/golden.ts";
import { fromHex } from "../support/hex.ts";
import { expectSame } from "../support/same.ts";
import { VALUES } from "../support/values.ts";
import { type PublishedServer, startPublishedServer } from "./published-server.ts";
import { Mailbox } from "./recorder.ts";

let server: PublishedServer;
let actorId: string;

beforeAll(async () => {
	server = await startPublishedServer();
	actorId = (await getOrCreate("/")).actor.actor_id;
});
afterAll(async () => {
	await server[Symbol.asyncDispose]();
});

async function getOrCreate(key: string): Promise<ApiGetOrCreateActorResponse> {
	const response = await fetch(`${server.url}/actors?namespace=default`, {
		method: "PUT",
		headers: { "content-type": "application/json" },
		body: JSON.stringify({
			name: "echo",
			key,
			runner_name_selector: "default",
			crash_policy: "sleep",
		}),
	});
	expect(response.status).toBe(200);
	return (await response.json()) as ApiGetOrCreateActorResponse;
}

/** Posts a body to the actor; the answer's bytes, or its text in JSON. */
async function post(
	encoding: Encoding,
	path: string,
	body: Wire,
	headers = {},
): Promise<{ status: number; data: Wire }> {
	const response = await fetch(server.url + gatewayPath(actorId, null, path), {
		method: "POST",
		headers: { [HEADER_ENCODING]: encoding, ...headers },
		body: body as string,
	});
	const bytes = new Uint8Array(await response.arrayBuffer());
	return {
		status: response.status,
		data: encoding === "json" ? new TextDecoder().decode(bytes) : bytes,
	};
}

/**
 * Whether a peer's message is what ours would be, byte by byte; in CBOR up to the width of map heads,
 * which the reference always writes with 16 bits.
 */
function expectSameBytes(encoding: Encoding, theirs: Wire, ours: Wire): void {
	const comparable = (data: Wire) =>
		encoding === "cbor" ? shown(encodeCbor(decodeCbor(data as Uint8Array))) : shown(data);
	expect(comparable(theirs)).toBe(comparable(ours));
}

const rows = goldenMessages();
const named = (name: string): GoldenMessage => {
	const row = rows.find((candidate) => candidate.name === name);
	if (!row) throw new Error(`no golden message ${name}`);
	return row;
};
/** What a row looks like in an encoding; the form accepted from older peers where ours differs. */
const bytesOf = (row: GoldenMessage, encoding: Encoding): Wire => {
	const golden = row[encoding] ?? row.accepted?.[encoding]?.[0];
	if (golden === undefined) throw new Error(`${row.name} has no ${encoding}`);
	return wire(encoding, golden);
};

describe.each(ENCODINGS)("HTTP in %s", (encoding) => {
	it("golden actions get golden answers", async () => {
		const request = bytesOf(named("an HTTP action"), encoding);
		const { status, data } = await post(encoding, "/action/echo", request);
		expect(status).toBe(200);
		expectSameBytes(encoding, data, bytesOf(named("its HTTP response"), encoding));
	});

	it("every accepted form of an action is accepted by the reference, too", async () => {
		for (const form of named("an HTTP action").accepted?.[encoding] ?? []) {
			const { status, data } = await post(encoding, "/action/echo", wire(encoding, form));
			expect(status, form).toBe(200);
			expectSameBytes(encoding, data, bytesOf(named("its HTTP response"), encoding));
		}
	});

	it("an undefined output is the golden one", async () => {
		const { data } = await post(
			encoding,
			"/action/undef",
			encodeHttpActionRequest(encoding, { args: [] }),
		);
		expectSameBytes(encoding, data, bytesOf(named("an HTTP response with undefined"), encoding));
	});

	it("errors are the golden ones, with and without metadata", async () => {
		for (const [args, name] of [
			[[], "an HTTP error"],
			[[[1]], "an HTTP error with metadata"],
		] as [unknown[], string][]) {
			const { status, data } = await post(
				encoding,
				"/action/fail",
				encodeHttpActionRequest(encoding, { args }),
			);
			expect(status).toBe(400);
			expectSameBytes(encoding, data, bytesOf(named(name), encoding));
		}
	});

	it("an unknown action has the group, code and text of the catalogue", async () => {
		const { status, data } = await post(
			encoding,
			"/action/nope",
			encodeHttpActionRequest(encoding, { args: [] }),
		);
		expect(status).toBe(400);
		expectSameBytes(
			encoding,
			data,
			encodeHttpResponseError(encoding, {
				group: "action",
				code: "not_found",
				message: "Action 'nope' not found. Validate the action exists on your actor.",
			}),
		);
	});

	it("queue messages get the golden answers", async () => {
		for (const name of [
			"a queue message that is waited for",
			"the queue message of contract 1.10",
		]) {
			const sent = await post(encoding, "/queue/work", requestOf(name));
			expect(sent.status).toBe(200);
			expectSameBytes(encoding, sent.data, bytesOf(named("a completed queue message"), encoding));
		}
		const withName = await post(encoding, "/queue", requestOf("a queue message with its name"));
		expect(withName.status).toBe(200);
		const late = encodeHttpQueueSendRequest(encoding, { body: 1, wait: true, timeout: 0 });
		const { data } = await post(encoding, "/queue/work", late);
		expectSameBytes(
			encoding,
			data,
			bytesOf(named("a queue message that nobody completed in time"), encoding),
		);
	});

	function requestOf(name: string): Wire {
		const row = named(name);
		return row[encoding] === undefined
			? CODECS.HttpQueueSendRequest.encode(encoding, row.message)
			: bytesOf(row, encoding);
	}

	it("conn params arrive as they are", async () => {
		const params = { text: 'é😀"(),;', zero: 0 };
		const { data } = await post(
			encoding,
			"/action/params",
			encodeHttpActionRequest(encoding, { args: [] }),
			{
				[HEADER_CONN_PARAMS]: encodeConnParamsHeader(params),
			},
		);
		expect(decodeOutput(encoding, data)).toEqual(params);
	});
});

describe("values", () => {
	it.each(goldenValues())(
		"$name is the same to the reference in BARE and CBOR",
		async ({ name, cbor }) => {
			const value = VALUES[name];
			for (const encoding of ["bare", "cbor"] as const) {
				const request = encodeHttpActionRequest(encoding, { args: [value] });
				expect(shown(request)).toContain(cbor);
				const { status, data } = await post(encoding, "/action/echo", request);
				expect(status).toBe(200);
				expectSame(decodeOutput(encoding, data), [value]);
				if (hasSameBytes(name, value)) expect(shown(data)).toContain(cbor);
			}
		},
	);

	it.each(goldenValues())("$name is the same to the reference in JSON", async ({ name, json }) => {
		const request = encodeHttpActionRequest("json", { args: [VALUES[name]] });
		expect(request).toBe(`{"args":[${json}]}`);
		const { status, data } = await post("json", "/action/echo", request);
		expect(status).toBe(200);
		expect(data).toBe(`{"output":[${json}]}`);
	});
});

function decodeOutput(encoding: Encoding, data: Wire): unknown {
	return (CODECS.HttpActionResponse.decode(encoding, data) as { output: unknown }).output;
}

/**
 * The reference writes map heads with 16 bits, and integers below -2^31 as integers down to -2^32,
 * where the contract has floats. Either reads the other's form as the same value.
 */
function hasSameBytes(name: string, value: unknown): boolean {
	return name !== "just below i32" && isFreeOfMaps(value);
}

function isFreeOfMaps(value: unknown): boolean {
	if (Array.isArray(value)) return value.every(isFreeOfMaps);
	if (typeof value !== "object" || value === null) return true;
	return Object.getPrototypeOf(value) !== Object.prototype && !(value instanceof Map);
}

describe.each(ENCODINGS)("WebSocket in %s", (encoding) => {
	async function connect(params?: unknown) {
		const url = server.url.replace("http", "ws") + gatewayPath(actorId, null, "/connect");
		const socket = new WebSocket(url, buildSubprotocols({ encoding, connParams: params }));
		socket.binaryType = "arraybuffer";
		const frames = new Mailbox<Wire>();
		socket.onmessage = ({ data }) =>
			frames.put(typeof data === "string" ? data : new Uint8Array(data as ArrayBuffer));
		const closed = new Promise((resolve) => socket.addEventListener("close", resolve));
		const first = await frames.take();
		return {
			socket,
			first,
			send: (data: Wire) => socket.send(data as string),
			next: () => frames.take(),
			async [Symbol.asyncDispose]() {
				socket.close();
				await closed;
			},
		};
	}

	it("golden frames get golden answers", async () => {
		await using connection = await connect({ a: "(é)" });
		expect(connection.socket.protocol).toBe("rivet");
		const init = decodeToClient(encoding, connection.first);
		expect(init).toEqual({ tag: "Init", actorId, connectionId: expect.any(String) });
		expectSameBytes(encoding, connection.first, encodeToClient(encoding, init));

		const call = (id: number, name: string, ...args: unknown[]) =>
			connection.send(encodeToServer(encoding, { tag: "ActionRequest", id, name, args }));
		const expectGolden = async (name: string) =>
			expectSameBytes(encoding, await connection.next(), bytesOf(named(name), encoding));

		connection.send(bytesOf(named("an action request"), encoding));
		await expectGolden("its response");
		connection.send(
			bytesOf(named("an action request with a longer id and no arguments"), encoding),
		);
		await expectGolden("a response with undefined");
		call(5, "fail");
		await expectGolden("an action's error without metadata");
		call(0, "fail", [1]);
		await expectGolden("an action's error with metadata and id 0");

		connection.send(bytesOf(named("a subscription"), encoding));
		call(6, "emit");
		await expectGolden("an event");
		expect(decodeToClient(encoding, await connection.next())).toMatchObject({
			tag: "ActionResponse",
			id: 6,
		});
		call(8, "params");
		expect(decodeToClient(encoding, await connection.next())).toEqual({
			tag: "ActionResponse",
			id: 8,
			output: { a: "(é)" },
		});
	});

	it("ids of 64 bits come back", async () => {
		await using connection = await connect();
		for (const id of [2 ** 40, Number.MAX_SAFE_INTEGER, 2n ** 64n - 1n]) {
			const request: ToServer = { tag: "ActionRequest", id, name: "echo", args: ["x"] };
			connection.send(encodeToServer(encoding, request));
			const answer = await connection.next();
			const message: ToClient = { tag: "ActionResponse", id, output: ["x"] };
			expect(decodeToClient(encoding, answer)).toEqual(message);
			expectSameBytes(encoding, answer, encodeToClient(encoding, message));
		}
	});
});

describe("frames of older versions", () => {
	it.each(named("an action request").accepted?.bare ?? [])(
		"%s is answered in version 3",
		async (form) => {
			const url = server.url.replace("http", "ws") + gatewayPath(actorId, null, "/connect");
			const socket = new WebSocket(url, buildSubprotocols({ encoding: "bare" }));
			socket.binaryType = "arraybuffer";
			const frames = new Mailbox<Uint8Array>();
			socket.onmessage = ({ data }) => frames.put(new Uint8Array(data as ArrayBuffer));
			await frames.take();
			socket.send(Uint8Array.from(fromHex(form)));
			expect(shown(await frames.take())).toBe(shown(bytesOf(named("its response"), "bare")));
			const closed = new Promise((resolve) => socket.addEventListener("close", resolve));
			socket.close();
			await closed;
		},
	);
});

describe("names in URLs", () => {
	/** The published server's ids tell how it read a key (contract 4.8). */
	const idOf = (key: readonly string[]) =>
		createHash("sha256")
			.update(JSON.stringify(["echo", key]))
			.digest("hex")
			.slice(0, 16);

	it("golden keys are read as we read them", async () => {
		const { exact, lenient } = goldenKeys();
		for (const { key, text } of [...exact, ...lenient]) {
			expect(parseKey(text)).toEqual(key);
			const { actor } = await getOrCreate(text);
			expect(actor.actor_id, text).toBe(idOf(key));
		}
		for (const { text } of exact) {
			const query = new URLSearchParams({ name: "echo", key: text, namespace: "default" });
			const response = await fetch(`${server.url}/actors?${query}`);
			expect(await response.json()).toMatchObject({ actors: [{ key: text }] });
		}
	});

	it("gateway paths are cut as we cut them", async () => {
		for (const [token, rest] of [
			[null, "/request/a%2Fb/c?x=%20y&u=//"],
			["s/x", "/request/action/go"],
			["k@z", "/request/health"],
		] as const) {
			const response = await fetch(server.url + gatewayPath(actorId, token, rest));
			expect(await response.text()).toBe(rest.replace("/request", ""));
		}
	});

	it("what is no gateway path to us is none to it", async () => {
		for (const path of goldenGatewayPaths().others) {
			if (path === "/actors") continue;
			const response = await fetch(server.url + path.replace("ab12", actorId));
			expect(response.status, path).toBe(404);
		}
	});
});
