import { PATH_METADATA, RUNTIME } from "@rivetkit/protocol";
import { legalHeaders } from "../pools/pool-config.ts";
import { readStart, reasonOf } from "./pool-error.ts";

/** How long a host may take (ms; contract: engine 5.4). */
const TIMEOUT_MS = 10_000;
/** Characters of an answer that an error shows, and that an answer may have. */
const SHOWN_CHARS_MAX = 1_024;
const ANSWER_CHARS_MAX = 1024 * 1024;

/** What a host says of itself, as far as an engine uses it. */
export interface HostMetadata {
	readonly version: string;
	/** Names of its actors, with what it says of them. */
	readonly actorNames: ReadonlyMap<string, unknown>;
	/** Version of its code; undefined where it says none. */
	readonly runnerVersion: number | undefined;
}

/** Why a host is none, by kind. */
export interface MetadataFailure {
	readonly message: string;
	readonly details?: string;
	readonly metadata: { readonly kind: string; readonly [field: string]: unknown };
}

export type MetadataAnswer =
	| { readonly success: HostMetadata }
	| { readonly failure: MetadataFailure };

/** Asks a host what it has. Never rejects. */
export async function fetchHostMetadata(
	url: string,
	headers: Readonly<Record<string, string>>,
): Promise<MetadataAnswer> {
	const target = `${url.replace(/\/+$/, "")}${PATH_METADATA}`;
	if (!URL.canParse(target) || !/^https?:\/\//i.test(target)) {
		return failed("invalid_request", "The URL is no absolute http or https URL");
	}
	const signal = AbortSignal.timeout(TIMEOUT_MS);
	let body: string;
	try {
		const response = await fetch(target, { headers: legalHeaders(headers), signal });
		body = await readStart(response, ANSWER_CHARS_MAX);
		if (signal.aborted) return timedOut();
		if (!response.ok) {
			const { status } = response;
			return failed("non_success_status", `The host answered ${status}`, {
				status_code: status,
				body: body.slice(0, SHOWN_CHARS_MAX),
			});
		}
	} catch (error) {
		if (signal.aborted) return timedOut();
		return {
			...failed("request_failed", "The host cannot be reached", {}, reasonOf(error, target)),
		};
	}
	let value: unknown;
	try {
		value = JSON.parse(body);
	} catch {
		return failed("invalid_response_json", "The answer is not JSON", {
			body: body.slice(0, SHOWN_CHARS_MAX),
		});
	}
	return read(value);
}

function read(value: unknown): MetadataAnswer {
	const { runtime, version, actorNames, runner } = objectOf(value);
	if (runtime !== RUNTIME || typeof version !== "string" || version.trim() === "") {
		return failed("invalid_response_schema", `The answer is not one of ${RUNTIME}`, {
			runtime: shown(runtime),
			version: shown(version),
		});
	}
	const runnerVersion = objectOf(runner).version;
	const isU32 =
		Number.isInteger(runnerVersion) &&
		(runnerVersion as number) >= 0 &&
		(runnerVersion as number) <= 0xffff_ffff;
	return {
		success: {
			version,
			actorNames: new Map(
				Object.entries(objectOf(actorNames))
					.filter(([, one]) => typeof one === "object" && one !== null)
					.map(([name, one]) => [name, objectOf(one).metadata ?? {}]),
			),
			runnerVersion: isU32 ? (runnerVersion as number) : undefined,
		},
	};
}

function timedOut(): MetadataAnswer {
	return failed("request_timed_out", `The host did not answer within ${TIMEOUT_MS} ms`);
}

function failed(
	kind: string,
	message: string,
	fields: Readonly<Record<string, unknown>> = {},
	details?: string,
): MetadataAnswer {
	return {
		failure: {
			message,
			...(details === undefined ? {} : { details }),
			metadata: { kind, ...fields },
		},
	};
}

function objectOf(value: unknown): Record<string, unknown> {
	return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

function shown(value: unknown): string {
	return typeof value === "string" ? value.slice(0, SHOWN_CHARS_MAX) : "";
}
