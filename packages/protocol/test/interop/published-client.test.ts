/** What the published package's client sends, recorded, and what it makes of our answers. */
import { createClient } from "rivetkit-published/client";
import { describe, expect, it, vi } from "vitest";
import {
	type ApiActor,
	decodeCbor,
	decodeToServer,
	ENCODINGS,
	type Encoding,
	encodeCbor,
	encodeToClient,
	encodeToServer,
	parseGatewayPath,
	parseSubprotocols,
	type ToClient,
} from "../../src/index.ts";
import {
	CODECS,
	goldenEndpoints,
	goldenKeys,
	goldenMessages,
	type MessageType,
	shown,
	type Wire,
	wire,
} from "../support/golden.ts";
import { type RecordedRequest, type Recorder, startRecorder } from "./recorder.ts";

// Read when the package is loaded: it logs each rejected action.
vi.hoisted(() => {
	process.env.RIVET_LOG_LEVEL = "silent";
});

const ACTOR: ApiActor = {
	actor_id: "ab 12/é",
	name: "echo",
	key: "/",
	namespace_id: "default",
	runner_name_selector: "default",
	create_ts: 1,
};

function golden(type: MessageType, name: string, encoding: Encoding): Wire {
	const row = goldenMessages().find(
		(candidate) => candidate.type === type && candidate.name === name,
	);
	const text = row?.[encoding];
	if (!row) throw new Error(`no golden message ${name}`);
	return text === undefined ? CODECS[type].encode(encoding, row.message) : wire(encoding, text);
}

/** An actor that answers every action and queue message with the golden answers. */
function answerIn(
	encoding: Encoding,
): (request: RecordedRequest) => { status?: number; type?: string; body: Wire } {
	return ({ path }) => {
		const { pathname } = new URL(path, "http://h");
		if (pathname === "/actors") return { body: JSON.stringify({ actor: ACTOR, created: true }) };
		const type = encoding === "json" ? "application/json" : "application/octet-stream";
		if (pathname.endsWith("/action/fail")) {
			return {
				status: 400,
				type,
				body: golden("HttpResponseError", "an HTTP error with metadata", encoding),
			};
		}
		if (pathname.includes("/queue/")) {
			return { type, body: golden("HttpQueueSendResponse", "a completed queue message", encoding) };
		}
		return { type, body: golden("HttpActionResponse", "its HTTP response", encoding) };
	};
}

function clientOf(recorder: Recorder, encoding: Encoding) {
	return createClient({
		endpoint: recorder.url,
		encoding,
		disableMetadataLookup: true,
		token: "s/x",
	});
}

function expectSameBytes(encoding: Encoding, theirs: Wire, ours: Wire): void {
	const comparable = (data: Wire) =>
		encoding === "cbor" ? shown(encodeCbor(decodeCbor(data as Uint8Array))) : shown(data);
	expect(comparable(theirs)).toBe(comparable(ours));
}

const bodyOf = (encoding: Encoding, { body }: RecordedRequest): Wire =>
	encoding === "json" ? body.toString() : new Uint8Array(body);

describe.each(ENCODINGS)("in %s", (encoding) => {
	it("calls over HTTP are golden, and golden answers are understood", async () => {
		await using recorder = await startRecorder(answerIn(encoding));
		const client = clientOf(recorder, encoding);
		const handle = client.getOrCreate("echo", ["a", "", "x/y"]);
		await expect(handle.action({ name: "echo", args: ["a", 1] })).resolves.toEqual(["a", 1]);
		await expect(handle.action({ name: "fail", args: [] })).rejects.toMatchObject({
			__type: "ActorError",
			group: "user",
			code: "x",
			message: "no",
			metadata: [1],
		});
		const sent = await handle.send("work", [1], { wait: true, timeout: 1500 });
		expect(sent).toEqual({ status: "completed", response: 5 });
		await client.dispose();

		const [resolve, call] = recorder.requests;
		expect(JSON.parse(String(resolve?.body))).toMatchObject({ name: "echo", key: "a/\\0/x\\/y" });
		expect(resolve?.headers.authorization).toBe("Bearer s/x");
		expect(parseGatewayPath(call?.path ?? "")).toEqual({
			actorId: ACTOR.actor_id,
			token: "s/x",
			path: "/action/echo",
		});
		expect(call?.headers).toMatchObject({ "x-rivet-encoding": encoding, "x-rivet-token": "s/x" });
		expectSameBytes(
			encoding,
			bodyOf(encoding, call as RecordedRequest),
			golden("HttpActionRequest", "an HTTP action", encoding),
		);
		const queue = recorder.requests.at(-1) as RecordedRequest;
		expect(parseGatewayPath(queue.path)?.path).toBe("/queue/work");
		const message = CODECS.HttpQueueSendRequest.decode(encoding, bodyOf(encoding, queue));
		expect(message).toMatchObject({ body: [1], wait: true, timeout: 1500 });
		expectSameBytes(
			encoding,
			bodyOf(encoding, queue),
			CODECS.HttpQueueSendRequest.encode(encoding, message),
		);
	});

	it("frames over WebSocket are ours, and ours are understood", async () => {
		await using recorder = await startRecorder(answerIn(encoding));
		const client = clientOf(recorder, encoding);
		const params = { text: 'é",;' };
		const connection = client.getOrCreate("echo", [], { params }).connect();
		const heard = new Promise((resolve) => connection.on("tick", resolve));
		const results = Promise.allSettled([
			connection.action({ name: "echo", args: [2, 3n] }),
			connection.action({ name: "fail", args: [] }),
			connection.action({ name: "undef", args: [] }),
		]);

		const socket = await recorder.nextSocket();
		expect(parseGatewayPath(socket.path)).toEqual({
			actorId: ACTOR.actor_id,
			token: "s/x",
			path: "/connect",
		});
		expect(parseSubprotocols(socket.protocols)).toMatchObject({
			rivet: true,
			encoding,
			connParams: params,
			error: null,
		});

		const answer = (message: ToClient) => socket.send(encodeToClient(encoding, message));
		const expectFrame = async (message: object) => {
			const frame = await socket.next();
			const decoded = decodeToServer(encoding, frame);
			expect(decoded).toEqual(message);
			expectSameBytes(encoding, frame, encodeToServer(encoding, decoded));
		};
		socket.send(golden("ToClient", "the first frame", encoding));
		expectSameBytes(encoding, await socket.next(), golden("ToServer", "a subscription", encoding));
		await expectFrame({ tag: "ActionRequest", id: 0, name: "echo", args: [2, 3n] });
		await expectFrame({ tag: "ActionRequest", id: 1, name: "fail", args: [] });
		await expectFrame({ tag: "ActionRequest", id: 2, name: "undef", args: [] });
		answer({ tag: "Error", group: "g", code: "c", message: "m", metadata: { a: 1n }, actionId: 1 });
		socket.send(golden("ToClient", "an event", encoding));
		answer({ tag: "ActionResponse", id: 0, output: [2, 3n] });
		answer({ tag: "ActionResponse", id: 2, output: undefined });

		await expect(heard).resolves.toBe("hi");
		const settled = await results;
		expect(settled[0]).toEqual({ status: "fulfilled", value: [2, 3n] });
		expect(settled[1]).toMatchObject({
			status: "rejected",
			reason: { group: "g", code: "c", message: "m", metadata: { a: 1n } },
		});
		// JSON has no undefined, and its published client hangs when the key is left out.
		expect(settled[2]).toEqual({
			status: "fulfilled",
			value: encoding === "json" ? null : undefined,
		});
		await connection.dispose();
		await client.dispose();
	});
});

describe("configuration", () => {
	it("keys are serialized as we serialize them", async () => {
		await using recorder = await startRecorder(answerIn("json"));
		const client = clientOf(recorder, "json");
		const { exact } = goldenKeys();
		for (const { key } of exact) await client.getOrCreate("echo", key).resolve();
		await client.dispose();
		const sent = recorder.requests.map(({ body }) => (JSON.parse(String(body)) as ApiActor).key);
		expect(sent).toEqual(exact.map(({ text }) => text));
	});

	it.each(goldenEndpoints().refused)(
		"$input is refused with the same text",
		({ input, message }) => {
			expect(() => createClient({ endpoint: input, disableMetadataLookup: true })).toThrow(
				expect.objectContaining({ message: expect.stringContaining(message) }),
			);
		},
	);

	it.each(goldenEndpoints().parsed)("$input is accepted", async ({ input }) => {
		await createClient({ endpoint: input, disableMetadataLookup: true }).dispose();
	});
});
