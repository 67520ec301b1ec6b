import { validateHeaderName, validateHeaderValue } from "node:http";
import { catalogueError } from "@rivetkit/protocol";
import { z } from "zod";

const HEADERS_MAX = 16;
const HEADER_NAME_CHARS_MAX = 128;
const HEADER_VALUE_CHARS_MAX = 4_096;
/** What a drain of a start request may take where nobody says so (s; contract: engine Q4). */
const GRACE_S_MAX = 10;
const GRACE_SHARE = 1 / 4;
const SLOTS_DEFAULT = 1;
const RUNNERS_DEFAULT = 100;

const whole = z.int().min(0);
const atLeastOne = z.int().min(1);

/** Of 2.3; taken, shown and of no effect for hosts that are runners. */
const evictionShape = {
	actor_eviction_delay: whole.optional(),
	actor_eviction_period: whole.optional(),
	actor_eviction_rate: z.number().min(0).optional(),
};

const kindShape = {
	drain_on_version_upgrade: z.boolean().optional(),
	...evictionShape,
};

const headersSchema = z.record(z.string(), z.string()).superRefine((headers, context) => {
	const entries = Object.entries(headers);
	const refuse = (message: string) => context.addIssue({ code: "custom", message });
	if (entries.length > HEADERS_MAX) {
		refuse(`at most ${HEADERS_MAX} headers, got ${entries.length}`);
	}
	for (const [name, value] of entries) {
		if (name.length > HEADER_NAME_CHARS_MAX || value.length > HEADER_VALUE_CHARS_MAX) {
			refuse(
				`a name of at most ${HEADER_NAME_CHARS_MAX} and a value of at most ${HEADER_VALUE_CHARS_MAX} characters`,
			);
		} else if (!isLegalHeader(name, value)) {
			refuse(`${JSON.stringify(name)} is not a legal HTTP header`);
		}
	}
});

/** Times in seconds, but `metadata_poll_interval` in ms (contract: engine 2.6). */
const serverlessSchema = z.object({
	url: z.string().refine(isHttpUrl, "must be an absolute http or https URL"),
	headers: headersSchema.optional(),
	request_lifespan: atLeastOne.describe("Seconds that one start request may last"),
	drain_grace_period: whole.optional().describe("Seconds before its end that a request drains"),
	slots_per_runner: atLeastOne.optional(),
	max_runners: whole.optional().describe("0 switches the pool off"),
	min_runners: whole.optional(),
	runners_margin: whole.optional(),
	max_concurrent_actors: whole.optional(),
	metadata_poll_interval: whole.optional().describe("Milliseconds"),
	...kindShape,
});

/** What a pool is configured with in one datacenter: exactly one of `normal` and `serverless`. */
export const poolConfigSchema = z
	.object({
		normal: z.object(kindShape).optional(),
		serverless: serverlessSchema.optional(),
		metadata: z.unknown().optional(),
		drain_on_version_upgrade: z.boolean().optional(),
		...evictionShape,
	})
	.superRefine(({ normal, serverless }, context) => {
		if ((normal === undefined) === (serverless === undefined)) {
			context.addIssue({
				code: "custom",
				message: "exactly one of normal and serverless is required",
			});
		} else if (serverless?.drain_grace_period !== undefined) {
			const { drain_grace_period: grace, request_lifespan: lifespan } = serverless;
			if (grace >= lifespan) {
				context.addIssue({
					code: "custom",
					path: ["serverless", "drain_grace_period"],
					message: `must be less than request_lifespan (${lifespan})`,
				});
			}
		}
	})
	.meta({ id: "RunnerConfig" });

export type PoolConfigJson = z.output<typeof poolConfigSchema>;

/** A pool whose runners come by themselves. */
export interface NormalPool {
	readonly kind: "normal";
	readonly drainsOnUpgrade: boolean;
	readonly json: PoolConfigJson;
}

/** A pool whose runners the engine starts by requests. Times in ms. */
export interface ServerlessPool {
	readonly kind: "serverless";
	readonly drainsOnUpgrade: boolean;
	readonly json: PoolConfigJson;
	/** Without a slash at its end. */
	readonly url: string;
	readonly headers: Readonly<Record<string, string>>;
	readonly lifespanMs: number;
	readonly graceMs: number;
	readonly slotsPerRunner: number;
	readonly runnersMax: number;
	readonly runnersMin: number;
	readonly runnersMargin: number;
	/** Undefined for the engine's default. */
	readonly metadataPollMs: number | undefined;
}

export type PoolConfig = NormalPool | ServerlessPool;

/** The config of a pool that nobody has written. */
export const NORMAL_POOL: PoolConfigJson = { normal: {} };

/** Reads what a caller wants, filled up with defaults. Throws `runner_config.invalid`. */
export function readPoolConfig(value: unknown): PoolConfigJson {
	const result = poolConfigSchema.safeParse(value);
	if (!result.success) {
		const reason = result.error.issues
			.map(({ path, message }) => (path.length === 0 ? message : `${path.join(".")}: ${message}`))
			.join("; ");
		throw catalogueError("runner_config.invalid", { reason });
	}
	const config = result.data;
	const { normal, serverless, ...rest } = config;
	const drain = (serverless ?? normal)!.drain_on_version_upgrade ?? rest.drain_on_version_upgrade;
	const shared = { ...rest, drain_on_version_upgrade: drain ?? false };
	if (serverless === undefined) {
		return { normal: normal!, ...shared };
	}
	const slots = serverless.slots_per_runner ?? SLOTS_DEFAULT;
	const actors = serverless.max_concurrent_actors;
	const runners =
		serverless.max_runners ?? (actors === undefined ? RUNNERS_DEFAULT : Math.ceil(actors / slots));
	return {
		serverless: {
			...serverless,
			headers: serverless.headers ?? {},
			drain_grace_period:
				serverless.drain_grace_period ??
				Math.min(GRACE_S_MAX, serverless.request_lifespan * GRACE_SHARE),
			slots_per_runner: slots,
			max_runners: runners,
			min_runners: serverless.min_runners ?? 0,
			runners_margin: serverless.runners_margin ?? 0,
			max_concurrent_actors: actors ?? slots * runners,
		},
		...shared,
	};
}

/** What a stored config means. */
export function poolConfigOf(json: PoolConfigJson): PoolConfig {
	const { serverless } = json;
	const drainsOnUpgrade = json.drain_on_version_upgrade ?? false;
	if (serverless === undefined) {
		return { kind: "normal", drainsOnUpgrade, json };
	}
	return {
		kind: "serverless",
		drainsOnUpgrade,
		json,
		url: serverless.url.replace(/\/+$/, ""),
		headers: serverless.headers ?? {},
		lifespanMs: serverless.request_lifespan * 1_000,
		graceMs: serverless.drain_grace_period! * 1_000,
		slotsPerRunner: serverless.slots_per_runner!,
		runnersMax: serverless.max_runners!,
		runnersMin: serverless.min_runners!,
		runnersMargin: serverless.runners_margin!,
		metadataPollMs: serverless.metadata_poll_interval,
	};
}

/** Names what is asked for at a host; another text is another host. */
export function endpointOf({ url, headers }: ServerlessPool): string {
	return JSON.stringify([url, Object.entries(headers).sort()]);
}

/** Headers that can be sent; others are dropped. */
export function legalHeaders(headers: Readonly<Record<string, string>>): Record<string, string> {
	return Object.fromEntries(
		Object.entries(headers).filter(([name, value]) => isLegalHeader(name, value)),
	);
}

function isHttpUrl(url: string): boolean {
	return URL.canParse(url) && /^https?:\/\//i.test(url);
}

export function isLegalHeader(name: string, value: string): boolean {
	try {
		validateHeaderName(name);
		validateHeaderValue(name, value);
		return true;
	} catch {
		return false;
	}
}
