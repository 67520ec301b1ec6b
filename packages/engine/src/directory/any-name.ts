import { catalogueError } from "@rivetkit/protocol";

/** Characters (code points) of an actor's name where hosts elsewhere have the actors (engine 2.4). */
export const ANY_NAME_CHARS_MAX = 128;

/** Throws `api.bad_request` unless the name has 1 to 128 characters of well-formed Unicode. */
export function checkAnyName(name: string): void {
	const chars = name.length > ANY_NAME_CHARS_MAX ? [...name].length : name.length;
	if (chars === 0 || chars > ANY_NAME_CHARS_MAX) {
		const reason = `an actor name has 1 to ${ANY_NAME_CHARS_MAX} characters, this one has ${chars}`;
		throw catalogueError("api.bad_request", { reason });
	}
	if (/\p{Surrogate}/u.test(name)) {
		throw catalogueError("api.bad_request", {
			reason: "the actor name is not well-formed Unicode",
		});
	}
}
