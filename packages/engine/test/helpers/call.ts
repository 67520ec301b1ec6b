export type Json = Record<string, unknown>;

export interface Answer {
	readonly status: number;
	readonly headers: Headers;
	/** What the answer has as JSON; `{ text }` of one that is none. */
	readonly body: Json;
}

/** A request to the API of an engine, with a body that is sent as it is if it is text; redirects are not followed. */
export async function callApi(
	url: string,
	method: string,
	body?: unknown,
	headers: Readonly<Record<string, string>> = {},
): Promise<Answer> {
	const answer = await fetch(url, {
		method,
		redirect: "manual",
		headers: { ...(body === undefined ? {} : { "content-type": "application/json" }), ...headers },
		...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
	});
	const { status, headers: given } = answer;
	return { status, headers: given, body: parsed(await answer.text()) };
}

function parsed(text: string): Json {
	try {
		return JSON.parse(text) as Json;
	} catch {
		return { text };
	}
}
