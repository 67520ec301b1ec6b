import { UsageError } from "./configuration-error.ts";

/** What a process can be started with (contract: engine 8), and what there is of it here. */
const SERVICES = {
	/** Gateway, management API and runners. */
	guard: "listens",
	/** `/health` and `/ready` for other machines' eyes. */
	api_peer: "listens",
	metrics: "listens",
	/** Of the published engine: here every node does its own work. */
	workflow_worker: "nothing",
	/** Makes the store ready, and ends when it is the only one. */
	bootstrap: "once",
} as const satisfies Record<string, "listens" | "nothing" | "once">;

export type Service = keyof typeof SERVICES;

const NAMES = Object.keys(SERVICES) as Service[];

export interface ServiceChoice {
	/** Default: all. */
	readonly only: readonly string[];
	readonly except: readonly string[];
}

/** Which services are wanted. Throws a {@link UsageError} for one that does not exist, or when none is left. */
export function chooseServices({ only, except }: ServiceChoice): ReadonlySet<Service> {
	const unknown = [...only, ...except].find((name) => !Object.hasOwn(SERVICES, name));
	if (unknown !== undefined) {
		throw new UsageError(`there is no service ${unknown}; there are ${NAMES.join(", ")}`);
	}
	const chosen = NAMES.filter(
		(name) => (only.length === 0 || only.includes(name)) && !except.includes(name),
	);
	if (chosen.length === 0) throw new UsageError("no service is left to start");
	return new Set(chosen);
}

/** Whether nothing goes on once they have begun. */
export function endsByItself(services: ReadonlySet<Service>): boolean {
	return [...services].every((name) => SERVICES[name] === "once");
}
