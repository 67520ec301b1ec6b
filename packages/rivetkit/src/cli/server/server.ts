import {
	type ApiKvGetResponse,
	decodeBase64,
	decodeCbor,
	encodeCbor,
	HEADER_TOKEN,
	joinUrl,
	KV_KEY_INSPECTOR_TOKEN,
	PATH_ACTORS,
	PATH_GATEWAY,
	PATH_INSPECTOR,
	PATH_KV_KEYS,
} from "@rivetkit/protocol";
import { CommandFailed } from "../failure.ts";
import { COMMAND_WORDS, type Words } from "../words.ts";
import { type FailedAnswer, notOurs, refused, unreachable } from "./failures.ts";
import type { ServerSettings } from "./settings.ts";

/** The id of no actor: who may do something is asked before who it is done to is looked for. */
const NOBODY = "nobody";

const ACTOR_FILE_TYPE = "application/vnd.rivetkit.actor";

export interface ServerRequest {
	readonly method?: string;
	readonly query?: Readonly<Record<string, string | undefined>>;
	readonly body?: unknown;
	/** Nothing is written where the version of what is there is another ({@link VersionedAnswer}). */
	readonly ifMatch?: string | undefined;
	readonly signal?: AbortSignal | undefined;
}

/** What was read, and which version of it. */
export interface VersionedAnswer<T> {
	readonly answer: T;
	/** Null where the server tells none. */
	readonly etag: string | null;
}

interface RawRequest {
	readonly method: string;
	readonly headers: Record<string, string>;
	readonly body?: BodyInit;
	readonly signal?: AbortSignal | undefined;
	/** The body is a stream. */
	readonly duplex?: "half";
}

/** A RivetKit server over HTTP: its management API in JSON, its actors' inspector in CBOR. */
export class Server {
	readonly settings: ServerSettings;
	/** Of messages about it. */
	readonly words: Words;
	/** Of the actors that were asked with a token of their own. */
	readonly #ownTokens = new Map<string, string>();

	constructor(settings: ServerSettings, words: Words = COMMAND_WORDS) {
		this.settings = settings;
		this.words = words;
	}

	/** A call of the management API. Throws {@link CommandFailed}. */
	async manage<T>(path: string, request: ServerRequest = {}): Promise<T> {
		const { method = "GET", query = {}, body, signal } = request;
		const response = await this.#send(path, query, {
			method,
			headers: {
				...this.#managementHeaders(),
				...(body === undefined ? {} : { "content-type": "application/json" }),
			},
			...(body === undefined ? {} : { body: JSON.stringify(body) }),
			signal,
		});
		const text = await response.text();
		if (!response.ok) throw refused(this.settings.endpoint, failed(response.status, text));
		const answer = parsed(text);
		if (answer === undefined) {
			throw notOurs(this.settings.endpoint, failed(response.status, text));
		}
		return answer as T;
	}

	/** A call of an actor's inspector, below `/inspector/`. Throws {@link CommandFailed}. */
	async inspect<T>(actorId: string, path: string, request: ServerRequest = {}): Promise<T> {
		return (await this.inspectVersion<T>(actorId, path, request)).answer;
	}

	/** The same, with the version of what is read. */
	async inspectVersion<T>(
		actorId: string,
		path: string,
		request: ServerRequest = {},
	): Promise<VersionedAnswer<T>> {
		const { method = "GET", query = {}, body, ifMatch, signal } = request;
		const response = await this.#asInspector(actorId, (authorization) =>
			this.#send(`${PATH_GATEWAY}/${encodeURIComponent(actorId)}${PATH_INSPECTOR}${path}`, query, {
				method,
				headers: {
					...authorization,
					accept: "application/cbor",
					...(body === undefined ? {} : { "content-type": "application/cbor" }),
					...(ifMatch === undefined ? {} : { "if-match": ifMatch }),
				},
				...(body === undefined ? {} : { body: encodeCbor(body) as BodyInit }),
				signal,
			}),
		);
		return {
			answer: decodeCbor(new Uint8Array(await response.arrayBuffer())) as T,
			// Proxies that compress answers make it a weak one.
			etag: response.headers.get("etag")?.replace(/^W\//, "") ?? null,
		};
	}

	/** The events of an actor, as they come (docs/inspector.md). Throws {@link CommandFailed}. */
	async follow(
		actorId: string,
		topics: readonly string[],
		after: string | null,
		signal: AbortSignal,
	): Promise<ReadableStream<Uint8Array>> {
		const path = `${PATH_GATEWAY}/${encodeURIComponent(actorId)}${PATH_INSPECTOR}stream`;
		const response = await this.#asInspector(actorId, (authorization) =>
			this.#send(
				path,
				{ topics: topics.join(","), values: "cbor" },
				{
					method: "GET",
					headers: {
						...authorization,
						accept: "text/event-stream",
						...(after === null ? {} : { "last-event-id": after }),
					},
					signal,
				},
			),
		);
		if (response.body === null) throw notOurs(this.settings.endpoint, failed(200, ""));
		return response.body;
	}

	/** An actor's file, as it arrives. Throws {@link CommandFailed}. */
	async exportActor(actorId: string): Promise<ReadableStream<Uint8Array>> {
		const path = `${PATH_ACTORS}/${encodeURIComponent(actorId)}/export`;
		const response = await this.#asInspector(actorId, (authorization) =>
			this.#send(path, {}, { method: "GET", headers: authorization }),
		);
		if (response.body === null) throw notOurs(this.settings.endpoint, failed(200, ""));
		return response.body;
	}

	/** Makes an actor of a file. Throws {@link CommandFailed}. */
	async importActor<T>(
		file: ReadableStream<Uint8Array>,
		query: Readonly<Record<string, string | undefined>>,
	): Promise<T> {
		const { inspectorToken, endpoint } = this.settings;
		const response = await this.#send(`${PATH_ACTORS}/import`, query, {
			method: "POST",
			headers: {
				...this.#managementHeaders(),
				...(inspectorToken === undefined ? {} : { authorization: `Bearer ${inspectorToken}` }),
				"content-type": ACTOR_FILE_TYPE,
			},
			body: file,
			duplex: "half",
		});
		const text = await response.text();
		if (!response.ok) throw refused(endpoint, failed(response.status, text));
		return parsed(text) as T;
	}

	/**
	 * Sends a request with what opens the actor's inspector: the token for all actors; without one nothing, and
	 * if that is refused the actor's own, which whoever may read its store gets.
	 */
	async #asInspector(
		actorId: string,
		send: (authorization: Record<string, string>) => Promise<Response>,
	): Promise<Response> {
		const { token, inspectorToken, endpoint } = this.settings;
		const gateway: Record<string, string> = token === undefined ? {} : { [HEADER_TOKEN]: token };
		const headers = (bearer: string | undefined) =>
			bearer === undefined ? gateway : { ...gateway, authorization: `Bearer ${bearer}` };
		const response = await send(headers(inspectorToken ?? this.#ownTokens.get(actorId)));
		if (response.ok) return response;
		const refusal = failed(response.status, await response.text());
		const wantsToken =
			refusal.error?.group === "inspector" && refusal.error.code === "unauthorized";
		if (!wantsToken || inspectorToken !== undefined) throw refused(endpoint, refusal);
		const own = await this.ownToken(actorId).catch((error: unknown) => {
			if (error instanceof CommandFailed) throw refused(endpoint, refusal);
			throw error;
		});
		const again = await send(headers(own));
		if (again.ok) return again;
		throw refused(endpoint, failed(again.status, await again.text()));
	}

	/**
	 * Whether an actor could be inspected that is not there yet. Throws {@link CommandFailed} as its inspector would; says
	 * nothing against servers that cannot be asked.
	 */
	async assertMayInspect(): Promise<void> {
		const { inspectorToken, endpoint } = this.settings;
		const response = await this.#send(
			`${PATH_ACTORS}/${NOBODY}/export`,
			{},
			{
				method: "GET",
				headers: inspectorToken === undefined ? {} : { authorization: `Bearer ${inspectorToken}` },
			},
		);
		const refusal = failed(response.status, await response.text());
		const name = `${refusal.error?.group}.${refusal.error?.code}`;
		if (name === "route.not_found") throw refused(endpoint, refusal);
		if (name !== "inspector.unauthorized") return;
		if (inspectorToken !== undefined || !(await this.#readsStores())) {
			throw refused(endpoint, refusal);
		}
	}

	/** Whether the management API hands out actors' own tokens. */
	async #readsStores(): Promise<boolean> {
		const path = `${PATH_ACTORS}/${NOBODY}${PATH_KV_KEYS}${encodeURIComponent(KV_KEY_INSPECTOR_TOKEN)}`;
		return this.manage<ApiKvGetResponse>(path).then(
			() => true,
			(error: unknown) => error instanceof CommandFailed && error.group === "actor",
		);
	}

	/** The actor's own token, from the management API. Throws {@link CommandFailed}. */
	async ownToken(actorId: string): Promise<string> {
		const known = this.#ownTokens.get(actorId);
		if (known !== undefined) return known;
		const path = `${PATH_ACTORS}/${encodeURIComponent(actorId)}${PATH_KV_KEYS}${encodeURIComponent(KV_KEY_INSPECTOR_TOKEN)}`;
		const { value } = await this.manage<ApiKvGetResponse>(path);
		const bytes = value === null ? null : decodeBase64(value);
		if (bytes === null) {
			throw new CommandFailed(
				"The actor has no token yet, because it has never started; wake it first.",
			);
		}
		const token = new TextDecoder().decode(bytes);
		this.#ownTokens.set(actorId, token);
		return token;
	}

	#managementHeaders(): Record<string, string> {
		const { token } = this.settings;
		return token === undefined ? {} : { authorization: `Bearer ${token}`, [HEADER_TOKEN]: token };
	}

	async #send(
		path: string,
		query: Readonly<Record<string, string | undefined>>,
		request: RawRequest,
	): Promise<Response> {
		const { endpoint, namespace } = this.settings;
		const scope = path.startsWith(PATH_ACTORS) ? { namespace } : {};
		const { signal, ...init } = request;
		try {
			return await fetch(joinUrl(endpoint, path, { ...query, ...scope }), {
				...init,
				redirect: "manual",
				...(signal ? { signal } : {}),
			});
		} catch (error) {
			if (signal?.aborted) throw error;
			throw unreachable(endpoint, error);
		}
	}
}

function failed(status: number, text: string): FailedAnswer {
	const body = parsed(text) as
		| { group?: unknown; code?: unknown; message?: unknown; error?: unknown }
		| undefined;
	const isStructured = [body?.group, body?.code, body?.message].every((x) => typeof x === "string");
	if (isStructured) return { status, text, error: body as FailedAnswer["error"] };
	// Of the list of actors.
	if (typeof body?.error === "string") {
		return { status, text, error: { group: "request", code: "invalid", message: body.error } };
	}
	return { status, text, error: undefined };
}

/** The object in a JSON text; undefined when it is none. */
function parsed(text: string): object | undefined {
	try {
		const value: unknown = JSON.parse(text);
		return typeof value === "object" && value !== null ? value : undefined;
	} catch {
		return undefined;
	}
}
