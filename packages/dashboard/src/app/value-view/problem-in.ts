import { NotationError } from "../values/parse.ts";

/** What is wrong with a text, in words; null when it can be read. */
export function problemIn(text: string, read: (text: string) => unknown): string | null {
	try {
		read(text);
		return null;
	} catch (error) {
		if (error instanceof NotationError) return error.message;
		throw error;
	}
}
