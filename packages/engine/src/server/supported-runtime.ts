import { unsupportedRuntime } from "@rivetkit/protocol";

/** Prints the sentence and ends the process with exit code 1 when this is a Node that is too old. */
export function assertSupportedRuntime(): void {
	const sentence = unsupportedRuntime(globalThis.process?.versions?.node);
	if (sentence !== undefined) {
		process.stderr.write(`${sentence}\n`);
		process.exit(1);
	}
}
