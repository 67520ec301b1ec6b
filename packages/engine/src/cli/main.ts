#!/usr/bin/env node
// The `rivet-engine` command. Loads the rest only where it can run, so that an old Node gets a sentence.
import { unsupportedRuntime } from "@rivetkit/protocol";

const sentence = unsupportedRuntime(process.versions.node);
if (sentence === undefined) {
	void import("./program.ts").then(async ({ runProgram }) => {
		process.exitCode = await runProgram(process.argv.slice(2), process);
	});
} else {
	process.stderr.write(`${sentence}\n`);
	process.exitCode = 1;
}
