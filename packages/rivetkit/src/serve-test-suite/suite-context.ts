import type { Expectation } from "../driver-test-suite/framework.ts";
import type { ServeSetup, Subject } from "./served-registry.ts";

/** What one part of the suite is given. */
export interface SuiteContext {
	readonly setup: ServeSetup;
	expect(value: unknown, message?: string): Expectation;
	/** A test with a server of its own. */
	test(name: string, body: (subject: Subject) => Promise<void>): void;
}

/** A plain JSON action, as with `curl`. */
export async function curl(
	gatewayUrl: string,
	action: string,
	body: string | Record<string, unknown>,
): Promise<{ status: number; body: Record<string, unknown> }> {
	const response = await fetch(`${gatewayUrl}/action/${action}`, {
		method: "POST",
		body: typeof body === "string" ? body : JSON.stringify(body),
	});
	return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}
