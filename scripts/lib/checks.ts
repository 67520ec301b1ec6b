/** One thing to check; throws (or rejects) with what is wrong. */
export interface Check {
	readonly title: string;
	readonly run: () => void | Promise<void>;
}

export interface CheckLimits {
	/** How long one check may take (ms): for what hangs, no check needs a part of it. Default 20 minutes. */
	readonly checkMs?: number;
	/** How long what a hanging check has started may keep the process after the sum (ms). Default 1 minute. */
	readonly exitMs?: number;
}

class Overrun extends Error {}

/**
 * Runs checks one after another, prints a line each and the closing sum. One that takes too long has failed, and the
 * next one runs.
 * @returns the exit code
 */
export async function runChecks(
	checks: readonly Check[],
	{ checkMs = 20 * 60_000, exitMs = 60_000 }: CheckLimits = {},
): Promise<0 | 1> {
	let failedCount = 0;
	let hasOverrun = false;
	for (const { title, run } of checks) {
		try {
			await within(checkMs, run);
			console.log(`ok      ${title}`);
		} catch (error) {
			failedCount += 1;
			hasOverrun ||= error instanceof Overrun;
			console.log(`FAILED  ${title}`);
			console.log(indent(error instanceof Error ? error.message : String(error)));
		}
	}
	console.log(`${checks.length - failedCount} passed, ${failedCount} failed`);
	// What hangs may be a program or a socket, which Node.js waits for. The caller has this time to tidy up.
	if (hasOverrun) setTimeout(() => process.exit(1), exitMs).unref();
	return failedCount === 0 ? 0 : 1;
}

async function within(limitMs: number, run: Check["run"]): Promise<void> {
	let timer: NodeJS.Timeout | undefined;
	const late = new Promise<never>((_, reject) => {
		const overrun = () => reject(new Overrun(`it took over ${limitMs / 1_000} s`));
		// A check may count the timers that are left. What hangs with nothing that Node.js waits for ends the process, with code 13.
		timer = setTimeout(overrun, limitMs).unref();
	});
	try {
		await Promise.race([run(), late]);
	} finally {
		clearTimeout(timer);
	}
}

function indent(text: string): string {
	return text.replace(/^/gm, "        ");
}
