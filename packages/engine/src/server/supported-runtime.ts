/**
 * Says in one sentence that the runtime is too old. Imports nothing, so that it runs where the rest of
 * the package could not even be parsed.
 */
const NODE_MAJOR_MIN = 22;
const NODE_MINOR_MIN = 13;

/** The sentence for this runtime, or undefined when it is new enough or not Node. */
export function unsupportedRuntime(nodeVersion: string | undefined): string | undefined {
	if (nodeVersion === undefined) {
		return undefined;
	}
	const [major = 0, minor = 0] = nodeVersion.split(".").map(Number);
	if (major > NODE_MAJOR_MIN || (major === NODE_MAJOR_MIN && minor >= NODE_MINOR_MIN)) {
		return undefined;
	}
	return `RivetKit needs Node.js ${NODE_MAJOR_MIN}.${NODE_MINOR_MIN} or newer; this is Node.js ${nodeVersion}. Install a newer Node.js (https://nodejs.org) and run the same command again.`;
}

/** Prints the sentence and ends the process with exit code 1 when this is a Node that is too old. */
export function assertSupportedRuntime(): void {
	const sentence = unsupportedRuntime(globalThis.process?.versions?.node);
	if (sentence !== undefined) {
		process.stderr.write(`${sentence}\n`);
		process.exit(1);
	}
}
