/**
 * The client protocol as far as the benchmarks speak it: what the load generator sends and counts, and
 * what the baseline servers answer. By hand and small, so that the client costs the same and little
 * whatever it is pointed at, and so that the baselines owe nothing to the code they are compared with.
 */

export const encodings = ["json", "bare"] as const;
export type Encoding = (typeof encodings)[number];

/** Arguments and results in the benchmarks: numbers below 2^32 and short strings. */
export type Scalar = number | string;

export type ToServer =
	| {
			readonly tag: "action";
			readonly id: number;
			readonly name: string;
			readonly args: readonly Scalar[];
	  }
	| { readonly tag: "subscribe"; readonly event: string };

export interface Wire {
	readonly encoding: Encoding;
	readonly binary: boolean;

	/** Client to server. */
	action(id: number, name: string, args: readonly Scalar[]): Buffer;
	subscribe(event: string): Buffer;
	/** Server to client, read by the client: the id of an answered action, or undefined for Init and events. Throws on errors. */
	readReply(payload: Buffer): number | undefined;

	/** Client to server, read by a baseline. */
	readRequest(payload: Buffer): ToServer;
	/** Server to client, written by a baseline. */
	init(actorId: string, connectionId: string): Buffer;
	response(id: number, output: Scalar): Buffer;
	event(name: string, args: readonly Scalar[]): Buffer;
}

const json: Wire = {
	encoding: "json",
	binary: false,
	action: (id, name, args) =>
		Buffer.from(
			`{"body":{"tag":"ActionRequest","val":{"id":["$BigInt","${id}"],"name":"${name}","args":${JSON.stringify(args)}}}}`,
		),
	subscribe: (event) =>
		Buffer.from(
			`{"body":{"tag":"SubscriptionRequest","val":{"eventName":"${event}","subscribe":true}}}`,
		),
	readReply(payload) {
		const text = payload.toString("latin1");
		if (text.startsWith('{"body":{"tag":"ActionResponse"')) {
			return Number.parseInt(text.slice(text.indexOf('"$BigInt","') + 11), 10);
		}
		if (text.includes('"tag":"Error"')) throw new Error(`the server answered ${text}`);
		return undefined;
	},
	readRequest(payload) {
		const { tag, val } = JSON.parse(payload.toString()).body;
		return tag === "ActionRequest"
			? { tag: "action", id: Number(val.id[1]), name: val.name, args: val.args }
			: { tag: "subscribe", event: val.eventName };
	},
	init: (actorId, connectionId) =>
		Buffer.from(JSON.stringify({ body: { tag: "Init", val: { actorId, connectionId } } })),
	response: (id, output) =>
		Buffer.from(
			JSON.stringify({
				body: { tag: "ActionResponse", val: { id: ["$BigInt", String(id)], output } },
			}),
		),
	event: (name, args) =>
		Buffer.from(JSON.stringify({ body: { tag: "Event", val: { name, args } } })),
};

const VERSION = [3, 0];

const bare: Wire = {
	encoding: "bare",
	binary: true,
	action: (id, name, args) =>
		Buffer.from([...VERSION, 0, ...uint(id), ...text(name), ...data(cborArray(args))]),
	subscribe: (event) => Buffer.from([...VERSION, 1, ...text(event), 1]),
	readReply(payload) {
		const tag = payload[2];
		if (tag === 2) return readUint(payload, 3).value;
		if (tag === 1) throw new Error(`the server answered ${payload.toString("latin1", 3)}`);
		return undefined;
	},
	readRequest(payload) {
		if (payload[2] === 1) {
			const { value, end } = readUint(payload, 3);
			return { tag: "subscribe", event: payload.toString("latin1", end, end + value) };
		}
		const id = readUint(payload, 3);
		const nameSize = readUint(payload, id.end);
		const nameEnd = nameSize.end + nameSize.value;
		const argsSize = readUint(payload, nameEnd);
		return {
			tag: "action",
			id: id.value,
			name: payload.toString("latin1", nameSize.end, nameEnd),
			args: readCborArray(payload, argsSize.end),
		};
	},
	init: (actorId, connectionId) =>
		Buffer.from([...VERSION, 0, ...text(actorId), ...text(connectionId)]),
	response(id, output) {
		const out = Buffer.allocUnsafe(16);
		out[0] = 3;
		out[1] = 0;
		out[2] = 2;
		let at = writeUint(out, 3, id);
		const size = typeof output === "number" ? cborSize(output) : 0;
		if (size === 0) return Buffer.from([...VERSION, 2, ...uint(id), ...data(cborScalar(output))]);
		out[at++] = size;
		for (const byte of cborScalar(output)) out[at++] = byte;
		return out.subarray(0, at);
	},
	event: (name, args) => Buffer.from([...VERSION, 3, ...text(name), ...data(cborArray(args))]),
};

export const wires: Readonly<Record<Encoding, Wire>> = { json, bare };

function uint(value: number): number[] {
	const bytes: number[] = [];
	let rest = value;
	while (rest >= 0x80) {
		bytes.push((rest & 0x7f) | 0x80);
		rest = Math.floor(rest / 0x80);
	}
	bytes.push(rest);
	return bytes;
}

function writeUint(target: Buffer, start: number, value: number): number {
	let at = start;
	let rest = value;
	while (rest >= 0x80) {
		target[at++] = (rest & 0x7f) | 0x80;
		rest = Math.floor(rest / 0x80);
	}
	target[at++] = rest;
	return at;
}

function readUint(source: Buffer, start: number): { value: number; end: number } {
	let value = 0;
	let scale = 1;
	for (let at = start; ; at += 1) {
		const byte = source[at];
		if (byte === undefined) throw new Error("the message ends inside a number");
		value += (byte & 0x7f) * scale;
		if (byte < 0x80) return { value, end: at + 1 };
		scale *= 0x80;
	}
}

function text(value: string): number[] {
	return data([...Buffer.from(value)]);
}

function data(bytes: readonly number[]): number[] {
	return [...uint(bytes.length), ...bytes];
}

function cborSize(value: number): number {
	return value < 24 ? 1 : value < 0x100 ? 2 : value < 0x1_0000 ? 3 : 5;
}

function cborHead(major: number, value: number): number[] {
	const top = major << 5;
	if (value < 24) return [top | value];
	if (value < 0x100) return [top | 24, value];
	if (value < 0x1_0000) return [top | 25, value >> 8, value & 0xff];
	return [top | 26, value >>> 24, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff];
}

function cborScalar(value: Scalar): number[] {
	if (typeof value === "number") return cborHead(0, value);
	const bytes = [...Buffer.from(value)];
	return [...cborHead(3, bytes.length), ...bytes];
}

function cborArray(values: readonly Scalar[]): number[] {
	return [...cborHead(4, values.length), ...values.flatMap(cborScalar)];
}

function readCborArray(source: Buffer, start: number): Scalar[] {
	const head = readCborHead(source, start);
	const values: Scalar[] = [];
	let at = head.end;
	for (let index = 0; index < head.value; index += 1) {
		const item = readCborHead(source, at);
		if (item.major === 0) {
			values.push(item.value);
			at = item.end;
		} else {
			values.push(source.toString("utf8", item.end, item.end + item.value));
			at = item.end + item.value;
		}
	}
	return values;
}

function readCborHead(source: Buffer, at: number): { major: number; value: number; end: number } {
	const byte = source[at];
	if (byte === undefined) throw new Error("the message ends inside a value");
	const major = byte >> 5;
	const short = byte & 0x1f;
	if (short < 24) return { major, value: short, end: at + 1 };
	const size = 1 << (short - 24);
	return { major, value: source.readUIntBE(at + 1, size), end: at + 1 + size };
}
