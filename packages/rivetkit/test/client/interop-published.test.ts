import { expect, test } from "vitest";
import { runtimePlatform } from "../../src/client/transport/http/platform.ts";
import { interopSuite } from "./interop/interop-suite.ts";
import { startServerProcess } from "./interop/server-process.ts";

// Files before this one may have run in the same process, and their servers on the same ports (scripts/vitest-metadata.ts).
test("begins without what clients of other files have learned of servers", () => {
	expect([...runtimePlatform().metadata.keys()]).toEqual([]);
});

for (const encoding of ["bare", "cbor", "json"] as const) {
	interopSuite("published 2.1.3 server", () => startServerProcess("published"), encoding, {
		recognisesRepeats: false,
	});
}
