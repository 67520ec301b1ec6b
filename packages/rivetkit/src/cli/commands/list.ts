import { listActors, STATUSES } from "../actors.ts";
import { formatAddress } from "../address.ts";
import { choiceOption, command, countOption } from "../command.ts";
import { toJson } from "../output/exact-json.ts";
import { printable, timeOf } from "../output/terminal.ts";

const LIMIT = { otherwise: 50, least: 1, most: 10_000 };

export const list = command({
	name: "actors list",
	summary: "Lists actors, newest first.",
	usage: "[NAME]",
	arity: [0, 1],
	options: {
		status: { type: "string", value: "STATUS", help: `only those that are ${STATUSES.join(", ")}` },
		destroyed: { type: "boolean", help: "destroyed ones, too, as far as they are remembered" },
		limit: { type: "string", value: "COUNT", help: "at most so many; 50 by default, up to 10000" },
		after: { type: "string", value: "CURSOR", help: "goes on where an earlier list ended" },
	},
	details: [
		'With --json: { "actors": [{ id, name, key, status, createdAtMs, startedAtMs, sleptAtMs, destroyedAtMs }], "next" }.',
	],
	async run({ server, positionals, options, out, notes }) {
		const { actors, next } = await listActors(server, {
			name: positionals[0],
			status: choiceOption("status", options.status, STATUSES),
			includeDestroyed: options.destroyed ?? false,
			limit: countOption("limit", options.limit, LIMIT),
			after: options.after,
		});
		if (options.json) {
			out.line(toJson({ actors, next }, "  "));
			return;
		}
		if (actors.length === 0) {
			notes.line("No actors.");
			return;
		}
		out.table([
			["ACTOR", "STATUS", "CREATED", "ID"],
			...actors.map(({ name, key, status, createdAtMs, id }) => [
				printable(formatAddress(name, key)),
				status,
				timeOf(createdAtMs),
				id,
			]),
		]);
		if (next !== null) notes.line(`There are more: --after ${next}`);
	},
});
