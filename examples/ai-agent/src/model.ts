import { EventSourceParserStream } from "eventsource-parser/stream";
import { UserError } from "rivetkit";

export interface Turn {
	readonly role: "user" | "assistant";
	readonly text: string;
}

const SYSTEM = "You are a helpful assistant. Answer in a few sentences.";
/** Time between two words of the scripted model (ms). */
const WORD_MS = 40;

/**
 * The reply to a conversation, piece by piece: of a server that speaks OpenAI's API where `OPENAI_BASE_URL` or `OPENAI_API_KEY` is set, and of a
 * script otherwise. Throws `model_failed`, and the signal's reason when that fires.
 */
export function complete(turns: readonly Turn[], signal: AbortSignal): AsyncIterable<string> {
	const { OPENAI_API_KEY, OPENAI_BASE_URL, OPENAI_MODEL } = process.env;
	if (!OPENAI_API_KEY && !OPENAI_BASE_URL) return scripted(turns, signal);
	return provided(turns, signal, {
		url: `${OPENAI_BASE_URL ?? "https://api.openai.com/v1"}/chat/completions`,
		key: OPENAI_API_KEY ?? "",
		model: OPENAI_MODEL ?? "gpt-4o-mini",
	});
}

interface Provider {
	readonly url: string;
	readonly key: string;
	readonly model: string;
}

async function* provided(
	turns: readonly Turn[],
	signal: AbortSignal,
	{ url, key, model }: Provider,
): AsyncGenerator<string> {
	const messages = [
		{ role: "system", content: SYSTEM },
		...turns.map(({ role, text }) => ({ role, content: text })),
	];
	const response = await fetch(url, {
		method: "POST",
		headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
		body: JSON.stringify({ model, messages, stream: true }),
		signal,
	});
	if (!response.ok || !response.body) {
		throw new UserError(`The model's server answered ${response.status}`, { code: "model_failed" });
	}
	const events = response.body
		.pipeThrough(new TextDecoderStream())
		.pipeThrough(new EventSourceParserStream());
	for await (const { data } of events) {
		if (data === "[DONE]") return;
		const token: unknown = JSON.parse(data).choices?.[0]?.delta?.content;
		if (typeof token === "string" && token !== "") yield token;
	}
}

/** Knows little, but remembers the conversation. */
async function* scripted(turns: readonly Turn[], signal: AbortSignal): AsyncGenerator<string> {
	for (const word of answer(turns).split(/(?<= )/)) {
		await new Promise((resolve) => setTimeout(resolve, WORD_MS));
		signal.throwIfAborted();
		yield word;
	}
}

function answer(turns: readonly Turn[]): string {
	const said = turns.filter(({ role }) => role === "user").map(({ text }) => text);
	const names = said.flatMap((text) => /\bmy name is (\w+)/i.exec(text)?.[1] ?? []);
	const question = said.at(-1) ?? "";
	if (/\bmy name\b.*\?/i.test(question)) {
		return names.length > 0
			? `Your name is ${names.at(-1)}; you told me, and I remember what is said here.`
			: "You have not told me yet. Say: my name is …";
	}
	if (names.length > 0 && /\bmy name is\b/i.test(question)) {
		return `Nice to meet you, ${names.at(-1)}! Ask me for your name later: I will remember it, also after a restart.`;
	}
	return `You said “${question}”. I am a script of a few lines that streams its words one by one, so that this example runs without a key. Set OPENAI_API_KEY, or OPENAI_BASE_URL for a model on your own machine, and somebody who knows more will answer here.`;
}
