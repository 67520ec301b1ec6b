import { parse } from "yaml";

export interface Compose {
	readonly services: Readonly<Record<string, ComposeService>>;
	readonly volumes: Readonly<Record<string, unknown>>;
}

export interface ComposeService {
	readonly image: string;
	/** Context of the build; the service is a node of the application then. */
	readonly build?: string;
	readonly environment: Readonly<Record<string, string>>;
	readonly ports?: readonly string[];
	readonly volumes?: readonly string[];
	readonly read_only?: boolean;
	readonly tmpfs?: readonly string[];
	readonly cap_drop?: readonly string[];
	readonly stop_signal?: string;
	readonly stop_grace_period: string;
	readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
	readonly healthcheck?: { readonly test: readonly string[] };
}

/** A compose file with `${NAME:?message}` filled in. Throws where a variable is missing, with its message. */
export function readCompose(text: string, variables: Readonly<Record<string, string>>): Compose {
	const filled = text.replace(
		/(?<!\$)\$\{(\w+):\?([^}]*)\}/g,
		(_, name: string, message: string) => {
			const value = variables[name];
			if (value === undefined) throw new Error(`${name}: ${message}`);
			return value;
		},
	);
	if (/\$\{?\w/.test(filled)) throw new Error("the compose file has a variable without a message");
	return parse(filled, { merge: true, strict: true, uniqueKeys: true }) as Compose;
}

/** `45s` in seconds. */
export function secondsOf(duration: string): number {
	const match = /^(\d+)s$/.exec(duration);
	if (match === null) throw new Error(`${duration} is not written in seconds`);
	return Number(match[1]);
}
