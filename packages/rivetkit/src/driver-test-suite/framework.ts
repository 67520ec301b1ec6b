/**
 * What the suites use of a test framework: Vitest's `describe`, `it` and `expect`, or others of this shape.
 * Each test makes what it needs and cleans up after itself.
 */
export interface TestFramework {
	describe(name: string, body: () => void): void;
	it(name: string, body: () => Promise<void>): void;
	expect(value: unknown, message?: string): Expectation;
}

export interface Expectation {
	toBe(expected: unknown): void;
	toEqual(expected: unknown): void;
	toMatchObject(expected: object): void;
}

/** What a promise rejects with; fails when it resolves. */
export async function failureOf(promise: Promise<unknown>): Promise<unknown> {
	const outcome = await promise.then(
		(value) => ({ value }),
		(error: unknown) => ({ error }),
	);
	if ("error" in outcome) return outcome.error;
	throw new Error(`expected a rejection, got ${String(outcome.value)}`);
}
