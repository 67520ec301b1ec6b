/** Says in one sentence that the runtime is too old. */
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
