/** The error of a value that state cannot hold: `state.invalid_type`, with the path of the value. */
export function invalidType(path: string): Error {
	return Object.assign(new Error(`Attempted to set invalid state at path \`${path}\`.`), {
		group: "state",
		code: "invalid_type",
		metadata: { path },
	});
}
