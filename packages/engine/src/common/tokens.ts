import { createHash, createHmac, timingSafeEqual } from "node:crypto";

const RUNNER_PREFIX = "rvr_";

/** Whether two secrets are the same, in a time that says nothing about where they differ. */
export function isSameSecret(given: string, wanted: string): boolean {
	const digest = (text: string) => createHash("sha256").update(text).digest();
	return timingSafeEqual(digest(given), digest(wanted));
}

/**
 * A token that lets runners of one namespace connect, and nothing else: what hosts elsewhere are handed
 * (engine Q22). Who has the engine's token can make it; nobody can go the other way.
 */
export function runnerToken(token: string, namespace: string): string {
	const mac = createHmac("sha256", token).update(`runners of ${namespace}`).digest("base64url");
	return RUNNER_PREFIX + mac;
}
