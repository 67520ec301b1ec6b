import { NAME_BYTES_MAX } from "../history/location.ts";
import { codeError } from "./code-error.ts";

const utf8 = new TextEncoder();

/** Throws what is no name of an entry, as an error of the code. */
export function checkName(name: unknown): string {
	if (typeof name !== "string" || name === "") {
		const found = typeof name === "string" ? "an empty one" : typeof name;
		throw codeError(new TypeError(`An entry's name is text that is not empty, not ${found}`));
	}
	if (name.length * 3 > NAME_BYTES_MAX && utf8.encode(name).byteLength > NAME_BYTES_MAX) {
		throw codeError(
			new RangeError(`The entry name "${name.slice(0, 40)}…" has over ${NAME_BYTES_MAX} bytes`),
		);
	}
	if (/\p{Surrogate}/u.test(name)) {
		throw codeError(new TypeError("An entry's name has half of a surrogate pair in it"));
	}
	return name;
}
