/** What the clients of a cluster under faults were told, and what must then be so. */

export type Kind = "add" | "order" | "alarm";

export interface Operation {
	readonly id: string;
	readonly actor: string;
	readonly kind: Kind;
	/** Not before this (ms since the epoch) may an alarm fire. */
	readonly notBefore: number;
	/** `unknown`: an error came back, so it was done once or not at all. */
	outcome: "open" | "acknowledged" | "unknown";
}

/** What one socket saw: ticks in their order, and where it was told that it may have missed some. */
export interface Watch {
	readonly actor: string;
	readonly seen: (number | "resync")[];
}

/** An actor as it is in the end. */
export interface Remains {
	readonly total: number;
	readonly twice: readonly string[];
	readonly keys: ReadonlySet<string>;
	/** When alarms fired (ms since the epoch), by id. */
	readonly rang: ReadonlyMap<string, number>;
}

export interface Verdict {
	readonly name: string;
	readonly failures: readonly string[];
}

const KEY: Readonly<Record<Kind, string>> = { add: "op", order: "order", alarm: "alarm" };

export const keyOf = ({ kind, id }: Operation): string => `${KEY[kind]}:${id}`;

export function judge(
	operations: readonly Operation[],
	watches: readonly Watch[],
	remains: ReadonlyMap<string, Remains>,
): Verdict[] {
	const of = (kind: Kind) => operations.filter((one) => one.kind === kind);
	const lost = (kind: Kind) =>
		of(kind)
			.filter(
				(one) => one.outcome === "acknowledged" && !remains.get(one.actor)?.keys.has(keyOf(one)),
			)
			.map((one) => `${one.actor}: ${one.id}`);
	const count = (kind: Kind) =>
		`${of(kind).filter(({ outcome }) => outcome === "acknowledged").length} acknowledged`;
	const each = (look: (actor: string, one: Remains) => string | undefined) =>
		[...remains].map(([actor, one]) => look(actor, one)).filter((failure) => failure !== undefined);
	return [
		{ name: `no acknowledged call is lost (${count("add")})`, failures: lost("add") },
		{ name: `no acknowledged message is lost (${count("order")})`, failures: lost("order") },
		{ name: `every acknowledged alarm fired (${count("alarm")})`, failures: lost("alarm") },
		{
			name: "no alarm fired before its time, whatever the clocks said",
			failures: of("alarm").flatMap(({ actor, id, notBefore }) => {
				const at = remains.get(actor)?.rang.get(id);
				return at !== undefined && at < notBefore
					? [`${actor}: ${id} was ${notBefore - at} ms early`]
					: [];
			}),
		},
		{
			name: "nothing was applied twice",
			failures: each((actor, { twice }) =>
				twice.length > 0 ? `${actor}: ${twice.join(", ")}` : undefined,
			),
		},
		{
			// A second writer would have overwritten the first one's total.
			name: "there never were two writers: every actor's total is the number of its entries",
			failures: each((actor, { total, keys }) => {
				const entries = [...keys].filter((key) => !key.startsWith("alarm:")).length;
				return entries === total ? undefined : `${actor}: total ${total}, ${entries} entries`;
			}),
		},
		{
			name: `every socket kept its order or was told (${watches.length} sockets, ${watches.reduce((sum, { seen }) => sum + seen.length, 0)} events)`,
			failures: watches.flatMap(({ actor, seen }) => {
				const failures: string[] = [];
				for (let at = 1; at < seen.length; at++) {
					const [before, now] = [seen[at - 1]!, seen[at]!];
					if (before !== "resync" && now !== "resync" && now !== before + 1) {
						failures.push(`${actor}: ${now} after ${before}`);
					}
				}
				return failures;
			}),
		},
		{
			name: "sockets saw something",
			failures: watches
				.filter(({ seen }) => seen.length < 2)
				.map(({ actor }) => `${actor}: a socket saw ${seen(actor, watches)}`),
		},
	];
}

function seen(actor: string, watches: readonly Watch[]): string {
	return JSON.stringify(watches.find((watch) => watch.actor === actor)?.seen);
}
