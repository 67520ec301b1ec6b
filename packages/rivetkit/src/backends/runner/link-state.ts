import { RUNNER_EVICTED, RUNNER_VERSION_REFUSED } from "@rivetkit/protocol/runner";

/**
 * Where a runner's link to its engine is.
 *
 * - waiting: no socket, the next one is due
 * - opening: a socket is on its way; the engine has not answered Init
 * - open: the engine has said who this runner is
 * - closed: for good
 */
export type LinkState = "waiting" | "opening" | "open" | "closed";

/**
 * - due: it is time for the next try
 * - accepted: the engine's Init
 * - dropped: the socket is gone, or there never was one
 * - evicted: another socket has taken the runner's place
 * - shutDown: this side wants no more
 */
export type LinkEvent = "due" | "accepted" | "dropped" | "evicted" | "shutDown";

/** Events that are not listed change nothing. */
const TRANSITIONS: Readonly<Record<LinkState, Readonly<Partial<Record<LinkEvent, LinkState>>>>> = {
	waiting: { due: "opening", shutDown: "closed" },
	opening: { accepted: "open", dropped: "waiting", evicted: "closed", shutDown: "closed" },
	open: { dropped: "waiting", evicted: "closed", shutDown: "closed" },
	closed: {},
};

export function nextLinkState(state: LinkState, event: LinkEvent): LinkState {
	return TRANSITIONS[state][event] ?? state;
}

/** The close reason without the ray id that engines append. */
export function bareReason(reason: string): string {
	const hash = reason.indexOf("#");
	return hash < 0 ? reason : reason.slice(0, hash);
}

/** What the end of a socket means for the link (contract: engine 4.1, 4.7). */
export function endOf(
	reason: string,
	wasAccepted: boolean,
): "evicted" | "versionRefused" | "dropped" {
	const bare = bareReason(reason);
	if (bare === RUNNER_EVICTED) return "evicted";
	return bare === RUNNER_VERSION_REFUSED && !wasAccepted ? "versionRefused" : "dropped";
}

/** By the reason of a close: what is set wrong here. */
const ADVICE: Readonly<Record<string, string>> = {
	"api.forbidden": "it does not take this token; check RIVET_TOKEN (token of setup())",
	"guard.missing_header": "it wants a token; set RIVET_TOKEN (token of setup())",
	"namespace.not_found":
		"it has no such namespace; check RIVET_NAMESPACE (namespace of setup()), or create it there",
};

/** What to do about a refusal, to follow a sentence; empty when nothing can be said. */
export function adviceOn(reason: string): string {
	return Object.hasOwn(ADVICE, reason) ? `: ${ADVICE[reason]}` : "";
}
