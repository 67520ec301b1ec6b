/** Where a list goes on that is newest first: a creation time, and what it is broken by where several share it. */
export interface Cursor {
	readonly createTs: number;
	readonly id?: string;
}

/** A cursor, or only a creation time: then those that share it are passed over. */
export const CURSOR = /^\d+(?:\..+)?$/;

export function writeCursor(createTs: number, id: string): string {
	return `${createTs}.${id}`;
}

/** Of a text that {@link CURSOR} matches. */
export function readCursor(text: string): Cursor {
	const dot = text.indexOf(".");
	return dot < 0
		? { createTs: Number(text) }
		: { createTs: Number(text.slice(0, dot)), id: text.slice(dot + 1) };
}

/** As lists of actors take it. */
export function actorPosition({ createTs, id }: Cursor): { createTs: number; actorId?: string } {
	return { createTs, ...(id === undefined ? {} : { actorId: id }) };
}
