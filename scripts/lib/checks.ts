/** One thing to check; throws (or rejects) with what is wrong. */
export interface Check {
	readonly title: string;
	readonly run: () => void | Promise<void>;
}

/** Runs checks one after another, prints a line each and the closing sum. @returns the exit code */
export async function runChecks(checks: readonly Check[]): Promise<0 | 1> {
	let failedCount = 0;
	for (const { title, run } of checks) {
		try {
			await run();
			console.log(`ok      ${title}`);
		} catch (error) {
			failedCount += 1;
			console.log(`FAILED  ${title}`);
			console.log(indent(error instanceof Error ? error.message : String(error)));
		}
	}
	console.log(`${checks.length - failedCount} passed, ${failedCount} failed`);
	return failedCount === 0 ? 0 : 1;
}

function indent(text: string): string {
	return text.replace(/^/gm, "        ");
}
