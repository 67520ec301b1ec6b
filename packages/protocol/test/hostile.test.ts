import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { expect, it } from "vitest";
import { HOSTILE_BYTES, HOSTILE_CBOR } from "./support/hostile.ts";
import type { HostileReport } from "./support/hostile.worker.ts";

/** A decoder that believed one claim of these inputs would need gigabytes. */
const HEAP_MB = 24;

it("64 KiB of anything decodes or is malformed within a small heap", async () => {
	const worker = new Worker(new URL("./support/hostile.worker.ts", import.meta.url), {
		execArgv: ["--conditions=@rivetkit/source"],
		resourceLimits: { maxOldGenerationSizeMb: HEAP_MB, maxYoungGenerationSizeMb: 8 },
	});
	const [reports] = (await once(worker, "message")) as [HostileReport[]];
	await worker.terminate();
	expect(reports.length).toBeGreaterThan(Object.keys(HOSTILE_CBOR).length);
	for (const { name, arrayBufferBytes } of reports) {
		expect(arrayBufferBytes, name).toBeLessThan(4 * HOSTILE_BYTES);
	}
	const outcomes = Object.fromEntries(reports.map(({ name, outcome }) => [name, outcome]));
	expect(outcomes["CBOR: 4 GB of bytes"]).toBe("malformed");
	expect(outcomes["CBOR: deep nesting"]).toBe("malformed");
	expect(outcomes["CBOR: a bignum of 64 kB"]).toBe("decoded");
	expect(outcomes["JSON: 64 kB of base64"]).toBe("decoded");
});
