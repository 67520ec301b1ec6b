/** Decodes every hostile input in a worker with a small heap and tells how much it took. */
import { parentPort } from "node:worker_threads";
import {
	decodeCbor,
	decodeHttpActionRequest,
	decodeJson,
	decodeToClient,
	decodeToServer,
	RivetError,
} from "@rivetkit/protocol";
import {
	decodeInspectorToClient,
	decodeInspectorToServer,
	decodeTraceRange,
	decodeWorkflowHistory,
} from "@rivetkit/protocol/inspector";
import {
	decodeRunnerToClient,
	decodeRunnerToServer,
	RUNNER_VERSIONS,
} from "@rivetkit/protocol/runner";
import { HOSTILE_BARE, HOSTILE_CBOR, HOSTILE_JSON } from "./hostile.ts";

export interface HostileReport {
	readonly name: string;
	readonly outcome: "decoded" | "malformed";
	/** Bytes outside the heap that were taken and not freed while decoding. */
	readonly arrayBufferBytes: number;
}

const reports: HostileReport[] = [];

function run(name: string, decode: () => unknown): void {
	const before = process.memoryUsage().arrayBuffers;
	let outcome: HostileReport["outcome"] = "decoded";
	try {
		decode();
	} catch (error) {
		if (!(error instanceof RivetError) || error.code !== "malformed") throw error;
		outcome = "malformed";
	}
	reports.push({ name, outcome, arrayBufferBytes: process.memoryUsage().arrayBuffers - before });
}

for (const [name, bytes] of Object.entries(HOSTILE_CBOR))
	run(`CBOR: ${name}`, () => decodeCbor(bytes));
for (const [name, text] of Object.entries(HOSTILE_JSON))
	run(`JSON: ${name}`, () => decodeJson(text));
for (const bytes of HOSTILE_BARE) {
	const name = `BARE: ${[...bytes.subarray(0, 6)]}`;
	run(name, () => decodeToServer("bare", bytes));
	run(name, () => decodeToClient("bare", bytes));
	run(name, () => decodeHttpActionRequest("bare", bytes));
	run(name, () => decodeInspectorToServer(bytes));
	run(name, () => decodeInspectorToClient(bytes));
	run(name, () => decodeTraceRange(bytes));
	run(name, () => decodeWorkflowHistory(bytes));
	for (const version of RUNNER_VERSIONS) {
		run(name, () => decodeRunnerToServer(version, bytes.subarray(2)));
		run(name, () => decodeRunnerToClient(version, bytes.subarray(2)));
	}
}
parentPort?.postMessage(reports);
