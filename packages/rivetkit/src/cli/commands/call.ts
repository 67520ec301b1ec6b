import { callAction } from "../actors.ts";
import { ADDRESS_HELP, parseAddress } from "../address.ts";
import { command } from "../command.ts";
import { UsageError } from "../failure.ts";
import { EXACT_JSON_HELP, toExactJson } from "../output/exact-json.ts";
import { jsonArgument } from "./read-value.ts";

export const call = command({
	name: "actors call",
	summary: "Runs an action, and prints what it returns. Wakes the actor if it sleeps.",
	usage: "ACTOR ACTION [ARGUMENT…]",
	arity: [2, Number.POSITIVE_INFINITY],
	options: {
		create: { type: "boolean", help: "make the actor if there is none" },
		input: { type: "string", value: "JSON", help: "what a new actor gets; with --create" },
	},
	details: [
		ADDRESS_HELP,
		"Each ARGUMENT is JSON: 5, true, '\"text\"', '{\"a\":1}'. Put -- before them if one begins with two dashes.",
		EXACT_JSON_HELP,
		"An action that returns nothing prints nothing; with --json, null.",
	],
	async run({ server, positionals, options, out }) {
		const [actor, action, ...args] = positionals;
		const address = parseAddress(actor!);
		const { create = false, input } = options;
		if (create && address.kind === "id") {
			throw new UsageError("--create needs NAME/KEY: an id is given to an actor when it is made.");
		}
		if (!create && input !== undefined) throw new UsageError("--input goes with --create.");
		const output = await callAction(server, {
			address,
			action: action!,
			args: args.map((text, index) => jsonArgument(text, `Argument ${index + 1}`)),
			...(create
				? { create: { input: input === undefined ? undefined : jsonArgument(input, "--input") } }
				: {}),
		});
		if (output !== undefined) out.line(toExactJson(output, "  "));
		else if (options.json) out.line("null");
	},
});
