/** A start that waited ends because its actor is deleted: whoever waits for it is told, and nothing has failed. */
export class StartRefused extends Error {
	override readonly name = "StartRefused";
	/** What callers are told. */
	readonly reason: unknown;
	constructor(reason: unknown) {
		super("The start is not wanted any more", { cause: reason });
		this.reason = reason;
	}
}
