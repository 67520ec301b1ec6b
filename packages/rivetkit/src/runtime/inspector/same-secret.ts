import { createHash, timingSafeEqual } from "node:crypto";

/** Compares in a time that tells nothing about the secret, its length included. */
export function isSameSecret(given: string, secret: string): boolean {
	return timingSafeEqual(digest(given), digest(secret));
}

function digest(text: string): Uint8Array {
	return createHash("sha256").update(text, "utf8").digest();
}
