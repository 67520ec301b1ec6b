import {
	checkActorName,
	isActorError,
	parseActorId,
	parseKey,
	serializeKey,
} from "@rivetkit/protocol";
import { UsageError } from "./failure.ts";

/** Which actor is meant: by id, or by name and key. */
export type ActorAddress =
	| { readonly kind: "id"; readonly actorId: string }
	| { readonly kind: "key"; readonly name: string; readonly key: readonly string[] };

export const ADDRESS_HELP = `ACTOR is the id of an actor, or NAME/KEY. A key of several parts is written NAME/PART/PART, the empty
key NAME/ (with the slash). A slash within a part is written \\/, a backslash \\\\, an empty part \\0.`;

/** Reads `ID` or `NAME/KEY`. Throws a {@link UsageError}. */
export function parseAddress(text: string): ActorAddress {
	if (text === "") throw new UsageError("Which actor? Its name is empty; give NAME/KEY or an id.");
	const slash = firstSlash(text);
	if (slash < 0) {
		if (parseActorId(text) !== null) return { kind: "id", actorId: text.toLowerCase() };
		throw new UsageError(
			`'${text}' is not the id of an actor; to mean one by name and key, write ${text}/KEY (or ${text}/ for the empty key).`,
		);
	}
	return parseNameAndKey(text);
}

/** Reads `NAME/KEY`. Throws a {@link UsageError}. */
export function parseNameAndKey(text: string): Extract<ActorAddress, { kind: "key" }> {
	const slash = firstSlash(text);
	if (slash < 0) {
		throw new UsageError(
			`'${text}' has no key; write ${text}/KEY (or ${text}/ for the empty key).`,
		);
	}
	const [name = ""] = parseKey(text.slice(0, slash));
	if (name === "") {
		throw new UsageError(`'${text}' has no name before the slash; write NAME${text}.`);
	}
	try {
		checkActorName(name);
	} catch (error) {
		const why = isActorError(error) ? error.message : String(error);
		throw new UsageError(`'${text}' names no actor: ${why.replace(/^Invalid request: /, "")}.`);
	}
	return { kind: "key", name, key: parseKey(text.slice(slash + 1)) };
}

/** As {@link parseAddress} reads it. */
export function formatAddress(name: string, key: readonly string[]): string {
	return `${serializeKey([name])}/${key.length === 0 ? "" : serializeKey(key)}`;
}

export function showAddress(address: ActorAddress): string {
	return address.kind === "id" ? address.actorId : formatAddress(address.name, address.key);
}

function firstSlash(text: string): number {
	for (let at = 0; at < text.length; at++) {
		if (text[at] === "\\") at++;
		else if (text[at] === "/") return at;
	}
	return -1;
}
