import { createHash } from "node:crypto";
import { catalogueError, EncodeError, encodeCbor } from "@rivetkit/protocol";
import { untracked } from "../state/index.ts";

/**
 * The version of a state as an entity tag (RFC 9110): two that have the same are the same, whether the actor is awake or not,
 * and on whatever node. Null without a state, and for one that cannot be stored.
 */
export function stateVersion(state: { readonly value: unknown } | null): string | null {
	if (state === null) return null;
	try {
		const bytes = encodeCbor(untracked(state.value));
		return `"${createHash("sha256").update(bytes).digest("base64url").slice(0, 22)}"`;
	} catch (error) {
		if (error instanceof EncodeError) return null;
		throw error;
	}
}

/** What Apache makes of the end of a tag when it compresses the answer (`DeflateAlterETag`, `BrotliAlterETag`). */
const COMPRESSED = /-(?:gzip|br)"$/;

/**
 * Throws `inspector.state_changed` when the version is none of those in an `If-Match`; null for no such header. The state is
 * read only where that matters.
 */
export function assertStateVersion(read: () => unknown, ifMatch: string | null): void {
	if (ifMatch === null || ifMatch.trim() === "*") return;
	const version = stateVersion({ value: read() });
	const tags = ifMatch.split(",").map((tag) => tag.trim());
	const isMeant = tags.some((tag) => tag === version || tag.replace(COMPRESSED, '"') === version);
	if (!isMeant) throw catalogueError("inspector.state_changed");
}
