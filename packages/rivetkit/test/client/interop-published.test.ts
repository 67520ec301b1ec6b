import { interopSuite } from "./interop/interop-suite.ts";
import { startServerProcess } from "./interop/server-process.ts";

for (const encoding of ["bare", "cbor", "json"] as const) {
	interopSuite("published 2.1.3 server", () => startServerProcess("published"), encoding, {
		recognisesRepeats: false,
	});
}
