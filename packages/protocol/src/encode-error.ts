/** A value that an encoding cannot carry, with the way to it: `.a.b[1]`, `""` for the value itself. */
export class EncodeError extends Error {
	override readonly name = "EncodeError";
	readonly path: string;
	readonly reason: string;
	constructor(path: string, reason: string) {
		super(`Cannot encode ${path === "" ? "the value" : `the value at ${path}`}: ${reason}`);
		this.path = path;
		this.reason = reason;
	}
}

/** What is at the path is nested over as many levels as an encoding carries. */
export class NestedTooDeep extends EncodeError {
	constructor(path: string, levels: number) {
		super(path, `nested deeper than ${levels} levels`);
	}
}
