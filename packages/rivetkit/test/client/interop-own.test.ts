import { interopSuite } from "./interop/interop-suite.ts";
import { startServerProcess } from "./interop/server-process.ts";

for (const encoding of ["bare", "cbor", "json"] as const) {
	interopSuite("our own server", () => startServerProcess("ours"), encoding, {
		recognisesRepeats: true,
	});
}
