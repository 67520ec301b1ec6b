import { vi } from "vitest";

/** Polls until `check` does not throw, and returns what it returned. The limit is for what hangs. */
export const until = <T>(check: () => T | Promise<T>): Promise<T> =>
	vi.waitFor(check, { timeout: 45_000, interval: 5 });
